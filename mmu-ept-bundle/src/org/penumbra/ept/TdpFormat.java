package org.penumbra.ept;

import org.penumbra.api.mmu.MmuHost;
import org.penumbra.api.paging.EptFeatures;
import org.penumbra.api.paging.EptViolation;
import org.penumbra.api.paging.NestedPageFault;
import org.penumbra.api.paging.TranslationRoot;
import org.penumbra.kit.MmioSptes;
import org.penumbra.kit.shadow.ShadowOptions;
import org.penumbra.kit.shadow.ShadowPaging;
import org.penumbra.kit.shadow.TableProtection;

/**
 * The formats of the second dimension's entries: EPT (SDM vol. 3, "The Extended Page Table Mechanism (EPT)") and nested page tables in
 * long mode (APM vol. 2, "Nested Page Tables"), where every access counts as a user's. What they share is above the line.
 *
 * <pre>
 *  bit  1      W  writable
 *  bit  7      maps a page, in levels 2 and 3
 *  bits 51:12  frame of the next table or page
 *  ─────────────────────────────────────────────────────────────────────────────────────────────
 *  EPT                                                NPT
 *  bits 0, 2   R, X; all 0 with W: not present        bit 0   P    present
 *  bits 5:3    memory type of a leaf; 6: write-back   bit 2   U/S  user
 *  bit  8      A  accessed, with flags enabled        bit 5   A    accessed
 *  bit  9      D  dirty, in a leaf                    bit 6   D    dirty, in a leaf
 *  bit  2      X                                      bit 63  XD   execute-disable
 *  bits 2:0 = 6: a device, a misconfiguration         bit 51 with P: a device, reserved (see MmioSptes)
 *  bit  61     sub-page permissions of a 4 KiB leaf
 *
 *  EPT with mode-based execute control: bit 2 for supervisor-mode, bit 10 for user-mode linear addresses; leaves are made with neither
 * </pre>
 */
enum TdpFormat {
    EPT("ept", 7, 7, 6, 1 << 8, 1 << 9, 5 | 6 << 3, 5),
    EPT_BY_MODE("ept", 7, 7, 6, 1 << 8, 1 << 9, 1 | 6 << 3, 5 | 1 << 10),
    NPT("npt", 1, 1 | 1L << 51, 1 | 1L << 51, 1 << 5, 1 << 6, 5, 5);

    static final long WRITE = 1 << 1;
    static final long LARGE = 1 << 7;
    private static final long EXECUTE = 1 << 2;
    private static final long USER_EXECUTE = 1 << 10;
    private static final long EXECUTE_DISABLE = 1L << 63;
    static final long ADDRESS = 0x000f_ffff_ffff_f000L;
    /** The sub-page permission table says which parts of a page may be written that is not writable as a whole; EPT only. */
    static final long SUB_PAGES = 1L << 61;
    /** Not present, and not to be changed: an entry of a table that is going away. KVM: FROZEN_SPTE. */
    static final long FROZEN = 0x5a0;

    /** How the design is called that uses it, which is also what the keys of its settings begin with. */
    final String design;
    /** An entry with none of these bits is not present to the processor. */
    final long present;
    final long accessed;
    final long dirty;
    private final long mmioMask;
    private final long mmio;
    private final long page;
    private final long table;

    TdpFormat(String design, long present, long mmioMask, long mmio, long accessed, long dirty, long page, long table) {
        this.design = design;
        this.present = present;
        this.mmioMask = mmioMask;
        this.mmio = mmio;
        this.accessed = accessed;
        this.dirty = dirty;
        this.page = page;
        this.table = table;
    }

    /** True if {@code entry} maps a page or points at a table. */
    boolean present(long entry) {
        return (entry & present) != 0 && (entry & mmioMask) != mmio;
    }

    /** The entries for devices on a processor of so many address bits; null if it has no reserved bit to mark them by. */
    MmioSptes mmioSptes(int physicalAddressBits) {
        return this == NPT && physicalAddressBits > 51 ? null : new MmioSptes(mmio, mmioMask, 0, physicalAddressBits);
    }

