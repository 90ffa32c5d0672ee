package org.penumbra.experiments.walk;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.penumbra.api.cpu.WalkListener.Cache;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.PageFaultError;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.api.vmx.ExitReason;
import org.penumbra.experiments.report.ConsoleTable;
import org.penumbra.experiments.report.Figures;
import org.penumbra.experiments.walk.WalkStep.Exited;
import org.penumbra.experiments.walk.WalkStep.Reference;
import org.penumbra.experiments.walk.WalkStep.Served;
import org.penumbra.experiments.walk.WalkStep.Translated;
import org.penumbra.experiments.walk.WalkStep.Updated;

/**
 * A {@link WalkResult} for a terminal. Of a walk in two dimensions the references to the second one are indented; they stand between the
 * guest's entry, or page, whose address they translate, and the reading of that entry.
 */
public final class WalkText {
    private static final String[] DATA_CACHES = {Figures.NONE, "L1", "L2", "LLC", "memory"};

    private final WalkResult result;
    private final WalkRequest request;
    private final UnaryOperator<String> emphasis;
    private final boolean twoDimensions;
    /** Names of entries by {@link #key}. */
    private final Map<String, String> names = new HashMap<>();
    private final List<String> lines = new ArrayList<>();

    private WalkText(WalkResult result, UnaryOperator<String> emphasis) {
        this.result = result;
        this.request = result.request();
        this.emphasis = emphasis;
        twoDimensions = result.parts().stream().anyMatch(p -> p.hostReferences() > 0);
        for (WalkPart part : result.parts()) {
            for (WalkStep step : part.steps()) {
                if (step instanceof Reference r) {
                    names.put(key(r.nested(), r.level()), r.name());
                }
            }
        }
    }

    /**
     * The lines.
     *
     * @param emphasis what makes headings stand out
     */
    public static List<String> lines(WalkResult result, UnaryOperator<String> emphasis) {
        return new WalkText(result, emphasis).all();
    }

    private List<String> all() {
        String design = request.design().name();
        lines.add(Access.describe(request.access()) + " at " + hex(request.gva()) + ", " + guest() + ", "
                + (request.design().mmu().isEmpty() ? "without a hypervisor" : "under " + design) + ", on " + request.hardware().name());
        if (request.mode() == PagingMode.PAE) {
            lines.add("The PDPTE was loaded into its register with CR3 and is no reference of a walk.");
        } else if (request.mode() == PagingMode.NONE) {
            lines.add("Without paging a linear address is the guest-physical address.");
        }
        result.part(WalkPart.Kind.FIRST).ifPresent(first -> {
            title("First access: " + design + " has mapped nothing yet, and resolves what the guest runs into");
            attempts(first);
            result.part(WalkPart.Kind.FIRST_OF_NEIGHBOUR).ifPresent(n -> lines.add("The neighbouring page, " + hex(n.gva()) + ", took "
                    + exits(n) + "; then INVVPID and INVEPT dropped all that was cached."));
        });
        for (WalkPart part : result.parts()) {
            switch (part.kind()) {
                case COLD -> {
                    walk(part, "Cold walk, the processor's paging-structure caches" + (twoDimensions ? " and nested TLB" : "")
                            + " left out so that no reference is missing");
                    if (twoDimensions) {
                        lines.add("A gpa whose hpa is still ? is translated by the indented entries below it.");
                    }
                }
                case COLD_WITH_CACHES -> walk(part, "Cold walk with the caches of " + request.hardware().name()
                        + (twoDimensions ? ", which serve later entries of the walk that fills them" : ""));
                case AGAIN -> walk(part, "The same access again");
                case NEIGHBOUR -> walk(part, "The neighbouring page, " + hex(part.gva()));
                case GUEST_TABLES -> walk(part, "The guest's own tables, of which " + design
                        + " made the above: the same guest without a hypervisor");
                default -> { }
            }
        }
        return lines;
    }

    private String guest() {
        return request.mode() == PagingMode.NONE ? "guest without paging"
                : request.mode().label() + " guest, page of " + Figures.bytes(request.page().bytes());
    }

