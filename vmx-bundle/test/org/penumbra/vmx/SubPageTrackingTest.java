package org.penumbra.vmx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.penumbra.api.cpu.GuestOperation.Kind.LOAD;
import static org.penumbra.api.cpu.GuestOperation.Kind.STORE;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.penumbra.api.machine.MachineConfig;
import org.penumbra.api.memory.WriteTracking;
import org.penumbra.api.vmx.ExitReason;
import org.penumbra.ept.EptMmuFactory;
import org.penumbra.ept.NptMmuFactory;
import org.penumbra.shadow.ShadowMmuFactory;

/** What a user of a machine sees who tracks some bytes of a page, under each design, and what it costs the guest beside them. */
class SubPageTrackingTest {
    private static final long MIB = 1 << 20;
    private static final long BYTES = 32 * MIB;
    private static final long PAGE = 5 * MIB;
    private static final Map<String, String> ON = Map.of("ept.sub-page-writes", "on");

    private final ScriptedEngine guest = new ScriptedEngine();
    private final List<String> seen = new ArrayList<>();
    private Rig rig;
    private VirtualMachine machine;

    private void start(String design, int pageLevel, Map<String, String> settings) {
        rig = new Rig(BYTES, pageLevel);
        rig.design("shadow", new ShadowMmuFactory());
        rig.design("ept", new EptMmuFactory());
        rig.design("npt", new NptMmuFactory());
        rig.image = loader -> MappedGuest.image(loader, 0, 0);
        machine = rig.machine(new MachineConfig(BYTES, pageLevel, Rig.SKYLAKE, design, settings, false), state -> guest);
    }

    private void store(long gpa, int width) {
        guest.then(STORE, gpa, width, 0x0102_0304_0506_0708L);
        machine.run(1);
    }

    private WriteTracking.Request track(long gpa, int bytes) {
        return machine.writeTracking().trackBytes(gpa, bytes, (at, written) -> seen.add(String.format("%x+%d", at - PAGE, written)));
    }

    private long exits(ExitReason reason) {
        return machine.exits().rows().stream().filter(r -> r.reason() == reason).mapToLong(r -> r.samples()).sum();
    }

    private long exits() {
        return machine.counters().get("exits");
    }

    private void audit() {
        machine.hotSwap().audit(problem -> assertThat(problem).isNull());
    }

    @ParameterizedTest(name = "E14 {0} on host pages of level {1}, sub-page writes {2}: the listener hears of each write that touches the bytes, and of no other")
    @CsvSource({"shadow,1,off", "ept,1,off", "ept,2,off", "npt,1,off", "ept,1,on", "ept,2,on"})
    void exactlyTheTrackedBytes(String design, int pageLevel, String subPages) {
        start(design, pageLevel, design.equals("ept") ? Map.of("ept.sub-page-writes", subPages) : Map.of());
        store(PAGE, 8);
        WriteTracking.Request request = track(PAGE + 0x210, 16);
        for (long at : new long[] {0, 0x1f8, 0x200, 0x208, 0x210, 0x218, 0x220, 0x27c, 0x280, 0xff8}) {
            store(PAGE + at, 8);
        }
        store(PAGE + 0x20c, 8);
        assertThat(seen).containsExactly("210+8", "218+8", "210+4");
        audit();
        request.close();
        store(PAGE + 0x210, 8);
        assertThat(seen).hasSize(3);
    }

    @Test
    @DisplayName("E14 beside the tracked sub-page the guest writes without exits, after one violation and one SPPT miss for the page")
    void withoutExits() {
        start("ept", 1, ON);
        store(PAGE, 8);
        track(PAGE + 0x200, 128);
        long violations = exits(ExitReason.EPT_VIOLATION);
        store(PAGE, 8);
        assertThat(exits(ExitReason.EPT_VIOLATION)).isEqualTo(violations + 1);
        assertThat(exits(ExitReason.SPP_EVENT)).isEqualTo(1);
        long before = exits();
        for (int at = 0; at < 4096; at += 8) {
            if (at >>> 7 != 4) {
                store(PAGE + at, 8);
            }
        }
        assertThat(exits()).isEqualTo(before);
        for (int at = 0x200; at < 0x280; at += 8) {
            store(PAGE + at, 8);
        }
        assertThat(exits()).as("an exit for each tracked write").isEqualTo(before + 16);
        assertThat(seen).hasSize(16);
        audit();
    }

    @Test
    @DisplayName("E14 without sub-page writes each write to the page exits, wherever it is")
    void byPages() {
        start("ept", 1, Map.of());
        track(PAGE + 0x200, 128);
        store(PAGE, 8);
        long before = exits();
        for (int at = 0; at < 4096; at += 8) {
            store(PAGE + at, 8);
        }
        assertThat(exits()).isEqualTo(before + 512);
        assertThat(seen).hasSize(16);
    }

