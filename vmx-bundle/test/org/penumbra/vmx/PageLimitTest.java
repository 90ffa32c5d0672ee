package org.penumbra.vmx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.penumbra.api.cpu.GuestOperation.Kind.LOAD;
import static org.penumbra.api.cpu.GuestOperation.Kind.STORE;

import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.penumbra.api.machine.MachineConfig;
import org.penumbra.ept.EptMmuFactory;
import org.penumbra.ept.NptMmuFactory;

/** A guest that uses more tables of the second dimension than a page limit leaves it. */
class PageLimitTest {
    private static final long MIB = 1 << 20;
    private static final long BYTES = 512 * MIB;

    @ParameterizedTest(name = "E09 {0}, dirty log by {1}: with 64 tables a guest finds in 250 times 2 MiB what it wrote there, and all of it is in the dirty log")
    @CsvSource({"ept,flags", "ept,pml", "ept,protection", "npt,flags"})
    void everythingComesBack(String design, String log) {
        Rig rig = new Rig(BYTES, 1);
        rig.design("ept", new EptMmuFactory());
        rig.design("npt", new NptMmuFactory());
        rig.image = loader -> MappedGuest.image(loader, 0, 0);
        ScriptedEngine guest = new ScriptedEngine();
        Map<String, String> settings = Map.of(design + ".page-limit", "64", design + ".dirty-log", log);
        VirtualMachine machine = rig.machine(new MachineConfig(BYTES, 1, Rig.SKYLAKE, design, settings, false), state -> guest);
        machine.dirtyLog().start();
        Set<Long> written = new HashSet<>();
        for (int i = 1; i <= 250; i++) {
            guest.then(STORE, 2 * MIB * i + 0x5000, 8, i);
            written.add(2 * MIB * i + 0x5000 >>> 12);
        }
        for (int i = 1; i <= 250; i++) {
            guest.then(LOAD, 2 * MIB * i + 0x5000, 8, 0);
        }
        machine.run(500);
        for (int i = 1; i <= 250; i++) {
            assertThat(guest.loaded.get(i - 1)).isEqualTo(i);
        }
        assertThat(machine.counters().get("mmu_recycled")).isGreaterThan(100);
        assertThat(machine.mmuFrames()).isLessThanOrEqualTo(65);
        Set<Long> told = new HashSet<>();
        machine.dirtyLog().harvest(told::add);
        assertThat(told).containsAll(written);
        machine.hotSwap().audit(problem -> assertThat(problem).isNull());
    }
}