    private void title(String text) {
        lines.add("");
        lines.add(emphasis.apply(text));
        lines.add("");
    }

    private void attempts(WalkPart part) {
        ConsoleTable table = new ConsoleTable("rrl", "Attempt", "References", "Ends with");
        int attempt = 1;
        int references = 0;
        int guestFlags = 0;
        int hostFlags = 0;
        for (WalkStep step : part.steps()) {
            if (step instanceof Reference) {
                references++;
            } else if (step instanceof Updated u) {
                guestFlags += u.nested() ? 0 : 1;
                hostFlags += u.nested() ? 1 : 0;
            } else if (step instanceof Exited e) {
                table.row(String.valueOf(attempt++), String.valueOf(references), exit(e));
                references = 0;
            } else if (step instanceof Translated t) {
                table.row(String.valueOf(attempt), String.valueOf(references), "hpa " + hex(t.hpa()));
            }
        }
        lines.addAll(table.lines(UnaryOperator.identity()));
        lines.add("");
        lines.add(plural(part.references(), "reference") + " and " + exits(part) + ", " + Figures.count(part.cycles()) + " simulated cycles"
                + (guestFlags + hostFlags == 0 ? "." : "; accessed and dirty flags took " + plural(guestFlags, "write") + " to guest tables"
                + (twoDimensions ? ", " + hostFlags + " to the host's." : ".")));
    }

    private String exit(Exited e) {
        String where = e.reason() == ExitReason.EXCEPTION_NMI
                ? ": #PF at " + hex(e.gva()) + " (" + PageFaultError.describe(e.errorCode()) + ")"
                : " at gpa " + hex(e.gpa());
        return "EXIT " + e.reason() + where + ", " + (e.emulated() ? "emulated" : "resolved by " + request.design().mmu() + ": retry");
    }

    private static String exits(WalkPart part) {
        return part.exits() == 0 ? "no exit" : plural(part.exits(), "exit");
    }

    private void walk(WalkPart part, String title) {
        title(title);
        if (part.kind() == WalkPart.Kind.COLD_WITH_CACHES && part.steps().equals(result.part(WalkPart.Kind.COLD).orElseThrow().steps())) {
            lines.add("The same, step by step: what this walk fills serves the next one.");
            return;
        }
        boolean nested = twoDimensions;
        ConsoleTable table = nested ? new ConsoleTable("rlrrrll", "#", "Entry", "gpa", "hpa", "Value", "From", "Meaning")
                : new ConsoleTable("rlrrll", "#", "Entry", part.kind() == WalkPart.Kind.GUEST_TABLES ? "gpa" : "hpa", "Value", "From", "Meaning");
        rows(part, new Rows(table, nested));
        lines.addAll(table.lines(UnaryOperator.identity()));
        lines.add("");
        lines.add(summary(part));
    }

    /** Rows of a table with a column for the gpa, or without. */
    private record Rows(ConsoleTable table, boolean withGpa) {
        void add(String number, String entry, String gpa, String hpa, String value, String from, String meaning) {
            if (withGpa) {
                table.row(number, entry, gpa, hpa, value, from, meaning);
            } else {
                table.row(number, entry, hpa, value, from, meaning);
            }
        }
    }

    private void rows(WalkPart part, Rows rows) {
        boolean inHost = false;
        for (int i = 0; i < part.steps().size(); i++) {
            WalkStep step = part.steps().get(i);
            boolean host = isHost(step);
            if (host && !inHost) {
                head(part, i, rows);
            }
            inHost = host || inHost && step instanceof Updated;
            String indent = host ? "  " : "";
            // a combined mapping leads straight to the hpa of a guest table
            boolean combined = twoDimensions && i > 0 && part.steps().get(i - 1) instanceof Served s && s.cache() == Cache.PAGING_STRUCTURE_CACHE;
            if (step instanceof Reference r) {
                rows.add(String.valueOf(r.number()), indent + r.name(), r.nested() || combined ? "" : hex(r.at()), hex(r.hpa()), hex(r.entry()),
                        DATA_CACHES[r.dataCache()], r.meaning());
            } else if (step instanceof Served s) {
                rows.add("", indent + cache(s), "", "", "", "", meaning(s));
            } else if (step instanceof Updated u) {
                rows.add("", (u.nested() ? "  " : "") + u.name(), "", hex(u.hpa()), hex(u.entry()), "", "written: " + u.meaning());
            } else if (step instanceof Exited e) {
                rows.add("", "", "", "", "", "", exit(e));
            } else if (step instanceof Translated t) {
                rows.add("", "page", hex(part.gpa()), hex(t.hpa()), "", "",
                        "done: cached as " + Figures.bytes(1L << t.shift()) + ", memory type " + t.type());
            }
        }
    }

