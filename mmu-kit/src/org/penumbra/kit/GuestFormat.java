package org.penumbra.kit;

import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.TranslationRoot;

/**
 * The formats of guest paging-structure entries, as data: what {@link GuestWalker} needs to walk tables of a format and what an
 * MMU needs to shadow them (SDM vol. 3, "32-Bit Paging", "PAE Paging", "4-Level Paging and 5-Level Paging", tables of entry
 * formats). A guest that is a hypervisor has EPT tables, too (SDM vol. 3, "EPT Translation Mechanism", "EPT Misconfigurations").
 *
 * <pre>
 *  bit  0      P     present
 *  bit  1      R/W   writable
 *  bit  2      U/S   user
 *  bit  5      A     accessed
 *  bit  6      D     dirty, in a leaf
 *  bit  7      PS    maps a page, in level 2 (32-bit: with CR4.PSE, ignored without) and in level 3 of 4- and 5-level paging;
 *                    reserved (0) in levels 4 and 5
 *  bit  12     PAT   of a large page
 *  M−1:12            frame of the next table or page; 32-bit: 31:12
 *  20:13             of a 4 MiB page: bits 39:32 of its address (PSE-36)
 *  62:59             protection key of a leaf, 4- and 5-level
 *  bit  63     XD    execute-disable; reserved while EFER.NXE = 0
 *
 *  reserved    32-bit: of a 4 MiB page bit 21, and those of 20:13 that are above MAXPHYADDR M
 *              PAE: 62:M          4- and 5-level: 51:M
 *              of another large page the bits from 13 up to its size
 *
 *  EPT
 *  bit  0      R     readable: {@link Rights#USER}; an entry with bits 2:0 = 0 is not present
 *  bit  1      W     writable; W without R is a misconfiguration, as is whatever is reserved
 *  bit  2      X     executable
 *  bits 5:3          memory type of a page: 0, 1, 4, 5, 6; reserved in an entry that names a table
 *  bit  6            ignore PAT, of a page; reserved in an entry that names a table
 *  bit  7            maps a page, in levels 2 and 3; reserved in levels 4 and 5
 *  bit  8, 9   A, D  if EPTP bit 6 is set, else ignored
 *  51:M              reserved; of a large page the bits from 12 up to its size
 * </pre>
 */
public enum GuestFormat {
    /** No paging: a linear address is the guest-physical address. */
    NONE(PagingMode.NONE, 0, 0, 0, 0),
    /** 32-bit paging with CR4.PSE = 0. */
    BITS_32(PagingMode.BITS_32, 10, 1, 0xffff_f000L, 0),
    /** 32-bit paging with 4 MiB pages. */
    BITS_32_PSE(PagingMode.BITS_32, 10, 2, 0xffff_f000L, 0),
    /** PAE paging: two levels of tables below the PDPTE registers. */
    PAE(PagingMode.PAE, 9, 2, 0x000f_ffff_ffff_f000L, 0x7fff_ffff_ffff_f000L),
    /** 4-level paging. */
    FOUR_LEVEL(PagingMode.FOUR_LEVEL, 9, 3, 0x000f_ffff_ffff_f000L, 0x000f_ffff_ffff_f000L),
    /** 5-level paging. */
    FIVE_LEVEL(PagingMode.FIVE_LEVEL, 9, 3, 0x000f_ffff_ffff_f000L, 0x000f_ffff_ffff_f000L),
    /** EPT with a page-walk length of 4. */
    EPT_4(PagingMode.FOUR_LEVEL, 9, 3, 0x000f_ffff_ffff_f000L, 0x000f_ffff_ffff_f000L),
    /** EPT with a page-walk length of 5. */
    EPT_5(PagingMode.FIVE_LEVEL, 9, 3, 0x000f_ffff_ffff_f000L, 0x000f_ffff_ffff_f000L);

    public static final long PRESENT = 1;
    public static final long WRITABLE = 1 << 1;
    public static final long USER = 1 << 2;
    public static final long ACCESSED = 1 << 5;
    public static final long DIRTY = 1 << 6;
    public static final long LARGE = 1 << 7;
    public static final long NX = 1L << 63;