    static boolean writable(long entry) {
        return (entry & WRITE) != 0;
    }

    boolean dirty(long entry) {
        return (entry & dirty) != 0;
    }

    static boolean leaf(long entry, int level) {
        return level == 1 || (entry & LARGE) != 0;
    }

    static long address(long entry) {
        return entry & ADDRESS;
    }

    /** An entry that points at the table at {@code hpa}. */
    long table(long hpa) {
        return hpa | table | WRITE;
    }

    /** A leaf of {@code level} for {@code pfn}. */
    long page(long pfn, int level, boolean writable, boolean executable) {
        long entry = pfn << 12 | page | (writable ? WRITE : 0) | (level > 1 ? LARGE : 0);
        return executable ? entry : unexecutable(entry);
    }

    private long unexecutable(long entry) {
        return isEpt() ? entry & ~EXECUTE : entry | EXECUTE_DISABLE;
    }

    /** False if {@code entry} was made such that a fetch has to split it. */
    boolean executable(long entry) {
        return this == EPT ? (entry & EXECUTE) != 0 : this == EPT_BY_MODE || entry >= 0;
    }

    private boolean isEpt() {
        return this != NPT;
    }

    /** The bits that a leaf is given for a fetch that was reported with {@code qualification}, and not before; 0 if it is made with all. */
    long executeFor(long qualification) {
        return this != EPT_BY_MODE ? 0 : (qualification & EptViolation.LINEAR_USER) != 0 ? USER_EXECUTE : EXECUTE;
    }

    /** The bits of {@code entry} that {@link #executeFor} has given it. */
    long executed(long entry) {
        return this == EPT_BY_MODE ? entry & (EXECUTE | USER_EXECUTE) : 0;
    }

    /** The 4 KiB leaf {@code index} of what the 2 MiB leaf {@code large} maps; it may be executed, but by mode only as that may. */
    long piece(long large, int index) {
        long small = (large & ~LARGE) + ((long) index << 12);
        return this == EPT ? small | EXECUTE : this == EPT_BY_MODE ? small : small & ~EXECUTE_DISABLE;
    }

    /** Index into the table of {@code level} for {@code gfn}. */
    static int index(long gfn, int level) {
        return (int) (gfn >>> 9 * (level - 1)) & 511;
    }

    /** The root whose top table is at {@code top}; {@code subPages}: the sub-page permission table, or 0. */
    TranslationRoot root(long top, int levels, boolean accessedDirty, long subPages) {
        if (this == NPT) {
            return new TranslationRoot.Nested(top, levels);
        }
        return TranslationRoot.TwoDimensional.of(top, levels, accessedDirty).with(new EptFeatures(subPages, this == EPT_BY_MODE));
    }

    /** The shadows, in this format, of a guest hypervisor's tables in this format; nested tables have at least {@code levels}. */
    ShadowPaging shadows(MmuHost host, ShadowOptions options, TableProtection protection, int levels) {
        return this == NPT ? ShadowPaging.ofNested(host, options, protection, levels) : ShadowPaging.ofEpt(host, options, protection);
    }

    /** True if the fault that the processor reported with {@code qualification} is an instruction fetch's. */
    boolean fetches(long qualification) {
        return (qualification & (this == NPT ? NestedPageFault.FETCH : EptViolation.FETCH)) != 0;
    }

    /** True if the fault that EPT reported with {@code qualification} is at what a linear address was translated to, and not at a guest table. */
    boolean reachesPage(long qualification) {
        return isEpt() && (qualification & EptViolation.FINAL_ACCESS) != 0;
    }

    /** True if the fault that the processor reported with {@code qualification} is a write's. */
    boolean writes(long qualification) {
        return (qualification & (this == NPT ? NestedPageFault.WRITE : EptViolation.WRITE)) != 0;
    }
}