    /** What the host's references from step {@code i} on are made for. */
    private void head(WalkPart part, int i, Rows rows) {
        for (WalkStep step : part.steps().subList(i, part.steps().size())) {
            if (step instanceof Reference r && !r.nested()) {
                rows.add("", r.name(), hex(r.at()), "?", "", "", "");
                return;
            }
            if (step instanceof Translated || step instanceof Exited) {
                break;
            }
        }
        rows.add("", "page", hex(part.gpa()), "?", "", "", "");
    }

    private static boolean isHost(WalkStep step) {
        return step instanceof Reference r && r.nested()
                || step instanceof Served s && switch (s.cache()) {
                    case NESTED_TLB, NESTED_PAGING_STRUCTURE_CACHE -> true;
                    default -> false;
                };
    }

    private String cache(Served s) {
        return switch (s.cache()) {
            case FIRST_LEVEL_TLB -> "first-level TLB";
            case SECOND_LEVEL_TLB -> "second-level TLB";
            case NESTED_TLB -> "nested TLB";
            case PAGING_STRUCTURE_CACHE -> name(false, s.level()) + " cache";
            case NESTED_PAGING_STRUCTURE_CACHE -> name(true, s.level()) + " cache";
        };
    }

    private String meaning(Served s) {
        return switch (s.cache()) {
            case FIRST_LEVEL_TLB -> "hit: hpa " + hex(s.result()) + ", no walk";
            case SECOND_LEVEL_TLB -> "hit: page at " + hex(s.result()) + ", no walk";
            case NESTED_TLB -> "hit: page at " + hex(s.result());
            default -> "hit: table at " + hex(s.result()) + "; " + skipped(s) + " not read";
        };
    }

    /** Names of the entries that a paging-structure cache has spared. */
    private String skipped(Served s) {
        boolean host = s.cache() == Cache.NESTED_PAGING_STRUCTURE_CACHE;
        List<String> all = new ArrayList<>();
        for (int level = 5; level >= s.level(); level--) {
            String name = names.get(key(host, level));
            if (name != null) {
                all.add(host ? name.replace("EPT ", "") : name);
            }
        }
        return String.join(", ", all);
    }

    private String name(boolean host, int level) {
        return names.getOrDefault(key(host, level), "level " + level);
    }

    private static String key(boolean host, int level) {
        return host + " " + level;
    }

    private String summary(WalkPart part) {
        StringBuilder s = new StringBuilder(plural(part.references(), "reference"));
        if (twoDimensions && part.references() > 0) {
            s.append(": ").append(part.guestReferences()).append(" guest, ").append(part.hostReferences()).append(" host");
        }
        s.append(part.consistent() ? "; the processor counted the same" : "; BUT the processor counted " + part.countedGuest() + " guest, "
                + part.countedHost() + " host");
        if (part.kind() == WalkPart.Kind.COLD_WITH_CACHES) {
            result.part(WalkPart.Kind.COLD).filter(c -> c.references() > part.references())
                    .ifPresent(c -> s.append("; the caches spare ").append(c.references() - part.references()).append(" of ")
                            .append(c.references()));
        }
        return s.append("; ").append(plural(part.cycles(), "simulated cycle")).append('.').toString();
    }

    private static String plural(long n, String what) {
        return Figures.count(n) + " " + what + (n == 1 ? "" : "s");
    }

    private static String hex(long value) {
        return "0x" + Long.toHexString(value);
    }
}
