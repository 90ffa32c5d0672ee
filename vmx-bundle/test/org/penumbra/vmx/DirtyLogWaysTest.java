package org.penumbra.vmx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.penumbra.api.cpu.GuestOperation.Kind.STORE;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.penumbra.api.machine.MachineConfig;
import org.penumbra.api.mmu.MmuFactory;
import org.penumbra.ept.EptMmuFactory;
import org.penumbra.ept.NptMmuFactory;
import org.penumbra.hardware.profile.JsonCostProfiles;
import org.penumbra.shadow.ShadowMmuFactory;
import org.penumbra.testkit.contract.ContractKit;
import org.penumbra.testkit.contract.Property;
import org.penumbra.testkit.contract.PropertyResult;
import org.penumbra.testkit.contract.Subject;

/** The ways in which two-dimensional designs notice writes for the dirty log, eager and lazy about large pages. */
class DirtyLogWaysTest {
    private static final long MIB = 1 << 20;
    private static final long BYTES = 32 * MIB;
    private static final int PAGES = 1024;

    private final ScriptedEngine guest = new ScriptedEngine();
    private VirtualMachine machine;
    private Set<Long> written;

    private void start(String design, String way, String eager) {
        Rig rig = new Rig(BYTES, 2);
        rig.design("ept", new EptMmuFactory());
        rig.design("npt", new NptMmuFactory());
        rig.design("shadow", new ShadowMmuFactory());
        rig.image = loader -> MappedGuest.image(loader, 0, 0);
        Map<String, String> settings = new HashMap<>();
        if (way != null) {
            settings.put(design + ".dirty-log", way);
            settings.put(design + ".eager-page-split", eager);
        }
        machine = rig.machine(new MachineConfig(BYTES, 2, Rig.SKYLAKE, design, settings, false), state -> guest);
        written = new TreeSet<>();
    }

    private void store(long gva) {
        guest.then(STORE, gva, 8, 1);
        machine.run(1);
        written.add(gva >>> 12);
    }

    private long count(String counter) {
        return machine.counters().get(counter);
    }

    private long exits(String reason) {
        return machine.exits().rows().stream().filter(r -> r.reason().name().equals(reason)).mapToLong(r -> r.samples()).sum();
    }

    /**
     * Every page of 4 MiB is written once before the log begins and once after. Where each write faults the log of the processor never fills:
     * every exit empties it.
     */
    @ParameterizedTest(name = "E06 {0}, {1}, eager {2}: splits at the start {3}, write faults {4}, log-full exits {5}")
    @CsvSource({
        "ept, protection, on, 2, 1024, 0", "ept, protection, off, 0, 1024, 0",
        "ept, flags, on, 2, 0, 0", "ept, flags, off, 0, 1024, 0",
        "ept, pml, on, 2, 0, 2", "ept, pml, off, 0, 1024, 0",
        "npt, protection, on, 2, 1024, 0", "npt, flags, on, 2, 0, 0", "npt, flags, off, 0, 1024, 0"})
    void faults(String design, String way, String eager, int splits, int faults, int full) {
        start(design, way, eager);
        for (int i = 0; i < PAGES; i++) {
            store(4 * MIB + i * 4096L);
        }
        long large = count("pages_2m");
        machine.dirtyLog().start();
        // Of the large pages that hold the guest's tables and code there may be others.
        long atStart = count("ept_splits");
        long before = count("pf_fixed");
        written.clear();
        for (int i = 0; i < PAGES; i++) {
            store(4 * MIB + i * 4096L);
        }
        long tables = count("pf_fixed") - before - faults;
        assertThat(tables).as("violations that are not of the pages written").isBetween(0L, 4L);
        assertThat(atStart).isBetween((long) splits, splits == 0 ? 0 : splits + 2L);
        assertThat(exits("PML_FULL")).isEqualTo(full);
        Set<Long> harvested = new TreeSet<>();
        machine.dirtyLog().harvest(harvested::add);
        assertThat(harvested).containsAll(written);
        assertThat(harvested.size()).isLessThan(PAGES + 16);
        machine.dirtyLog().harvest(gfn -> assertThat(written).doesNotContain(gfn));
        machine.dirtyLog().stop();
        store(4 * MIB);
        store(6 * MIB);
        assertThat(count("pages_2m")).as("large pages form again").isEqualTo(large);
        machine.hotSwap().audit(problem -> assertThat(problem).isNull());
    }

