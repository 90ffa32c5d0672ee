package org.penumbra.experiments.walk;

import java.util.Locale;
import java.util.Map;
import org.penumbra.api.paging.Access;
import org.penumbra.experiments.report.RunJson;
import org.penumbra.experiments.walk.WalkStep.Exited;
import org.penumbra.experiments.walk.WalkStep.Reference;
import org.penumbra.experiments.walk.WalkStep.Served;
import org.penumbra.experiments.walk.WalkStep.Translated;
import org.penumbra.experiments.walk.WalkStep.Updated;

/** A {@link WalkResult} as a JSON document; addresses and entries are strings, since they need 64 bits. */
public final class WalkJson {
    private WalkJson() {}

    /** The document, of maps and lists. */
    public static Object document(WalkResult result) {
        WalkRequest r = result.request();
        return RunJson.object("gva", hex(r.gva()), "access", Access.describe(r.access()), "mode", r.mode().label(), "page_bytes", r.page().bytes(),
                "design", r.design().name(), "settings", r.design().changedSettings(), "hardware", r.hardware().name(),
                "accesses", result.parts().stream().map(WalkJson::part).toList());
    }

    private static Map<String, Object> part(WalkPart p) {
        return RunJson.object("access", p.kind().label(), "gva", hex(p.gva()), "gpa", hex(p.gpa()), "references", p.references(),
                "guest_references", p.guestReferences(), "host_references", p.hostReferences(),
                "counted_guest_references", p.countedGuest(), "counted_host_references", p.countedHost(), "exits", p.exits(), "cycles", p.cycles(),
                "steps", p.steps().stream().map(WalkJson::step).toList());
    }

    private static Map<String, Object> step(WalkStep step) {
        if (step instanceof Reference r) {
            return RunJson.object("step", "reference", "number", r.number(), "dimension", dimension(r.nested()), "level", r.level(), "name", r.name(),
                    "at", hex(r.at()), "hpa", hex(r.hpa()), "entry", hex(r.entry()), "meaning", r.meaning(), "data_cache", r.dataCache());
        } else if (step instanceof Served s) {
            return RunJson.object("step", "served", "cache", s.cache().name().toLowerCase(Locale.ROOT), "address", hex(s.address()),
                    "level", s.level(), "result", hex(s.result()));
        } else if (step instanceof Updated u) {
            return RunJson.object("step", "updated", "dimension", dimension(u.nested()), "level", u.level(), "name", u.name(), "hpa", hex(u.hpa()),
                    "entry", hex(u.entry()), "meaning", u.meaning());
        } else if (step instanceof Translated t) {
            return RunJson.object("step", "translated", "gva", hex(t.gva()), "hpa", hex(t.hpa()), "page_bytes", 1L << t.shift(),
                    "memory_type", t.type().name());
        } else if (step instanceof Exited e) {
            return RunJson.object("step", "exit", "reason", e.reason().name(), "gpa", hex(e.gpa()), "gva", hex(e.gva()), "error_code", e.errorCode(),
                    "emulated", e.emulated());
        }
        throw new IllegalArgumentException("no such step: " + step);
    }

    private static String dimension(boolean nested) {
        return nested ? "host" : "guest";
    }

    private static String hex(long value) {
        return "0x" + Long.toHexString(value);
    }
}