    /** EPTP: page-walk length less 1, and whether accessed and dirty flags are enabled. */
    public static final long EPTP_FLAGS = 1 << 6;
    private static final int EPTP_LENGTH_SHIFT = 3;

    private static final long EPT_EXECUTABLE = 1 << 2;
    private static final long EPT_TYPE = 7 << 3;
    private static final long EPT_IGNORE_PAT = 1 << 6;
    /** Bit n: memory type n is defined. */
    private static final int EPT_TYPES = 1 | 1 << 1 | 1 << 4 | 1 << 5 | 1 << 6;

    private static final GuestFormat[] ALL = values();
    private static final int KEY_SHIFT = 59;
    /** Bits of a 4 MiB page's entry that hold bits 39:32 of its address, and what takes a bit of the one to its place in the other. */
    private static final long PSE_36 = 0xffL << 13;
    private static final int PSE_36_SHIFT = 19;

    private final PagingMode mode;
    private final int indexBits;
    private final int largestLeaf;
    private final long addressMask;
    private final long reservedAbovePhysical;

    /**
     * @param indexBits index bits per level
     * @param largestLeaf highest level at which bit 7 maps a page; 1 if it never does
     * @param addressMask bits of an entry that hold an address
     * @param reservedAbovePhysical bits of an entry that are reserved as far as they are not below MAXPHYADDR
     */
    GuestFormat(PagingMode mode, int indexBits, int largestLeaf, long addressMask, long reservedAbovePhysical) {
        this.mode = mode;
        this.indexBits = indexBits;
        this.largestLeaf = largestLeaf;
        this.addressMask = addressMask;
        this.reservedAbovePhysical = reservedAbovePhysical;
    }

    /** The format of the tables that a guest in {@code state} uses. */
    public static GuestFormat of(PagingState state) {
        switch (state.mode()) {
            case NONE:
                return NONE;
            case BITS_32:
                return state.has4(ControlBits.CR4_PSE) ? BITS_32_PSE : BITS_32;
            case PAE:
                return PAE;
            case FOUR_LEVEL:
                return FOUR_LEVEL;
            default:
                return FIVE_LEVEL;
        }
    }

    /** The format of the tables that {@code eptp} names. */
    public static GuestFormat ofEpt(long eptp) {
        return (eptp >>> EPTP_LENGTH_SHIFT & 7) == 4 ? EPT_5 : EPT_4;
    }

    /**
     * The paging state that nested tables are walked in: the host's, as far as it says what their entries are (APM vol. 2, "Nested Paging").
     */
    public static PagingState hostOf(TranslationRoot.Nested tables) {
        PagingState host = PagingState.longMode(tables.nCr3());
        host = tables.noExecute() ? host.withEfer(host.efer() | ControlBits.EFER_NXE) : host.withEfer(host.efer() & ~ControlBits.EFER_NXE);
        return tables.levels() == 5 ? host.withCr4(host.cr4() | ControlBits.CR4_LA57) : host;
    }

    /**
     * True if the processor's accesses to entries of a guest's page tables count as writes to {@code tables}: with flags enabled for EPT
     * (SDM vol. 3, "Accessed and Dirty Flags for EPT"), to nested tables always (APM vol. 2, "Nested versus Guest Page Faults, Fault
     * Ordering").
     */
    public static boolean entryAccessWrites(TranslationRoot tables) {
        return tables instanceof TranslationRoot.Nested || (tables.register() & EPTP_FLAGS) != 0;
    }

    /** The format whose {@link #ordinal} is {@code number}. */
    static GuestFormat of(int number) {
        return ALL[number];
    }

    /** True if entries are EPT's. */
    public boolean isEpt() {
        return this == EPT_4 || this == EPT_5;
    }

    /** True if {@code gpte} maps a page or names a table. */
    public boolean present(long gpte) {
        return (gpte & (isEpt() ? PRESENT | WRITABLE | EPT_EXECUTABLE : PRESENT)) != 0;
    }

    /** The accessed flag. */
    public long accessed() {
        return isEpt() ? 1 << 8 : ACCESSED;
    }

    /** The dirty flag of an entry that maps a page. */
    public long dirty() {
        return isEpt() ? 1 << 9 : DIRTY;
    }

