package org.penumbra.experiments.run;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Requests for tests: the defaults of the command line, changed one by one. */
public final class Requests {
    private String experiment = "shadow-vs-ept";
    private List<String> workloads = List.of();
    private final List<Path> traces = new ArrayList<>();
    private KernelRequest kernels = KernelRequest.NONE;
    private List<String> designs = List.of();
    private String hardware = "skylake";
    private long memory = 256L << 20;
    private String paging = "4level";
    private int repetitions = 1;
    private final Map<String, Long> figures = new HashMap<>();
    private Map<String, String> settings = Map.of();
    private boolean check;
    private List<Integer> vcpus = List.of();
    private long every = SwapRequest.DEFAULT.every();
    private long after;
    private boolean hostEvents;
    private final Set<String> given = new HashSet<>();

    public Requests experiment(String id) {
        experiment = id;
        return this;
    }

    public Requests workloads(String... names) {
        workloads = List.of(names);
        given.add("workload");
        return this;
    }

    public Requests trace(String file) {
        traces.add(Path.of(file));
        given.add("trace");
        return this;
    }

    public Requests append(String text) {
        kernels = new KernelRequest(text, List.of(), kernels.engine());
        given.add("append");
        return this;
    }

    public Requests engine(String name) {
        kernels = new KernelRequest(kernels.append(), kernels.modules(), name);
        given.add("engine");
        return this;
    }

    public Requests designs(String... names) {
        designs = List.of(names);
        given.add("design");
        return this;
    }

    public Requests hardware(String name) {
        hardware = name;
        given.add("hardware");
        return this;
    }

    public Requests figure(String key, long value) {
        figures.put(key, value);
        given.add("figure");
        return this;
    }

    public Requests memory(long bytes) {
        memory = bytes;
        given.add("memory");
        return this;
    }

    public Requests paging(String mode) {
        paging = mode;
        given.add("paging");
        return this;
    }

    public Requests repetitions(int n) {
        repetitions = n;
        given.add("repetitions");
        return this;
    }

    public Requests set(String key, String value) {
        settings = Map.of(key, value);
        given.add("set");
        return this;
    }

    public Requests check() {
        check = true;
        given.add("check");
        return this;
    }

    public Requests unchecked() {
        check = false;
        given.add("check");
        return this;
    }

    public Requests vcpus(Integer... numbers) {
        vcpus = List.of(numbers);
        given.add("vcpus");
        return this;
    }

    public Requests every(long operations) {
        every = operations;
        given.add("every");
        return this;
    }

    public Requests after(long operations) {
        after = operations;
        given.add("after");
        return this;
    }

    public Requests hostEvents() {
        hostEvents = true;
        given.add("host-events");
        return this;
    }

    public RunRequest request() {
        return new RunRequest(experiment, workloads, traces, kernels, designs, hardware, figures, memory, paging, 1, repetitions, settings, check,
                vcpus, new SwapRequest(every, after, hostEvents), given);
    }

    /** The plan for this request in {@code container}; a trace is a fake workload of its path. */
    public Plan plan(FakeContainer container) {
        return new Planner(container.registry, file -> new FakeContainer.FakeWorkload(file.toString())).plan(request());
    }

    /** The result of this request in {@code container}. */
    public CampaignResult run(FakeContainer container) {
        return new Campaign(container.registry, plan(container)).run(new CampaignListener() {}, () -> false);
    }
}
