package org.penumbra.experiments.run;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;
import org.penumbra.api.clock.CostProfile;
import org.penumbra.api.clock.CostProfiles;
import org.penumbra.api.experiment.Workload;
import org.penumbra.api.machine.MachineConfig;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.experiments.run.ServiceRegistry.Named;
import org.penumbra.experiments.workload.BootWorkload;

/** Turns a request into a plan, or refuses it before anything has run and anything was written. */
public final class Planner {
    /**
     * A processor model.
     *
     * @param source "bundled", or the file that it was read from
     */
    public record Hardware(CostProfile profile, String source) {}

    private static final long LARGE_PAGE = 2L << 20;

    private final ServiceRegistry services;
    private final Function<Path, Workload> traceWorkload;

    /** @param traceWorkload the workload that runs a person's trace; it may refuse the file with an exception */
    public Planner(ServiceRegistry services, Function<Path, Workload> traceWorkload) {
        this.services = services;
        this.traceWorkload = traceWorkload;
    }

    /**
     * The plan for {@code request}.
     *
     * @throws RefusedException if something in it is unknown, missing or meaningless
     */
    public Plan plan(RunRequest request) {
        Experiment experiment = Experiment.ALL.stream().filter(e -> e.id().equals(request.experiment())).findFirst()
                .orElseThrow(() -> new RefusedException(Suggestions.unknown("experiment", request.experiment(),
                        Experiment.ALL.stream().map(Experiment::id).toList())));
        if (request.memoryBytes() <= 0 || request.memoryBytes() % LARGE_PAGE != 0) {
            throw new RefusedException("--memory: guest memory of " + request.memoryBytes()
                    + " bytes; a positive multiple of 2 MiB is needed, for example 256M or 1G");
        }
        if (request.repetitions() < 1) {
            throw new RefusedException("--repetitions: " + request.repetitions() + "; 1 or more is needed");
        }
        PagingMode paging = PagingModes.named("--paging", request.paging());
        List<Integer> vcpus = vcpus(experiment, request);
        SwapRequest swaps = swaps(experiment, request);
        List<Design> designs = new Designs(services).select(experiment, request);
        if (experiment.kind() == Experiment.Kind.SWAPS) {
            requireSwappable(designs);
        }
        Hardware hardware = hardware(request.hardware(), request.figures());
        PagingModes.require("--paging", paging, hardware.profile(), profiles().all());
        if (experiment.kind() == Experiment.Kind.ABLATION || experiment.kind() == Experiment.Kind.NESTING) {
            requireModelledTlbs("experiment '" + experiment.id() + "'", hardware.profile());
        }
        // last, since a trace may be long: it is read through once
        boolean check = request.given().contains("check") ? request.check() : experiment.check();
        List<SelectedWorkload> workloads = workloads(experiment, request);
        requireKernel(workloads, request);
        requireBootable(workloads, paging, vcpus, request);
        Plan plan = new Plan(request, experiment, workloads, designs, hardware.profile(), hardware.source(), paging, vcpus, check, swaps);
        if (plan.trials().isEmpty()) {
            throw new RefusedException("nothing to run: the workloads' guest needs VMX with EPT, or SVM with NPT, of its own, which "
                    + String.join(", ", designs.stream().map(Design::name).toList()) + " cannot give it; try "
                    + String.join(", ", services.mmus().stream().filter(m -> m.service().nests()).map(Named::name).toList()));
        }
        return plan;
    }

    private static void requireBootable(List<SelectedWorkload> workloads, PagingMode paging, List<Integer> vcpus, RunRequest request) {
        for (SelectedWorkload w : workloads) {
            for (int n : vcpus) {
                w.workload().prepare(request.seed(), paging).refusal(n, request.memoryBytes()).ifPresent(why -> {
                    throw new RefusedException(why);
                });
            }
        }
    }

