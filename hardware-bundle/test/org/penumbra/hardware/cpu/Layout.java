package org.penumbra.hardware.cpu;

import java.util.function.LongSupplier;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.api.paging.PagingState;

/**
 * Paging structures of each mode, written by hand: SDM vol. 3, "32-Bit Paging", "PAE Paging" and "4-Level Paging and 5-Level Paging".
 * Nested page tables are made of them, too. Level 3 of PAE is the table that CR3 names: four entries with nothing but P.
 */
enum Layout {
    BITS_32(0x8001_0001L, 0, 0, 4, 12, 22),
    PAE(0x8001_0001L, 0x20, 0x800, 8, 12, 21, 30),
    FOUR_LEVEL(0x8001_0001L, 0x20, 0xd00, 8, 12, 21, 30, 39),
    FIVE_LEVEL(0x8001_0001L, 0x1020, 0xd00, 8, 12, 21, 30, 39, 48);

    final long cr0;
    final long cr4;
    final long efer;
    final int bytes;
    private final int[] shift;

    Layout(long cr0, long cr4, long efer, int bytes, int... shift) {
        this.cr0 = cr0;
        this.cr4 = cr4;
        this.efer = efer;
        this.bytes = bytes;
        this.shift = shift;
    }

    /** CR0 with PE, WP and PG; CR4 and EFER with what selects the mode, and NXE where there is XD. */
    PagingState state(long root) {
        return new PagingState(cr0, root, cr4, efer, 0, 0);
    }

    int levels() {
        return shift.length;
    }

    /** log2 of what an entry of {@code level} maps. */
    int shift(int level) {
        return shift[level - 1];
    }

    /** Levels at which an entry may map a page. */
    int largest() {
        return this == FOUR_LEVEL || this == FIVE_LEVEL ? 3 : 2;
    }

    /** An address whose bits select other than the first entry at every level. */
    long address() {
        switch (this) {
            case FIVE_LEVEL:
                return 0x0055_4025_8060_3000L;
            case FOUR_LEVEL:
                return 0x4025_8060_3000L;
            default:
                return 0x8060_3000L;
        }
    }

    /** Where the entry of {@code level} for {@code address} is, tables on the way made with P, R/W and U/S. */
    long slot(PhysicalMemory memory, LongSupplier frames, long root, long address, int level) {
        long table = root;
        for (int l = levels(); ; l--) {
            int entries = this == PAE && l == 3 ? 4 : 4096 / bytes;
            long slot = table + (address >>> shift(l) & entries - 1) * bytes;
            if (l == level) {
                return slot;
            }
            if (memory.load(slot, bytes) == 0) {
                memory.store(slot, bytes, frames.getAsLong() | (this == PAE && l == 3 ? 1 : 7));
            }
            table = memory.load(slot, bytes) & 0x000f_ffff_ffff_f000L;
        }
    }
}
