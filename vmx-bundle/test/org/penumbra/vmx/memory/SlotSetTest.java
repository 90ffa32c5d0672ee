package org.penumbra.vmx.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Label;
import net.jqwik.api.Property;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.interrupt.ErrnoException;
import org.penumbra.api.machine.MemorySlots;
import org.penumbra.api.memory.MemorySlot;

/** Linux, Documentation/virt/kvm/api.rst, "KVM_SET_USER_MEMORY_REGION", and the checks of __kvm_set_memory_region. */
class SlotSetTest {
    private static final long LAST = (1L << 34) - 1;
    private final SlotSet slots = new SlotSet(new MemorySlot(0, 0, 16, 0), new MemorySlot(1, 32, 16, 0x4000, MemorySlot.READONLY));

    private void refused(int errno, String why, int id, int flags, long gpa, long bytes, long hva) {
        assertThatThrownBy(() -> slots.with(id, flags, gpa, bytes, hva, LAST))
                .isInstanceOfSatisfying(ErrnoException.class, e -> assertThat(e.errno()).isEqualTo(errno))
                .hasMessageContaining(why);
    }

    @Test
    @DisplayName("H01 what KVM_SET_USER_MEMORY_REGION refuses is refused with its number")
    void errors() {
        int einval = ErrnoException.EINVAL;
        refused(einval, "flags", 2, 1 << 2, 0x10_0000, 4096, 0);
        refused(einval, "size", 2, 0, 0x10_0000, 4097, 0);
        refused(einval, "gpa", 2, 0, 0x10_0800, 4096, 0);
        refused(einval, "hva", 2, 0, 0x10_0000, 4096, 0x800);
        refused(einval, "hva", 2, 0, 0x10_0000, 8192, (1L << 47) - 4096);
        refused(einval, "numbers", MemorySlots.MOST, 0, 0x10_0000, 4096, 0);
        refused(einval, "numbers", -1, 0, 0x10_0000, 4096, 0);
        refused(einval, "at most", 2, 0, 0x10_0000, MemorySlots.MOST_FRAMES + 1 << 12, 0);
        refused(einval, "last frame", 2, 0, LAST << 12, 8192, 0);
        refused(einval, "no such slot", 2, 0, 0, 0, 0);
        refused(einval, "keeps its size", 0, 0, 0, 17 << 12, 0);
        refused(einval, "keeps its size", 0, 0, 0, 16 << 12, 0x1000);
        refused(einval, "read-only", 0, MemorySlot.READONLY, 0, 16 << 12, 0);
        refused(einval, "read-only", 1, 0, 32 << 12, 16 << 12, 0x4000);
        refused(ErrnoException.EEXIST, "slot 0", 2, 0, 15 << 12, 4096, 0x10_0000);
        refused(ErrnoException.EEXIST, "slot 1", 2, 0, 20 << 12, 13 << 12, 0x10_0000);
        refused(ErrnoException.EEXIST, "slot 1", 0, 0, 31 << 12, 16 << 12, 0);
    }

    @Test
    @DisplayName("H01 slots are created between others, moved over their own old place, changed and deleted")
    void changes() {
        SlotSet more = slots.with(2, MemorySlot.LOG_DIRTY_PAGES, 16 << 12, 16 << 12, 0, LAST);
        assertThat(more.find(16).id()).isEqualTo(2);
        assertThat(more.logs(31)).isTrue();
        assertThat(more.logs(32)).isFalse();
        assertThat(more.find(48)).isNull();
        assertThat(more.endGfn()).isEqualTo(48);
        SlotSet moved = slots.with(0, 0, 8 << 12, 16 << 12, 0, LAST);
        assertThat(moved.find(7)).isNull();
        assertThat(moved.find(23).hvaOf(23)).isEqualTo(15 << 12);
        assertThat(slots.with(0, 0, 0, 16 << 12, 0, LAST)).as("nothing to change").isSameAs(slots);
        assertThat(slots.with(0, MemorySlot.LOG_DIRTY_PAGES, 0, 16 << 12, 0, LAST).logs(3)).isTrue();
        assertThat(slots.with(0, 0, 0, 0, 0, LAST).all()).extracting(MemorySlot::id).containsExactly(1);
    }

    @Test
    @DisplayName("H01 a range of pages is shown by every slot that has a part of it")
    void aliases() {
        List<String> parts = new ArrayList<>();
        slots.showing(0x3000, 0x2000, (gfn, frames) -> parts.add(gfn + "+" + frames));
        assertThat(parts).containsExactly("3+2", "32+1");
        assertThat(slots.gfnOf(0x13_000)).isEqualTo(47);
        assertThat(slots.gfnOf(0x14_000)).isEqualTo(-1);
    }

    @Property(tries = 40)
    @Label("H01 after any sequence of changes each address has the slot that a list of all says, and no two overlap")
    void model(@ForAll long seed) {
        Random random = new Random(seed);
        SlotSet now = new SlotSet();
        List<MemorySlot> model = new ArrayList<>();
        for (int i = 0; i < 60; i++) {
            int id = random.nextInt(6);
            long gfn = random.nextInt(64);
            long frames = random.nextInt(12);
            long hva = (long) random.nextInt(4) << 12;
            MemorySlot old = model.stream().filter(s -> s.id() == id).findFirst().orElse(null);
            boolean overlaps = frames > 0 && model.stream().anyMatch(s -> s.id() != id && gfn < s.endGfn() && s.baseGfn() < gfn + frames);
            boolean other = old != null && frames > 0 && (old.frames() != frames || old.hva() != hva);
            if (overlaps || other || frames == 0 && old == null) {
                SlotSet same = now;
                assertThatThrownBy(() -> same.with(id, 0, gfn << 12, frames << 12, hva, LAST)).isInstanceOf(ErrnoException.class);
                continue;
            }
            now = now.with(id, 0, gfn << 12, frames << 12, hva, LAST);
            model.remove(old);
            if (frames > 0) {
                model.add(new MemorySlot(id, gfn, frames, hva));
            }
            for (long g = 0; g < 80; g++) {
                long at = g;
                assertThat(now.find(g)).isEqualTo(model.stream().filter(s -> s.contains(at)).findFirst().orElse(null));
            }
        }
    }
}
