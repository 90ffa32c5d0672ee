package org.penumbra.hardware.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.penumbra.api.cpu.Processor;

/** A two-dimensional walk that was made before is made again, as memory is then: nothing is cached, whatever the walker keeps. */
class RepeatedWalkTest {
    private static final long GVA = 0x40_0060_3000L;
    private static final long GPA = 0x5000;
    private static final long EPT_FLAGS = 0x40;
    private static final long EPT_W = 2;
    private static final long EPT_A = 0x100;
    private static final long EPT_D = 0x200;

    private final Rig rig = new Rig(TestProfile.bare());
    private final long root = rig.longMode();
    private long top;

    /** The guest's tables have their flags; EPT has those that its pointer says it has. */
    private void guest(long eptpFlags) {
        rig.map(root, GVA, GPA, Rig.P | Rig.W | Rig.U);
        for (int level = 1; level <= 4; level++) {
            set(rig.slot(root, GVA, level), Rig.A | Rig.D);
        }
        top = rig.ept(eptpFlags);
        rig.eptIdentity(top, 16 << 20, 1);
        walk(GPA);
        walk(GPA);
    }

    private void set(long slot, long bits) {
        rig.memory.store64(slot, rig.memory.load64(slot) | bits);
    }

    /** One walk of 24 references, from which nothing but {@code expected} comes. */
    private void walk(long expected) {
        rig.enter();
        long guest = rig.cpu.statistics().guestReferences();
        long host = rig.cpu.statistics().hostReferences();
        assertThat(rig.use(GVA + 8, Rig.UR)).isEqualTo(expected < 0 ? expected : expected + 8);
        if (expected >= 0) {
            assertThat(rig.cpu.statistics().guestReferences() - guest).isEqualTo(4);
            assertThat(rig.cpu.statistics().hostReferences() - host).isEqualTo(20);
        }
        if (expected != Processor.EXIT) {
            rig.cpu.vmcall();
        }
    }

    /** Where the 20 entries of EPT are that the walk reads. */
    private List<Long> hostSlots() {
        List<Long> slots = new ArrayList<>();
        for (int table = 0; table <= 4; table++) {
            long gpa = table == 0 ? GPA : rig.slot(root, GVA, table);
            for (int level = 1; level <= 4; level++) {
                slots.add(rig.eptSlot(top, gpa, level));
            }
        }
        return slots;
    }

    @ParameterizedTest(name = "T12 a walk of 24 references sees each of them taken away and given back, accessed and dirty flags of EPT: {0}")
    @ValueSource(longs = {0, EPT_FLAGS})
    void everyEntry(long eptpFlags) {
        guest(eptpFlags);
        for (int level = 1; level <= 4; level++) {
            takeAway(rig.slot(root, GVA, level), Processor.FAULT);
        }
        for (long slot : hostSlots()) {
            takeAway(slot, Processor.EXIT);
        }
    }

    private void takeAway(long slot, long outcome) {
        long entry = rig.memory.load64(slot);
        rig.memory.store64(slot, 0);
        walk(outcome);
        rig.memory.store64(slot, entry);
        walk(GPA);
        walk(GPA);
    }

    @Test
    @DisplayName("T12 a guest table that EPT maps elsewhere is read there")
    void tableMoved() {
        guest(0);
        for (int level = 1; level <= 4; level++) {
            long slot = rig.slot(root, GVA, level);
            long copy = rig.frame();
            for (int i = 0; i < 4096; i += 8) {
                rig.memory.store64(copy + i, rig.memory.load64((slot & Rig.ADDRESS) + i));
            }
            rig.eptMap(top, slot & Rig.ADDRESS, copy, Rig.EPT_RWX | Rig.EPT_WB);
            walk(GPA);
            rig.memory.store64(copy + (slot & 0xfff), 0);
            walk(Processor.FAULT);
            rig.eptMap(top, slot & Rig.ADDRESS, slot & Rig.ADDRESS, Rig.EPT_RWX | Rig.EPT_WB);
            walk(GPA);
        }
    }