    @Test
    @DisplayName("E14 a write over the end of a sub-page into a tracked one is seen whole, and made once")
    void overTheEdge() {
        start("ept", 1, ON);
        track(PAGE + 0x200, 128);
        store(PAGE, 8);
        store(PAGE + 0x1fc, 8);
        assertThat(seen).containsExactly("200+4");
        guest.then(LOAD, PAGE + 0x1fc, 8, 0);
        machine.run(1);
        assertThat(guest.loaded).containsExactly(0x0102_0304_0506_0708L);
    }

    @Test
    @DisplayName("E14 a request for another sub-page of the page takes what was permitted away, and its end gives it back")
    void twoRequests() {
        start("ept", 1, ON);
        track(PAGE + 0x200, 8);
        store(PAGE + 0x800, 8);
        WriteTracking.Request second = track(PAGE + 0x800, 8);
        store(PAGE + 0x800, 8);
        assertThat(seen).containsExactly("800+8");
        audit();
        second.close();
        store(PAGE + 0x800, 8);
        long before = exits();
        store(PAGE + 0x800, 8);
        assertThat(exits()).isEqualTo(before);
        store(PAGE + 0x200, 8);
        assertThat(seen).containsExactly("800+8", "200+8");
    }

    @ParameterizedTest(name = "E14 E06 a write to a permitted sub-page is in the dirty log, by {0}")
    @ValueSource(strings = {"flags", "pml", "protection"})
    void dirtyLog(String means) {
        start("ept", 1, Map.of("ept.sub-page-writes", "on", "ept.dirty-log", means));
        track(PAGE + 0x200, 8);
        store(PAGE, 8);
        machine.dirtyLog().start();
        for (int round = 0; round < 3; round++) {
            store(PAGE + 128 * round, 8);
            List<Long> log = new ArrayList<>();
            machine.dirtyLog().harvest(log::add);
            assertThat(log).as("round %d", round).contains(PAGE >>> 12);
            log.clear();
            machine.dirtyLog().harvest(log::add);
            assertThat(log).doesNotContain(PAGE >>> 12);
        }
        audit();
    }

    @Test
    @DisplayName("E14 the host swaps the page out: its sub-pages are permitted anew afterwards")
    void hostEvent() {
        start("ept", 1, ON);
        track(PAGE + 0x200, 8);
        store(PAGE, 8);
        machine.hostPages().swapOut(PAGE >>> 12);
        store(PAGE + 8, 8);
        long before = exits();
        store(PAGE + 16, 8);
        assertThat(exits()).isEqualTo(before);
        store(PAGE + 0x200, 8);
        assertThat(seen).containsExactly("200+8");
        audit();
    }

    @Test
    @DisplayName("E14 what is tracked outlives a swap of the design")
    void swap() {
        start("shadow", 1, Map.of());
        track(PAGE + 0x200, 8);
        store(PAGE, 8);
        machine.hotSwap().swap("ept", ON);
        store(PAGE, 8);
        store(PAGE + 0x200, 8);
        assertThat(exits(ExitReason.SPP_EVENT)).isEqualTo(1);
        assertThat(seen).containsExactly("200+8");
        audit();
    }

    @Test
    @DisplayName("E14 bytes of two frames, or none, cannot be tracked at once")
    void withinAFrame() {
        start("ept", 1, ON);
        assertThatThrownBy(() -> track(PAGE + 0xff8, 16)).isInstanceOf(IllegalArgumentException.class).hasMessageContaining("within a frame");
        assertThatThrownBy(() -> track(PAGE, 0)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    @DisplayName("E14 P01 a sub-page permission table that the processor refuses takes the design out, and the guest goes on under the one before with the bytes tracked")
    void misconfigured() {
        start("shadow", 1, Map.of());
        machine.hotSwap().swap("ept", ON);
        track(PAGE + 0x200, 8);
        store(PAGE, 8);
        long top = machine.vcpus[0].vmcs().spptp;
        rig.memory.physical().store64(top, rig.memory.physical().load64(top) | 1 << 5);
        track(PAGE + 0x1000, 8);
        store(PAGE + 8, 8);
        assertThat(machine.hotSwap().misconduct()).singleElement().asString().contains("sub-page permission");
        assertThat(machine.hotSwap().design()).isEqualTo("shadow");
        store(PAGE + 0x200, 8);
        machine.run(10);
        assertThat(seen).containsExactly("200+8");
    }
}
