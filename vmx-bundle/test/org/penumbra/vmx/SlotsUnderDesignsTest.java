package org.penumbra.vmx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.penumbra.api.cpu.GuestOperation.Kind.LOAD;
import static org.penumbra.api.cpu.GuestOperation.Kind.STORE;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.interrupt.ErrnoException;
import org.penumbra.api.machine.MachineConfig;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.memory.GuestMemory;
import org.penumbra.api.memory.MemorySlot;
import org.penumbra.ept.EptMmuFactory;
import org.penumbra.ept.NptMmuFactory;
import org.penumbra.shadow.ShadowMmuFactory;

/** Slots and host events as a guest meets them under each design, through real structures and a real processor. */
class SlotsUnderDesignsTest {
    private static final long MIB = 1 << 20;
    private static final long BYTES = 32 * MIB;

    private final ScriptedEngine guest = new ScriptedEngine();
    private Rig rig;
    private VirtualMachine machine;

    private void start(String design, int pageLevel, Map<String, String> settings) {
        rig = new Rig(BYTES, pageLevel);
        rig.design("shadow", new ShadowMmuFactory());
        rig.design("ept", new EptMmuFactory());
        rig.design("npt", new NptMmuFactory());
        rig.image = loader -> {
            MappedGuest.image(loader, 0, 0);
            MappedGuest.image(loader, 16 * MIB, 2 * MIB);
            for (long mib = 1; mib < 16; mib++) {
                loader.store64(mib * MIB, 1000 + mib);
            }
        };
        machine = rig.machine(new MachineConfig(BYTES, pageLevel, Rig.SKYLAKE, design, settings, false), state -> guest);
    }

    /** Runs one more operation of the guest. */
    private void step() {
        machine.run(1);
    }

    private long load(long gva) {
        guest.then(LOAD, gva, 8, 0);
        step();
        return guest.loaded.get(guest.loaded.size() - 1);
    }

    private void store(long gva, long value) {
        guest.then(STORE, gva, 8, value);
        step();
    }