    /** Levels of tables in memory; of PAE paging without the registers above them. */
    public int levels() {
        return mode.levels();
    }

    /** Bytes of an entry. */
    public int entryBytes() {
        return mode.entryBytes();
    }

    /** Index into the table of {@code level} for {@code gva}. */
    public int index(long gva, int level) {
        return (int) (gva >>> shift(level)) & (1 << indexBits) - 1;
    }

    /** Number of address bits that an entry of {@code level} leaves to the page or the tables below. */
    public int shift(int level) {
        return 12 + indexBits * (level - 1);
    }

    /** True if {@code gpte} of {@code level} maps a page. */
    public boolean isLeaf(long gpte, int level) {
        return level == 1 || level <= largestLeaf && (gpte & LARGE) != 0;
    }

    /** Guest frame of the table, or of the 4 KiB page, in {@code gpte}. */
    public long gfn(long gpte) {
        return (gpte & addressMask) >>> 12;
    }

    /** First guest frame of the page that {@code gpte} of {@code level} maps. */
    public long pageGfn(long gpte, int level) {
        // Of a large page, bit 12 is PAT and no part of its address.
        long address = gpte & addressMask & -1L << shift(level);
        return (level > 1 && entryBytes() == 4 ? address | (gpte & PSE_36) << PSE_36_SHIFT : address) >>> 12;
    }

    /**
     * Bits of a present {@code gpte} of {@code level} that must not be as they are, with MAXPHYADDR {@code physicalBits}; {@code nxe} has no
     * meaning for EPT.
     */
    public long reservedBits(long gpte, int level, boolean nxe, int physicalBits) {
        if (isEpt()) {
            return misconfigured(gpte, level, physicalBits);
        }
        long reserved = reservedAbovePhysical & -1L << physicalBits | (nxe ? 0 : NX);
        if (level > 1 && isLeaf(gpte, level)) {
            reserved |= entryBytes() == 4 ? aboveOf4m(physicalBits) : (1L << shift(level)) - 1 & ~0x1fffL;
        } else if (level > 3) {
            reserved |= LARGE;
        }
        return gpte & reserved;
    }

    private long misconfigured(long gpte, int level, int physicalBits) {
        long reserved = reservedAbovePhysical & -1L << physicalBits;
        boolean leaf = isLeaf(gpte, level);
        if (!leaf) {
            reserved |= EPT_TYPE | EPT_IGNORE_PAT | (level > 3 ? LARGE : 0);
        } else if (level > 1) {
            reserved |= (1L << shift(level)) - 1 & ~0xfffL;
        }
        long wrong = gpte & reserved;
        if (leaf && (EPT_TYPES >>> ((gpte & EPT_TYPE) >>> 3) & 1) == 0) {
            wrong |= gpte & EPT_TYPE;
        }
        return (gpte & (PRESENT | WRITABLE)) == WRITABLE ? wrong | WRITABLE : wrong;
    }

    /** Of a 4 MiB page: bit 21, and the PSE-36 bits that stand for address bits at or above MAXPHYADDR. */
    private static long aboveOf4m(int physicalBits) {
        return 1L << 21 | PSE_36 & -1L << Math.min(physicalBits, 40) - PSE_36_SHIFT;
    }

    /** {@link Rights} that {@code gpte} grants by itself. */
    public int rights(long gpte) {
        boolean executable = isEpt() ? (gpte & EPT_EXECUTABLE) != 0 : (gpte & NX) == 0;
        int rights = executable ? Rights.EXEC : 0;
        rights |= (gpte & WRITABLE) != 0 ? Rights.WRITE : 0;
        return rights | ((gpte & (isEpt() ? PRESENT : USER)) != 0 ? Rights.USER : 0);
    }

    /** The memory type that the leaf {@code gpte} gives its page, as it is in {@link Rights}; 0 but for EPT, where tables alone say it. */
    public int memoryType(long gpte) {
        return isEpt() ? Rights.memoryType(gpte) : 0;
    }

    /** The protection key in the leaf {@code gpte}; it has a meaning in 4- and 5-level paging only. */
    static int key(long gpte) {
        return (int) (gpte >>> KEY_SHIFT) & 15;
    }
}