    @Test
    @DisplayName("T13 with the flags of EPT switched on for the same tables, a guest table without W refuses the walk, and entries get their flags")
    void flagsSwitchedOn() {
        guest(0);
        long table = rig.slot(root, GVA, 2) & Rig.ADDRESS;
        rig.eptMap(top, table, table, (Rig.EPT_RWX | Rig.EPT_WB) & ~EPT_W);
        walk(GPA);
        walk(GPA);
        rig.vmcs.eptp |= EPT_FLAGS;
        walk(Processor.EXIT);
        rig.eptMap(top, table, table, Rig.EPT_RWX | Rig.EPT_WB);
        rig.enter();
        assertThat(rig.use(GVA + 8, Rig.UR)).isEqualTo(GPA + 8);
        for (long slot : hostSlots()) {
            assertThat(rig.memory.load64(slot) & EPT_A).as("accessed at 0x%x", slot).isEqualTo(EPT_A);
        }
        // An access to a guest table counts as a write (SDM vol. 3, "Accessed and Dirty Flags for EPT"); that to the page was a read.
        assertThat(rig.memory.load64(rig.eptSlot(top, table, 1)) & EPT_D).isEqualTo(EPT_D);
        assertThat(rig.memory.load64(rig.eptSlot(top, GPA, 1)) & EPT_D).isZero();
    }

    @ParameterizedTest(name = "T07 a page that is mapped anew at the end of a repeated walk gets its accessed and dirty flags, those of EPT: {0}")
    @ValueSource(longs = {0, EPT_FLAGS})
    void newLeaf(long eptpFlags) {
        guest(eptpFlags);
        long slot = rig.slot(root, GVA, 1);
        for (long frame = 0x6000; frame < 0x9000; frame += 0x1000) {
            rig.memory.store64(slot, frame | Rig.P | Rig.W | Rig.U);
            walk(frame);
            assertThat(rig.memory.load64(slot)).isEqualTo(frame | Rig.P | Rig.W | Rig.U | Rig.A);
            rig.enter();
            assertThat(rig.use(GVA, Rig.UW)).isEqualTo(frame);
            assertThat(rig.memory.load64(slot)).isEqualTo(frame | Rig.P | Rig.W | Rig.U | Rig.A | Rig.D);
            rig.cpu.vmcall();
        }
        // A guest table that EPT does not let be written: the flag stays clear, and the violation says so.
        long table = slot & Rig.ADDRESS;
        rig.eptMap(top, table, table, (Rig.EPT_RWX | Rig.EPT_WB) & ~EPT_W);
        rig.memory.store64(slot, 0x9000 | Rig.P | Rig.W | Rig.U);
        walk(Processor.EXIT);
        assertThat(rig.memory.load64(slot)).isEqualTo(0x9000 | Rig.P | Rig.W | Rig.U);
    }

    @Test
    @DisplayName("T06 a right that an upper entry does not give is missing in each repeated walk, and there again when the entry gives it")
    void upperRights() {
        rig.map(root, GVA, GPA, Rig.P | Rig.W | Rig.U | Rig.A | Rig.D);
        for (int level = 2; level <= 4; level++) {
            long slot = rig.slot(root, GVA, level);
            set(slot, Rig.A);
            long entry = rig.memory.load64(slot);
            rig.memory.store64(slot, entry & ~(Rig.U | Rig.W));
            for (int i = 0; i < 3; i++) {
                again(Rig.SR);
                rig.cpu.invlpg(GVA);
                rig.expectFault(GVA, Rig.UR, 5);
                rig.expectFault(GVA, Rig.UW, 7);
            }
            rig.memory.store64(slot, entry);
            again(Rig.UR);
            again(Rig.UW);
        }
    }

    private void again(int access) {
        rig.cpu.invlpg(GVA);
        assertThat(rig.use(GVA, access)).isEqualTo(GPA);
    }

    @Test
    @DisplayName("T12 a walk reads each entry once: one that another processor takes away meanwhile leads where it led, or nowhere")
    void entryTakenAwayMeanwhile() throws InterruptedException {
        rig.map(root, GVA, GPA, Rig.P | Rig.W | Rig.U | Rig.A | Rig.D);
        for (int level = 2; level <= 4; level++) {
            set(rig.slot(root, GVA, level), Rig.A);
        }
        // Where an entry of 0 would lead, if its presence were taken from an earlier look.
        rig.memory.store64(rig.slot(root, GVA, 1) & 0xfff, 0x7000 | Rig.P | Rig.W | Rig.U | Rig.A | Rig.D);
        long slot = rig.slot(root, GVA, 2);
        long entry = rig.memory.load64(slot);
        AtomicBoolean over = new AtomicBoolean();
        Thread other = new Thread(() -> {
            while (!over.get()) {
                rig.memory.store64(slot, 0);
                rig.memory.store64(slot, entry);
            }
        });
        other.start();
        try {
            for (int i = 0; i < 2_000_000; i++) {
                long hpa = rig.use(GVA + 8, Rig.UR);
                assertThat(hpa == GPA + 8 || hpa == Processor.FAULT).as("walk %d: 0x%x", i, hpa).isTrue();
                rig.cpu.invlpg(GVA);
            }
        } finally {
            over.set(true);
            other.join();
        }
    }
}
