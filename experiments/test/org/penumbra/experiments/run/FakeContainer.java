package org.penumbra.experiments.run;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.osgi.framework.Constants;
import org.penumbra.api.clock.CostProfile;
import org.penumbra.api.clock.CostProfiles;
import org.penumbra.api.clock.Work;
import org.penumbra.api.cpu.VirtualizationExtension;
import org.penumbra.api.experiment.Workload;
import org.penumbra.api.machine.GuestBoot;
import org.penumbra.api.machine.MachineConfig;
import org.penumbra.api.machine.MachineFactory;
import org.penumbra.api.mmu.Mmu;
import org.penumbra.api.mmu.MmuFactory;
import org.penumbra.api.mmu.MmuHost;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.api.verify.DesignCheck;
import org.penumbra.api.verify.Verification;

/**
 * A container with two processor models, the MMUs "shadow" and "ept", the workloads "fork-heavy", "trace:a" and "trace:b" and
 * machines of both kinds, without a framework. A test changes how a design behaves through {@link #behaviour}.
 */
public final class FakeContainer {
    private static final long BUNDLE_ID = 7;
    private static final long SERVICE_ID = 1;
    /** Of every service of this container. */
    static final Map<String, Object> REGISTERED = Map.of(Constants.SERVICE_ID, SERVICE_ID);

    public final ServiceRegistry registry = new ServiceRegistry(() -> List.of(
            new ServiceRegistry.InstalledBundle(1, new ServiceRegistry.BundleVersion("org.penumbra.experiments", "0.1.0")),
            new ServiceRegistry.InstalledBundle(BUNDLE_ID, new ServiceRegistry.BundleVersion("org.penumbra.fake", "1.2.3"))));
    /** The configurations of the machines that were made, in order. */
    public final List<MachineConfig> made = new ArrayList<>();
    /** Their guests. */
    public final List<GuestBoot> guests = new ArrayList<>();
    /** Machines that were made and not closed. */
    public int open;

    private final Map<String, FakeMachine.Behaviour> behaviours = new HashMap<>();

    public FakeContainer() {
        mmu("shadow", new MmuFactory.Setting("shadow.unsync", "on", List.of("on", "off"), "unsync leaf tables"),
                new MmuFactory.Setting("shadow.roots", "3", List.of(), "previous roots"));
        mmu("ept", new MmuFactory.Setting("ept.large-pages", "on", List.of("on", "off"), "2 MiB leaves"));
        workload("fork-heavy");
        workload("trace:a");
        workload("trace:b");
        for (String kind : List.of(MachineFactory.BARE, MachineFactory.VMX)) {
            registry.bindMachineFactory(this::create, properties(MachineFactory.MACHINE_KIND, kind));
        }
        registry.bindCostProfiles(new Profiles(), properties("other", "x"));
    }

    /** What machines do that run {@code mmu}; "" for those without a hypervisor. */
    public FakeMachine.Behaviour behaviour(String mmu) {
        return behaviours.computeIfAbsent(mmu, m -> new FakeMachine.Behaviour());
    }

    /** Installs an MMU. */
    public MmuFactory mmu(String name, MmuFactory.Setting... settings) {
        MmuFactory factory = new MmuFactory() {
            @Override
            public String description() {
                return name + " paging";
            }

            @Override
            public List<Setting> settings() {
                return List.of(settings);
            }

            @Override
            public boolean nests() {
                return name.equals("ept") || name.equals("npt");
            }

            @Override
            public VirtualizationExtension extension() {
                return name.equals("npt") ? VirtualizationExtension.SVM : VirtualizationExtension.VMX;
            }

            @Override
            public Mmu create(MmuHost host) {
                throw new UnsupportedOperationException();
            }
        };
        registry.bindMmu(factory, properties(MmuFactory.MMU_NAME, name));
        return factory;
    }

    /** Installs a workload. */
    public Workload workload(String name) {
        Workload workload = new FakeWorkload(name);
        registry.bindWorkload(workload, properties(Workload.WORKLOAD_NAME, name));
        return workload;
    }

    /** Installs a check of designs. */
    public void check(String name, DesignCheck check) {
        registry.bindCheck(check, properties(DesignCheck.CHECK_NAME, name));
    }

    /** Installs a verification. */
    public void verification(String name, Verification verification) {
        registry.bindVerification(verification, properties(Verification.VERIFICATION_NAME, name));
    }

    private FakeMachine create(MachineConfig config, GuestBoot guest) {
        made.add(config);
        guests.add(guest);
        open++;
        return new FakeMachine(config, guest, behaviour(config.mmu()), () -> open--);
    }

    private static Map<String, Object> properties(String key, Object value) {
        return Map.of(key, value, Constants.SERVICE_BUNDLEID, BUNDLE_ID, Constants.SERVICE_ID, SERVICE_ID);
    }

    /** A workload whose guest the fake machine recognises by seed and name; one by the name "nested-ept" or "nested-npt" needs nested paging. */
    public record FakeWorkload(String name) implements Workload {
        @Override
        public String description() {
            return "what " + name + " does";
        }

        @Override
        public GuestBoot prepare(long seed, PagingMode mode) {
            return new FakeMachine.Guest(name, seed, mode);
        }

        @Override
        public boolean needsNestedPaging() {
            return name.startsWith("nested-");
        }

        @Override
        public Optional<VirtualizationExtension> needsExtension() {
            return Optional.of(name).filter(n -> n.startsWith("nested-"))
                    .map(n -> n.equals("nested-npt") ? VirtualizationExtension.SVM : VirtualizationExtension.VMX);
        }

        @Override
        public String inputIdentity() {
            return "generator:" + name;
        }

        @Override
        public long expectedOperations() {
            return 2_500_000;
        }
    }

    private static final class Profiles implements CostProfiles {
        @Override
        public List<CostProfile> all() {
            return List.of(new Profile("haswell"), new Profile("skylake"));
        }

        @Override
        public CostProfile read(Path file) {
            if (file.toString().contains("bad")) {
                throw new IllegalArgumentException(file + ": no figure 'cpu.exit'; add it");
            }
            return new Profile("mine", Map.of("cpu.linear-address-bits", 57L));
        }

        @Override
        public CostProfile with(CostProfile base, Map<String, Long> values) {
            Set<String> known = base.figures().stream().map(CostProfile.Figure::key).collect(Collectors.toSet());
            for (String key : values.keySet()) {
                if (!known.contains(key) && !key.equals("tlb.model")) {
                    throw new IllegalArgumentException("unknown figure \"" + key + "\"");
                }
            }
            return new Profile(base.name(), values);
        }
    }

    /** Prices: 1 cycle for everything, 1000 for an exit, unless {@code set} says otherwise. */
    public record Profile(String name, Map<String, Long> set) implements CostProfile {
        Profile(String name) {
            this(name, Map.of());
        }

        @Override
        public String description() {
            return "the processor called " + name;
        }

        @Override
        public Vendor vendor() {
            return Vendor.INTEL;
        }

        @Override
        public int year() {
            return 2015;
        }

        @Override
        public List<Figure> figures() {
            return Arrays.stream(Work.values()).map(w -> new Figure(w.key(), figure(w.key()), "cycles",
                    set.containsKey(w.key()) ? CostProfiles.SET_BY_USER : "a manual")).toList();
        }

        @Override
        public long figure(String key) {
            return set.getOrDefault(key, key.equals(Work.EXIT.key()) ? 1000L : 1L);
        }
    }
}
