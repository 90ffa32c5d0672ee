package org.penumbra.experiments.run;

import java.util.List;

/**
 * An experiment: a question, and the trials that answer it when nothing else is asked for.
 *
 * @param id the name by which a user selects it
 * @param kind what its trials are
 * @param description one line for people
 * @param workloads default workloads by name or pattern, as a user may give them
 * @param designs default designs by name
 * @param vcpus default numbers of vCPUs
 * @param check whether translations are compared with the specification unless a person says otherwise
 */
public record Experiment(
        String id, Kind kind, String description, List<String> workloads, List<String> designs, List<Integer> vcpus, boolean check) {
    /** What the trials of an experiment are. */
    public enum Kind {
        /** Each workload under each design. */
        COMPARISON,
        /** The same, and each design is set against the first one. */
        ABLATION,
        /** Each workload, which is that of a guest's guest, under each design below its hypervisor that can serve it. */
        NESTING,
        /** Each workload once under the first design, and once with swaps from each design to the next. */
        SWAPS,
        /** It brings its own guests and tables: see the package {@code study}. */
        STUDY
    }

    /** Every experiment there is, by default order of a listing. */
    public static final List<Experiment> ALL = List.of(
            new Experiment(
                    "shadow-vs-ept",
                    Kind.COMPARISON,
                    "what does virtualising memory cost: shadow paging and EPT against no hypervisor, on the same guests",
                    List.of("trace:*", "fork-heavy"),
                    List.of(Design.NATIVE, "shadow", "ept", "ept-2m"),
                    List.of(1),
                    false),
            new Experiment(
                    "hot-swap",
                    Kind.SWAPS,
                    "does a guest notice that its MMU is replaced while it runs, and what does it cost: swaps between shadow paging and EPT",
                    List.of("trace:*", "fork-heavy"),
                    List.of("shadow", "ept"),
                    List.of(1, 4),
                    true),
            new Experiment(
                    "shadow-mechanisms",
                    Kind.ABLATION,
                    "what is each mechanism of shadow paging worth: full shadow paging against the same with one of them changed",
                    List.of("fork-heavy", "many-processes", "mmap-churn", "page-ageing", "table-storm", "random-thp", "code-thp",
                            "working-set", "cr3-slots-2", "cr3-slots-4", "cr3-slots-8"),
                    List.of("shadow-2m", "shadow-2m:unsync=off", "shadow-2m:flooding-detection=off", "shadow-2m:previous-roots=0",
                            "shadow-2m:large-pages=off", "shadow-2m:prefetch=off", "shadow-2m:invlpg-prefetch=on", "shadow-2m:nx-huge-pages=on",
                            "shadow-2m:cr3-target-list=on", "shadow-2m:deprivileged=on"),
                    List.of(1),
                    false),
            new Experiment(
                    "nested",
                    Kind.NESTING,
                    "what does a hypervisor under a hypervisor cost: shadow on shadow, shadow on EPT or NPT, EPT on EPT, NPT on NPT",
                    List.of("nested-shadow:*", "nested-ept:*", "nested-ept-2m:*", "nested-svm-shadow:*", "nested-npt:*", "nested-npt-2m:*"),
                    List.of("shadow", "ept", "ept-2m", "npt", "npt-2m"),
                    List.of(1),
                    false),
            study("dirty-logging", "what does it cost to know which pages a guest writes: write protection, dirty flags, page-modification log and"
                    + " rings, with eager and lazy splitting"),
            study("sub-page-tracking", "what does it cost to see the writes to 128 bytes of each page: by whole pages, and by sub-page write permissions"),
            study("walk-dimensions", "how many references has a walk, by the levels and page sizes of guest and host"),
            study("paging-structure-caches", "what does each cache of the walk take from the 24 references of a two-dimensional one"),
            study("published-orders", "do shadow paging and EPT or NPT come out in the published order, on every processor model and with large pages"),
            study("published-plugins", "do agile paging and flattened tables, which plugins bring, come out as published, beside shadow paging and EPT"));

    private static Experiment study(String id, String description) {
        return new Experiment(id, Kind.STUDY, description, List.of(), List.of(), List.of(1), false);
    }

    public Experiment {
        workloads = List.copyOf(workloads);
        designs = List.copyOf(designs);
        vcpus = List.copyOf(vcpus);
    }
}