    private static List<Integer> vcpus(Experiment experiment, RunRequest request) {
        if (request.vcpus().isEmpty()) {
            return experiment.vcpus();
        }
        requireSwaps(experiment, "vcpus");
        for (int n : request.vcpus()) {
            if (n < 1 || n > MachineConfig.MOST_VCPUS) {
                throw new RefusedException("--vcpus: " + n + "; 1 to " + MachineConfig.MOST_VCPUS + " are possible");
            }
        }
        return request.vcpus().stream().distinct().toList();
    }

    private static SwapRequest swaps(Experiment experiment, RunRequest request) {
        for (String option : new TreeSet<>(SwapRequest.OPTIONS)) {
            if (request.given().contains(option)) {
                requireSwaps(experiment, option);
            }
        }
        SwapRequest swaps = request.swaps();
        if (swaps.every() < 1) {
            throw new RefusedException("--every: " + swaps.every() + "; 1 operation or more is needed between two swaps");
        }
        if (swaps.after() < 0) {
            throw new RefusedException("--after: " + swaps.after() + "; 0 operations or more are possible before the first swap");
        }
        return swaps;
    }

    private static void requireSwaps(Experiment experiment, String option) {
        if (experiment.kind() != Experiment.Kind.SWAPS) {
            throw new RefusedException("--" + option + ": experiment '" + experiment.id() + "' swaps nothing; it is an option of "
                    + String.join(", ", Experiment.ALL.stream().filter(e -> e.kind() == Experiment.Kind.SWAPS).map(Experiment::id).toList()));
        }
    }

    private static void requireSwappable(List<Design> designs) {
        for (Design d : designs) {
            if (d.mmu().isEmpty()) {
                throw new RefusedException("design '" + d.name() + "' has no MMU that could be swapped");
            }
            if (d.hostPageLevel() != designs.get(0).hostPageLevel()) {
                throw new RefusedException("designs '" + designs.get(0).name() + "' and '" + d.name()
                        + "' differ in the pages of the host, which a swap does not change");
            }
        }
        if (designs.size() < 2) {
            throw new RefusedException("a swap needs two designs, for example --design shadow,ept; only '" + designs.get(0).name()
                    + "' is given");
        }
    }

    /**
     * The processor model that {@code nameOrFile} stands for.
     *
     * @throws RefusedException if there is none
     */
    public Hardware hardware(String nameOrFile) {
        CostProfiles profiles = profiles();
        if (isFile(nameOrFile)) {
            Path file = Path.of(nameOrFile);
            if (!Files.isReadable(file) || Files.isDirectory(file)) {
                throw new RefusedException("hardware file '" + nameOrFile + "' is not there or not readable; name a bundled model ("
                        + String.join(", ", profiles.all().stream().map(CostProfile::name).toList()) + ") or a JSON file");
            }
            try {
                return new Hardware(profiles.read(file), nameOrFile);
            } catch (IllegalArgumentException e) {
                throw new RefusedException(e.getMessage(), e);
            }
        }
        List<CostProfile> all = profiles.all();
        return all.stream().filter(p -> p.name().equals(nameOrFile)).findFirst().map(p -> new Hardware(p, "bundled"))
                .orElseThrow(() -> new RefusedException(Suggestions.unknown("hardware", nameOrFile,
                        all.stream().map(CostProfile::name).toList())));
    }

    /**
     * The same with {@code figures} changed.
     *
     * @throws RefusedException if there is no such model, or no such figure, or none that can have such a value
     */
    public Hardware hardware(String nameOrFile, Map<String, Long> figures) {
        Hardware hardware = hardware(nameOrFile);
        if (figures.isEmpty()) {
            return hardware;
        }
        try {
            return new Hardware(profiles().with(hardware.profile(), figures), hardware.source());
        } catch (IllegalArgumentException e) {
            throw new RefusedException("--figure: " + e.getMessage(), e);
        }
    }

    /**
     * Refuses a functional TLB where {@code asker} shows what translation does, or costs.
     *
     * @throws RefusedException if {@code hardware} has one
     */
    public static void requireModelledTlbs(String asker, CostProfile hardware) {
        if (!hardware.modelsTlbs()) {
            throw new RefusedException("tlb.model is 0: " + asker + " shows what TLBs and walks do or cost, which a functional TLB does not measure");
        }
    }

