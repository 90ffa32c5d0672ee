package org.penumbra.vmx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.penumbra.api.cpu.GuestOperation.Kind.STORE;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.penumbra.api.machine.MachineConfig;
import org.penumbra.api.machine.MachineException;
import org.penumbra.ept.EptMmuFactory;
import org.penumbra.ept.NptMmuFactory;
import org.penumbra.shadow.ShadowMmuFactory;

/** The dirty log read and cleared by hand, as a live migration does it, under each design. */
class DirtyLogUnderDesignsTest {
    private static final long MIB = 1 << 20;
    private static final long BYTES = 32 * MIB;

    private final ScriptedEngine guest = new ScriptedEngine();
    private VirtualMachine machine;

    private void start(String design, int pageLevel, String flags) {
        Rig rig = new Rig(BYTES, pageLevel);
        rig.design("shadow", new ShadowMmuFactory());
        rig.design("ept", new EptMmuFactory());
        rig.design("npt", new NptMmuFactory());
        rig.image = loader -> MappedGuest.image(loader, 0, 0);
        Map<String, String> settings = flags == null ? Map.of() : Map.of("ept.accessed-dirty", flags);
        machine = rig.machine(new MachineConfig(BYTES, pageLevel, Rig.SKYLAKE, design, settings, false), state -> guest);
    }

    private void store(long gva) {
        guest.then(STORE, gva, 8, 1);
        machine.run(1);
    }

    private long faults() {
        return machine.counters().get("pf_taken");
    }

    private List<Long> log() {
        List<Long> gfns = new ArrayList<>();
        machine.dirtyLog().get(gfns::add);
        return gfns;
    }

    @ParameterizedTest(name = "{0}, host pages level {1}, flags {2}")
    @CsvSource({"shadow,1,", "ept,1,on", "ept,1,off", "npt,1,", "shadow,2,", "ept,2,on", "ept,2,off", "npt,2,"})
    @DisplayName("S14 E06 reading the log leaves it as it is; clearing takes what the mask names, and the next write to that is logged anew")
    void getAndClear(String design, int pageLevel, String flags) {
        start(design, pageLevel, flags);
        machine.dirtyLog().start();
        store(5 * MIB);
        store(5 * MIB + 0x1000);
        store(5 * MIB + 0x41000);
        long first = 5 * MIB >>> 12;
        assertThat(log()).contains(first, first + 1, first + 0x41);
        assertThat(log()).contains(first, first + 1, first + 0x41);
        machine.dirtyLog().clear(first, new long[] {1 << 1 | 1 << 7, 1 << 1});
        assertThat(log()).contains(first).doesNotContain(first + 1, first + 7, first + 0x41);
        store(5 * MIB + 0x41000);
        store(5 * MIB + 0x7000);
        assertThat(log()).contains(first, first + 7, first + 0x41).doesNotContain(first + 1);
        machine.hotSwap().audit(problem -> assertThat(problem).isNull());
    }

    @ParameterizedTest(name = "{0}, host pages level {1}, flags {2}")
    @CsvSource({"shadow,1,", "ept,1,on", "ept,1,off", "npt,1,", "shadow,2,", "ept,2,on", "ept,2,off", "npt,2,"})
    @DisplayName("S14 E06 initially all set: every frame is in the log, nothing faults for it until cleared, then exactly what was cleared does")
    void initiallyAllSet(String design, int pageLevel, String flags) {
        start(design, pageLevel, flags);
        store(5 * MIB);
        store(7 * MIB);
        machine.dirtyLog().startAllSet();
        assertThat(log()).hasSize((int) (BYTES >>> 12)).startsWith(0L).endsWith((BYTES >>> 12) - 1);
        long before = faults();
        store(5 * MIB);
        store(7 * MIB);
        assertThat(faults()).as("nothing was protected").isEqualTo(before);
        long first = 5 * MIB >>> 12;
        machine.dirtyLog().clear(first, new long[] {1});
        store(7 * MIB);
        assertThat(log()).doesNotContain(first).contains(first + 1, 7 * MIB >>> 12);
        store(5 * MIB);
        assertThat(log()).contains(first);
        machine.hotSwap().audit(problem -> assertThat(problem).isNull());
    }

    @ParameterizedTest(name = "{0}")
    @CsvSource({"shadow,ept", "ept,npt", "npt,shadow"})
    @DisplayName("S14 P01 what is set stays set over a swap, and what was cleared is noticed by the design that comes")
    void overSwap(String design, String next) {
        start(design, 2, null);
        machine.dirtyLog().startAllSet();
        long first = 5 * MIB >>> 12;
        machine.dirtyLog().clear(first, new long[] {-1});
        store(5 * MIB + 0x2000);
        machine.hotSwap().swap(next, Map.of());
        store(5 * MIB + 0x3000);
        assertThat(log()).contains(first + 2, first + 3, first + 64).doesNotContain(first, first + 1, first + 4);
    }

    @ParameterizedTest(name = "{0}")
    @CsvSource({"shadow", "ept", "npt"})
    @DisplayName("S14 a log that is off can be neither read nor cleared")
    void off(String design) {
        start(design, 1, null);
        assertThatThrownBy(this::log).isInstanceOf(MachineException.class).hasMessageContaining("the dirty log is off");
        assertThatThrownBy(() -> machine.dirtyLog().clear(0, new long[] {1})).isInstanceOf(MachineException.class);
    }
}