    @ParameterizedTest(name = "E06 {0}, {1}, eager {2}: whatever a random guest writes, each harvest has it")
    @CsvSource({"ept, pml, on", "ept, pml, off", "ept, flags, off", "ept, protection, on", "ept, protection, off", "npt, protection, on", "npt, flags, off"})
    void complete(String design, String way, String eager) {
        MmuFactory factory = design.equals("ept") ? new EptMmuFactory() : new NptMmuFactory();
        Subject subject = new Subject(design, factory, Map.of(design + ".dirty-log", way, design + ".eager-page-split", eager),
                new RigLaboratory(), Subject.models(new JsonCostProfiles()));
        for (Property p : new ContractKit().properties()) {
            if (p.name().equals("dirty-log") || p.name().equals("everything")) {
                PropertyResult result = ContractKit.run(p, subject, 1, 4, () -> { }, () -> false);
                assertThat(result.reason()).as("%s, seed %d, %s", p.name(), result.seed(), result.configuration()).isEmpty();
            }
        }
    }

    /** The soft limit leaves room for what a log of the processor holds and one exit may add: 576 entries of 1024. */
    @ParameterizedTest(name = "E06 ring, {0}, {1}: {2} times full, in order, and what was reset is told again when it is written again")
    @CsvSource({"ept, protection, 2", "npt, protection, 2", "ept, pml, 2", "shadow, , 2"})
    void ring(String design, String way, int full) {
        start(design, way, "on");
        for (int i = 0; i < PAGES; i++) {
            store(4 * MIB + i * 4096L);
        }
        List<Long> told = new ArrayList<>();
        int[] times = {0};
        machine.dirtyLog().startRings(1024, vcpu -> {
            assertThat(vcpu).isZero();
            times[0]++;
            machine.dirtyLog().harvestRings((v, gfn) -> told.add(gfn));
            assertThat(machine.dirtyLog().resetRings()).isPositive();
        });
        List<Long> expected = new ArrayList<>();
        for (int i = PAGES - 1; i >= 0; i--) {
            store(4 * MIB + i * 4096L);
            expected.add((4 * MIB >>> 12) + i);
        }
        machine.dirtyLog().harvestRings((vcpu, gfn) -> told.add(gfn));
        assertThat(times[0]).isEqualTo(full);
        told.removeIf(gfn -> gfn < 4 * MIB >>> 12);
        // The write that filled the ring faults again after the reset, and is told again.
        assertThat(told.size()).isBetween(PAGES, PAGES + full);
        assertThat(new ArrayList<>(new LinkedHashSet<>(told)).equals(expected)).as("in the order in which they were written").isTrue();
        assertThat(log()).as("the vCPU's writes are in no bitmap").isEmpty();
        told.clear();
        machine.dirtyLog().harvestRings((vcpu, gfn) -> told.add(gfn));
        assertThat(told).as("told once").isEmpty();
        store(4 * MIB);
        machine.dirtyLog().harvestRings((vcpu, gfn) -> told.add(gfn));
        assertThat(told).as("not reset since").isEmpty();
        machine.dirtyLog().resetRings();
        store(4 * MIB);
        machine.dirtyLog().harvestRings((vcpu, gfn) -> told.add(gfn));
        assertThat(told).contains(4 * MIB >>> 12);
    }

    private List<Long> log() {
        List<Long> gfns = new ArrayList<>();
        machine.dirtyLog().get(gfns::add);
        return gfns;
    }

    @Test
    @DisplayName("E06 a ring of another size is refused")
    void ringSize() {
        start("ept", "pml", "on");
        assertThatThrownBy(() -> machine.dirtyLog().startRings(1000, vcpu -> { })).hasMessageContaining("a power of two from 1024 to 65536");
        machine.dirtyLog().start();
    }

    @Test
    @DisplayName("E06 the page-modification log needs dirty flags")
    void flagsNeeded() {
        Rig rig = new Rig(BYTES, 2);
        rig.design("ept", new EptMmuFactory());
        assertThatThrownBy(() -> rig.machine("ept", Map.of("ept.dirty-log", "pml", "ept.accessed-dirty", "off"), guest))
                .hasMessageContaining("ept.dirty-log: pml needs dirty flags");
    }
}