    private void audit() {
        List<String> found = new ArrayList<>();
        machine.hotSwap().audit(found::add);
        assertThat(found).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"shadow", "ept", "npt"})
    @DisplayName("H01 a read-only slot reads as memory; a write to it is one to a device, and without one the guest stops with the address")
    void readOnly(String design) {
        start(design, 1, Map.of());
        machine.memorySlots().set(0, 0, 0, 0, 0);
        machine.memorySlots().set(0, 0, 0, 4 * MIB, 0);
        machine.memorySlots().set(1, MemorySlot.READONLY, 4 * MIB, MIB, 4 * MIB);
        assertThat(load(4 * MIB)).isEqualTo(1004);
        rig.devices = true;
        store(4 * MIB, 77);
        assertThat(rig.signalled).containsExactly("MMIO 400000 8 4d");
        assertThat(load(4 * MIB)).as("nothing was stored").isEqualTo(1004);
        audit();
        rig.devices = false;
        assertThatThrownBy(() -> store(4 * MIB + 8, 78)).isInstanceOf(MachineException.class)
                .hasMessageContaining("0x400008").hasMessageContaining("read-only memory and no device");
    }

    @ParameterizedTest
    @CsvSource({"shadow,1", "ept,1", "npt,1", "shadow,2", "ept,2", "npt,2"})
    @DisplayName("H01 two slots show the same pages: what is written through one is read through the other, and host events reach both")
    void alias(String design, int pageLevel) {
        start(design, pageLevel, Map.of());
        machine.memorySlots().set(3, 0, 64 * MIB, 2 * MIB, 4 * MIB);
        store(64 * MIB, 5);
        assertThat(load(4 * MIB)).isEqualTo(5);
        assertThat(machine.hostPages().migrate(4 * MIB >>> 12)).isTrue();
        audit();
        assertThat(load(64 * MIB)).isEqualTo(5);
        assertThat(machine.hostPages().swapOut(64 * MIB >>> 12)).isTrue();
        store(4 * MIB, 6);
        assertThat(load(64 * MIB)).isEqualTo(6);
        audit();
    }

    @ParameterizedTest
    @ValueSource(strings = {"shadow", "ept", "npt"})
    @DisplayName("H01 a slot that moves takes its pages along; where it was there is no memory any more")
    void move(String design) {
        start(design, 1, Map.of());
        machine.memorySlots().set(3, 0, 64 * MIB, MIB, 4 * MIB);
        assertThat(load(64 * MIB)).isEqualTo(1004);
        long before = machine.memorySlots().generation();
        assertThatThrownBy(() -> machine.memorySlots().set(3, 0, 16 * MIB, MIB, 4 * MIB)).isInstanceOf(ErrnoException.class)
                .hasMessageContaining("EEXIST").hasMessageContaining("slot 0");
        assertThat(machine.memorySlots().generation()).as("refused, nothing changed").isEqualTo(before);
        machine.memorySlots().set(3, 0, 80 * MIB, MIB, 4 * MIB);
        assertThat(machine.memorySlots().generation()).as("out, and in again").isEqualTo(before + 2);
        assertThat(load(80 * MIB)).isEqualTo(1004);
        audit();
        assertThatThrownBy(() -> load(64 * MIB)).hasMessageContaining("0x4000000").hasMessageContaining("neither memory nor a device");
    }

    @ParameterizedTest
    @ValueSource(strings = {"shadow", "ept", "npt"})
    @DisplayName("H01 other pages behind the guest's own tables are other tables, at once")
    void tables(String design) {
        start(design, 1, Map.of());
        assertThat(load(5 * MIB)).isEqualTo(1005);
        machine.memorySlots().set(0, 0, 0, 0, 0);
        machine.memorySlots().set(0, 0, 0, MIB, 16 * MIB);
        machine.memorySlots().set(1, 0, MIB, BYTES - MIB, MIB);
        assertThat(load(5 * MIB)).as("by tables that map 2 MiB further on").isEqualTo(1007);
        audit();
    }

    @ParameterizedTest
    @ValueSource(strings = {"shadow", "ept", "npt"})
    @DisplayName("H01 while a slot goes its design sees the generation say so; afterwards it is over")
    void generation(String design) {
        start(design, 1, Map.of());
        List<Long> seen = new ArrayList<>();
        ScriptedMmu spy = new ScriptedMmu() {
            @Override
            public void slotsChanged(long gfn, long frames, CycleClock clock) {
                seen.add(host().guestMemory(clock).generation());
                assertThat(host().guestMemory(clock).pfn(gfn, false)).as("the slot is out").isEqualTo(GuestMemory.NO_SLOT);
            }
        };
        rig.design("spy", spy);
        machine.hotSwap().swap("spy", Map.of());
        long before = machine.memorySlots().generation();
        machine.memorySlots().set(0, 0, 0, 0, 0);
        assertThat(seen).containsExactly(before | GuestMemory.UPDATING);
        assertThat(machine.memorySlots().generation()).isEqualTo(before + 2);
    }

    private List<Long> harvest(int slot) {
        List<Long> dirty = new ArrayList<>();
        machine.memorySlots().harvest(slot, dirty::add);
        return dirty;
    }

    @ParameterizedTest
    @CsvSource({"shadow,", "ept,on", "ept,off", "npt,"})
    @DisplayName("H01 what was written to a logged slot stays in the log when the log of another slot begins, or that of everything")
    void secondLog(String design, String flags) {
        start(design, 1, flags == null ? Map.of() : Map.of("ept.accessed-dirty", flags));
        machine.memorySlots().set(0, 0, 0, 0, 0);
        machine.memorySlots().set(0, MemorySlot.LOG_DIRTY_PAGES, 0, 16 * MIB, 0);
        machine.memorySlots().set(1, 0, 16 * MIB, 16 * MIB, 16 * MIB);
        store(17 * MIB, 1);
        store(5 * MIB, 1);
        machine.memorySlots().set(1, MemorySlot.LOG_DIRTY_PAGES, 16 * MIB, 16 * MIB, 16 * MIB);
        assertThat(harvest(0)).contains(5 * MIB >>> 12);
        assertThat(harvest(1)).as("written before its log began").isEmpty();
        store(6 * MIB, 1);
        store(18 * MIB, 1);
        machine.dirtyLog().start();
        assertThat(harvest(0)).contains(6 * MIB >>> 12).doesNotContain(5 * MIB >>> 12);
        assertThat(harvest(1)).containsExactly(18 * MIB >>> 12);
    }

    @ParameterizedTest
    @CsvSource({"shadow,", "ept,on", "ept,off", "npt,"})
    @DisplayName("H03 a page is young once the guest has used it, until it was asked about, and again with the next use")
    void young(String design, String flags) {
        start(design, 1, flags == null ? Map.of() : Map.of("ept.accessed-dirty", flags));
        long gfn = 5 * MIB >>> 12;
        assertThat(machine.hostPages().testYoung(gfn)).isFalse();
        load(5 * MIB);
        assertThat(machine.hostPages().testYoung(gfn)).isTrue();
        assertThat(machine.hostPages().young(gfn)).isTrue();
        assertThat(machine.hostPages().testYoung(gfn)).isFalse();
        assertThat(machine.hostPages().young(gfn)).isFalse();
        assertThat(load(5 * MIB)).isEqualTo(1005);
        assertThat(machine.hostPages().young(gfn)).as("used again, although it was in the TLB").isTrue();
        assertThat(machine.hostPages().young(gfn + 1)).as("never used").isFalse();
        audit();
    }

    @ParameterizedTest
    @ValueSource(strings = {"shadow", "ept", "npt"})
    @DisplayName("H03 collapsed memory is mapped by one large entry, keeps its contents, and by 4 KiB again when it is split")
    void collapse(String design) {
        start(design, 1, Map.of());
        store(6 * MIB + 0x1000, 11);
        store(7 * MIB + 0x3000, 12);
        machine.hostPages().swapOut(7 * MIB + 0x3000 >>> 12);
        assertThat(machine.hostPages().collapse(6 * MIB >>> 12)).isTrue();
        assertThat(machine.hostPages().collapse(6 * MIB >>> 12)).as("again").isFalse();
        assertThat(load(6 * MIB + 0x1000)).isEqualTo(11);
        assertThat(load(7 * MIB + 0x3000)).isEqualTo(12);
        audit();
        if (!design.equals("shadow")) {
            assertThat(machine.counters()).containsEntry("pages_2m", 1L);
        }
        audit();
        assertThat(machine.hostPages().split(6 * MIB >>> 12)).isTrue();
        assertThat(machine.hostPages().split(6 * MIB >>> 12)).as("again").isFalse();
        assertThat(load(6 * MIB + 0x1000)).isEqualTo(11);
        if (!design.equals("shadow")) {
            assertThat(machine.counters()).containsEntry("pages_2m", 0L);
        }
        audit();
    }
}
