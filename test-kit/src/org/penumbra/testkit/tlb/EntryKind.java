package org.penumbra.testkit.tlb;

import org.penumbra.testkit.reference.EntryBits;
import org.penumbra.testkit.reference.TableFormat;

/** What the entries of a watched table are. */
enum EntryKind {
    /** 32-bit paging. */
    HALF(4, EntryBits.P, EntryBits.A | EntryBits.D),
    /** The other paging modes. */
    WORD(8, EntryBits.P, EntryBits.A | EntryBits.D),
    /** A guest hypervisor's EPT: present if R, W or X is 1; flags in bits 8 and 9 (SDM vol. 3, "EPT Translation Mechanism"). */
    EPT(8, 7, 3 << 8),
    /** Its nested tables: page tables, but what is cached of them goes otherwise (APM vol. 2, "Nested Paging"). */
    NPT(8, EntryBits.P, EntryBits.A | EntryBits.D);

    final int bytes;
    /** An entry is present if one of these bits is 1. */
    final long present;
    /** What processors set: accessed and dirty. */
    final long flags;

    EntryKind(int bytes, long present, long flags) {
        this.bytes = bytes;
        this.present = present;
        this.flags = flags;
    }

    /** True of what translates guest-physical addresses. */
    boolean isSecondStage() {
        return this == EPT || this == NPT;
    }

    static EntryKind of(TableFormat format) {
        return format.entryBytes() == 4 ? HALF : WORD;
    }
}
