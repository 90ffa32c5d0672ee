package org.penumbra.testkit.contract;

import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;
import org.penumbra.api.clock.CostProfile;
import org.penumbra.api.clock.CostProfiles;
import org.penumbra.api.cpu.EngineFactory;
import org.penumbra.api.machine.GuestBoot;
import org.penumbra.api.machine.Machine;
import org.penumbra.api.machine.MachineConfig;
import org.penumbra.api.mmu.MmuFactory;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.verify.Nesting;

/** The design under test, and what machines for it are made of. Immutable; any thread. */
public final class Subject {
    /** Numbers the designs that subjects install, since two of one name would be told apart by rank. */
    private final AtomicLong number = new AtomicLong();
    private final String name;
    private final MmuFactory design;
    private final Map<String, String> settings;
    private final Laboratory laboratory;
    private final List<CostProfile> hardware;
    private final Nesting nesting;

    /**
     * Guests run on the machine itself.
     *
     * @param name what reports call the design
     * @param settings settings of the design that differ from their defaults
     * @param hardware processor models, the preferred first; a paging mode uses the first that has it
     */
    public Subject(String name, MmuFactory design, Map<String, String> settings, Laboratory laboratory, List<CostProfile> hardware) {
        this(name, design, settings, laboratory, hardware, Nesting.NONE);
    }

    private Subject(String name, MmuFactory design, Map<String, String> settings, Laboratory laboratory, List<CostProfile> hardware,
            Nesting nesting) {
        this.nesting = nesting;
        this.name = name;
        this.design = design;
        this.settings = Map.copyOf(settings);
        this.laboratory = laboratory;
        this.hardware = List.copyOf(hardware);
    }

    /** Processor models of {@code profiles} on which every paging mode can be tried: the one that most people have first. */
    public static List<CostProfile> models(CostProfiles profiles) {
        return Stream.of("skylake", "icelake-server")
                .flatMap(name -> profiles.all().stream().filter(p -> p.name().equals(name))).toList();
    }

    public String name() {
        return name;
    }

    public MmuFactory design() {
        return design;
    }

    /** Settings of the design that differ from their defaults. */
    public Map<String, String> settings() {
        return settings;
    }

    /** The same design with {@code key} set to {@code value}. */
    public Subject with(String key, String value) {
        Map<String, String> more = new HashMap<>(settings);
        more.put(key, value);
        return new Subject(name, design, more, laboratory, hardware, nesting);
    }

    /** The same design without its own audit, which a stranger's design may lack: then nothing is found by what it says of itself. */
    public Subject unaudited() {
        return new Subject(name, new Unaudited(design), settings, laboratory, hardware, nesting);
    }

    /** The same design below the guest hypervisor {@code under}. */
    public Subject nested(Nesting under) {
        return new Subject(name, design, settings, laboratory, hardware, under);
    }

    /** Under which guest hypervisor guests run. */
    public Nesting nesting() {
        return nesting;
    }

    /**
     * The paging modes that some processor model has and to which the design does not object. Below a guest hypervisor by VMX without EPT its guest
     * has to have paging, since it is no unrestricted guest (SDM vol. 3, "Checks on Guest Control Registers, Debug Registers, and MSRs"); under SVM
     * it need not, but then there is nothing that its hypervisor could do to its tables.
     */
    public List<PagingMode> modes() {
        return Arrays.stream(PagingMode.values())
                .filter(m -> m != PagingMode.NONE || nesting == Nesting.NONE || nesting.hasTables())
                .filter(m -> hardware.stream().anyMatch(p -> has(p, m)) && design.objection(GuestLayout.state(m)).isEmpty()).toList();
    }

    /** A processor model that has {@code mode}. */
    public CostProfile hardware(PagingMode mode) {
        return hardware.stream().filter(p -> has(p, mode)).findFirst()
                .orElseThrow(() -> new IllegalArgumentException("no processor model has " + mode.label() + " paging"));
    }

    private static boolean has(CostProfile profile, PagingMode mode) {
        return mode != PagingMode.FIVE_LEVEL || profile.figure("cpu.linear-address-bits") >= mode.linearBits();
    }

    /** A machine with {@code guest} in it under the design as it is. */
    public Bench bench(Setup setup, GuestBoot guest) {
        return bench(setup, guest, design);
    }

    /** The same under {@code instead}, which may be the design with something around it. */
    public Bench bench(Setup setup, GuestBoot guest, MmuFactory instead) {
        String installed = name + "." + Integer.toHexString(System.identityHashCode(this)) + "." + number.incrementAndGet();
        Laboratory.Installed there = laboratory.install(installed, instead);
        try {
            MachineConfig config = new MachineConfig(setup.memoryBytes(), setup.hostPageLevel(), hardware(setup.mode()), installed, settings,
                    setup.check(), setup.vcpus(), setup.threads(), setup.engine(), MachineConfig.WATCHDOG_MILLIS);
            return new Bench(laboratory.create(config, guest), installed, settings, there);
        } catch (RuntimeException e) {
            there.close();
            throw e;
        }
    }

    /**
     * A machine's configuration, beside the design.
     *
     * @param engine the execution engine by {@link EngineFactory#ENGINE_NAME}
     */
    public record Setup(PagingMode mode, long memoryBytes, int hostPageLevel, int vcpus, boolean threads, boolean check, String engine) {}

    /**
     * A machine under the design. Closing it closes the machine and takes the design away.
     *
     * @param design the name under which the machine knows the design, for a swap to it
     */
    public record Bench(Machine machine, String design, Map<String, String> settings, Laboratory.Installed installed) implements AutoCloseable {
        @Override
        public void close() {
            try {
                machine.close();
            } finally {
                installed.close();
            }
        }
    }
}