    private CostProfiles profiles() {
        return services.costProfiles().orElseThrow(
                () -> new RefusedException("no processor model is known: no bundle offers any; install the hardware bundle"));
    }

    private static boolean isFile(String hardware) {
        return hardware.endsWith(".json") || hardware.contains("/");
    }

    private List<SelectedWorkload> workloads(Experiment experiment, RunRequest request) {
        List<Named<Workload>> known = services.workloads();
        boolean ownTraces = !request.traces().isEmpty();
        Collection<String> names = !request.workloads().isEmpty() ? request.workloads()
                : ownTraces ? List.of() : experiment.workloads();
        List<SelectedWorkload> selected = new ArrayList<>();
        Set<String> taken = new LinkedHashSet<>();
        for (String pattern : new LinkedHashSet<>(names)) {
            if (pattern.startsWith(BootWorkload.PREFIX)) {
                selected.add(new SelectedWorkload(pattern, boot(pattern.substring(BootWorkload.PREFIX.length()), request)));
                continue;
            }
            // an experiment takes what there is of a kind; what a person names must be there
            if (!request.workloads().isEmpty() || !pattern.endsWith("*") || known.stream().anyMatch(n -> matches(pattern, n.name()))) {
                taken.addAll(matching(pattern, known));
            }
        }
        for (String name : taken) {
            selected.add(new SelectedWorkload(name, unique("workload", known.stream().filter(n -> n.name().equals(name)).toList())));
        }
        for (Path trace : request.traces()) {
            Path file = trace.getFileName();
            String name = file == null || taken.contains(file.toString()) ? trace.toString() : file.toString();
            if (!taken.add(name)) {
                throw new RefusedException("trace '" + trace + "' is given twice");
            }
            selected.add(new SelectedWorkload(name, open(trace)));
        }
        return selected;
    }

    private static Workload boot(String file, RunRequest request) {
        if (request.given().contains("paging")) {
            throw new RefusedException("--paging: a kernel chooses its paging mode itself");
        }
        try {
            return BootWorkload.of(Path.of(file), request.kernels().append(), request.kernels().modules(), request.kernels().engine());
        } catch (IOException e) {
            throw new RefusedException(FileErrors.describe(e), e);
        } catch (IllegalArgumentException e) {
            throw new RefusedException(e.getMessage(), e);
        }
    }

    private static void requireKernel(List<SelectedWorkload> workloads, RunRequest request) {
        for (String option : List.of("append", "module", "engine")) {
            if (request.given().contains(option) && workloads.stream().noneMatch(w -> w.workload() instanceof BootWorkload)) {
                throw new RefusedException("--" + option + ": it is for kernels, and none of the workloads is one: --workload boot:FILE");
            }
        }
    }

    private static List<String> matching(String pattern, List<Named<Workload>> known) {
        List<String> names = known.stream().map(Named::name).distinct().toList();
        List<String> matching = names.stream().filter(n -> matches(pattern, n)).toList();
        if (matching.isEmpty()) {
            throw new RefusedException(Suggestions.unknown("workload", pattern, names));
        }
        return matching;
    }

    /** A pattern is a name, or with {@code *} at its end all names that begin so. */
    private static boolean matches(String pattern, String name) {
        return pattern.endsWith("*") ? name.startsWith(pattern.substring(0, pattern.length() - 1)) : name.equals(pattern);
    }

    private Workload open(Path trace) {
        try {
            return traceWorkload.apply(trace);
        } catch (UncheckedIOException e) {
            throw new RefusedException(e.getCause().getMessage(), e);
        } catch (IllegalArgumentException e) {
            throw new RefusedException(e.getMessage(), e);
        }
    }

    /** The only one of {@code same}; a result must never depend on which of two namesakes ranks higher. */
    static <T> T unique(String kind, List<Named<T>> same) {
        if (same.size() > 1) {
            throw new RefusedException(kind + " '" + same.get(0).name() + "' is offered by " + same.size() + " bundles ("
                    + String.join(", ", same.stream().map(Named::bundle).toList()) + "); stop all but one of them");
        }
        return same.get(0).service();
    }
}
