package org.penumbra.experiments.study;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.penumbra.api.clock.CostProfile;
import org.penumbra.api.machine.MachineException;
import org.penumbra.experiments.run.Design;
import org.penumbra.experiments.run.Designs;
import org.penumbra.experiments.run.ServiceRegistry;

/**
 * What it costs to know which pages a guest writes: a guest that has written to all of its pages, in 2 MiB leaves of the host, writes to all
 * again while the log is on, by each way of noticing it, eager and lazy about splitting. The published orders stand in a second table.
 */
final class DirtyLogs implements Study {
    /** 64 MiB. */
    static final int PAGES = 16384;
    private static final int LARGE = PAGES / 512;

    private static final String PROTECTION = ":dirty-log=protection";
    private static final String PML = ":dirty-log=pml";
    private static final String LAZY = ":eager-page-split=off";

    @Override
    public String id() {
        return "dirty-logging";
    }

    @Override
    public StudyResult run(ServiceRegistry services, CostProfile hardware) {
        List<DirtyLogTrial.Figures> all = new ArrayList<>();
        for (DirtyLogTrial.Start how : DirtyLogTrial.Start.values()) {
            for (String name : List.of("shadow-2m", "ept-2m" + PROTECTION, "ept-2m" + PROTECTION + LAZY, "ept-2m", "ept-2m" + LAZY, "ept-2m" + PML,
                    "ept-2m" + PML + LAZY, "npt-2m" + PROTECTION, "npt-2m" + PROTECTION + LAZY, "npt-2m", "npt-2m" + LAZY)) {
                Design design = new Designs(services).select(List.of(name), Map.of(), "--design").get(0);
                all.add(new DirtyLogTrial(services, hardware, design, how).run());
            }
        }
        StudyResult.Table table = new StudyResult.Table("trials", "llllrrrrrrrr", "Design", "By", "Splitting", "Log", "Start cycles", "Splits", "Faults",
                "Splits then", "Log full", "Guest", "Read cycles", "Missed");
        List<String> violations = new ArrayList<>();
        Map<String, DirtyLogTrial.Figures> by = new LinkedHashMap<>();
        for (DirtyLogTrial.Figures f : all) {
            by.put(f.how().label() + " " + f.design(), f);
            table.row(f.design().split(":")[0], by(f.design()), f.design().endsWith(LAZY) ? "lazy" : "eager", f.how().label(), f.startCycles(), f.startSplits(), f.faults(), f.splits(), f.full(), f.slowdown(), f.readCycles(),
                    f.missed());
            if (f.missed() > 0) {
                violations.add(f.design() + ", " + f.how().label() + ": " + f.missed() + " pages were written and not told");
            }
        }
        return new StudyResult(List.of(table, orders(by)), violations);
    }

    /** How {@code design} notices writes. */
    private static String by(String design) {
        return design.startsWith("shadow") || design.contains(PROTECTION) ? "protection" : design.contains(PML) ? "pml" : "flags";
    }

    private static StudyResult.Table orders(Map<String, DirtyLogTrial.Figures> by) {
        StudyResult.Table table = new StudyResult.Table("orders", "lll", "Came out", "Published", "Claim");
        for (String d : List.of("ept-2m", "npt-2m")) {
            DirtyLogTrial.Figures eager = of(by, "bitmap", d + PROTECTION);
            DirtyLogTrial.Figures lazy = of(by, "bitmap", d + PROTECTION + LAZY);
            DirtyLogTrial.Figures flags = of(by, "bitmap", d);
            DirtyLogTrial.Figures lazyFlags = of(by, "bitmap", d + LAZY);
            boolean each = eager.faults() >= PAGES && lazy.faults() >= PAGES;
            table.row(yes(each), "exact", d + ": under write protection a fault for each page, splitting or not");
            table.row(yes(eager.splits() == 0 && eager.startSplits() >= LARGE && lazy.splits() >= LARGE && lazy.startSplits() == 0), "exact",
                    d + ": eager splitting moves the splits out of the guest's faults");
            boolean none = flags.faults() == 0 && lazyFlags.faults() > 0;
            table.row(yes(none), "exact", d + ": no write fault at all only with dirty flags and eager splitting");
            table.row(yes(flags.slowdown() < lazyFlags.slowdown() && eager.slowdown() < lazy.slowdown()),
                    "Linux, eager page splitting: 2.94 to 0.14 s in the guest",
                    String.format("%s: the guest is faster with eager splitting: %.2f to %.2f by protection, %.2f to %.2f by flags", d, lazy.slowdown(),
                            eager.slowdown(), lazyFlags.slowdown(), flags.slowdown()));
            DirtyLogTrial.Figures set = of(by, "all set", d + PROTECTION);
            table.row(yes(set.startCycles() * 10 < eager.startCycles()), "Linux, initially-all-set: 460 to 10 ms",
                    String.format("%s: starting with all set costs next to nothing: %,d to %,d cycles", d, eager.startCycles(), set.startCycles()));
        }
        DirtyLogTrial.Figures pml = of(by, "bitmap", "ept-2m" + PML);
        DirtyLogTrial.Figures protection = of(by, "bitmap", "ept-2m" + PROTECTION);
        table.row(yes(pml.faults() == 0 && of(by, "bitmap", "ept-2m" + PML + LAZY).faults() > 0), "exact",
                "ept-2m: no write fault at all only with the page-modification log and eager splitting");
        table.row(yes(pml.slowdown() < protection.slowdown()), "Linux, PML: migration up to 10 % shorter",
                String.format("ept-2m: the guest is faster with the page-modification log than by protection: %.2f to %.2f", protection.slowdown(),
                        pml.slowdown()));
        return table;
    }

    private static DirtyLogTrial.Figures of(Map<String, DirtyLogTrial.Figures> by, String how, String design) {
        DirtyLogTrial.Figures found = by.get(how + " " + design);
        if (found == null) {
            throw new MachineException("no trial of " + design + " with " + how);
        }
        return found;
    }

    static String yes(boolean cameOut) {
        return cameOut ? "yes" : "NO";
    }
}
