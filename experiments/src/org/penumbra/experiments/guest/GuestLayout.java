package org.penumbra.experiments.guest;

import org.penumbra.api.guest.StepBuffer;
import org.penumbra.api.paging.PagingMode;

/**
 * Where things are: in guest-physical memory the same in every paging mode, in the linear address space as Linux has it there
 * ({@code Documentation/arch/x86/x86_64/mm.rst}; for 32 bits, {@code VMSPLIT_3G} and its lowmem).
 *
 * <pre>
 *  gpa                                    gva        user half               direct map                  kernel text
 *  0x0            never used              none       (physical memory)       gpa                         gpa
 *  0x1000 …       boot tables             32bit      below 0xc0000000        0xc0000000 + gpa            in the direct map
 *  0x1c0000 …     interrupt pages         pae        below 0xc0000000        0xc0000000 + gpa            in the direct map
 *  0x200000 …     kernel text, 2 MiB      4level     below 2^47              0xffff888000000000 + gpa    0xffffffff81000000
 *  0x400000 …     frames for everything   5level     below 2^56              0xff11000000000000 + gpa    0xffffffff81000000
 *                 else, a part per vCPU
 * </pre>
 *
 * <p>With more than {@link #LOW_TABLES} bytes of memory the boot tables do not fit below the interrupt pages: they lie at 0x400000
 * then, and the frames begin behind them.
 */
final class GuestLayout {
    static final long PAGE = 4096;

    static final long BOOT_TABLES = 0x1000;
    /** A page per vCPU: 8 bytes for each vector that count its deliveries, then the interrupt stack. */
    static final long INTERRUPT_PAGES = 0x1c_0000;
    static final long INTERRUPT_STACK = 256 * 8;
    static final long TEXT_GPA = 0x20_0000;
    static final long TEXT_BYTES = 2 << 20;
    static final long FREE_FRAMES = 0x40_0000;

    /** Kernel routines, as offsets in its text. */
    static final int SYSCALL_ENTRY = 0x1000;
    static final int FAULT_ENTRY = 0x2000;
    static final int FAULT_HANDLER = 0x3000;
    static final int ALLOCATOR = 0x4000;
    static final int AGE = 0x5000;
    static final int FORK = 0x6000;
    static final int UNMAP = 0x7000;
    static final int PROTECT = 0x8000;
    static final int SCHEDULER = 0x9000;
    static final int EXIT = 0xa000;
    static final int POWER_OFF = 0xb000;
    static final int INTERRUPT_ENTRY = 0xc000;
    static final int IDLE = 0xd000;

    /** So much memory has its boot tables below the interrupt pages. */
    private static final long LOW_TABLES = 256L << 30;
    private static final int FETCH = 16;
    private static final long USER_END_32 = 0xc000_0000L;
    /** What Linux maps for good in a 32-bit kernel half of 1 GiB; the rest is for vmalloc and fixed mappings. */
    private static final long LOWMEM = 896L << 20;

    final PagingMode mode;
    /** Null without paging. */
    final TableFormat tables;
    /** One more than the highest address of a process. */
    final long userEnd;
    /** Memory above this would not fit into the direct map, or its boot tables not where they are. */
    final long mostMemory;
    /** Where the text begins. */
    final long text;
    private final long directMap;

    private GuestLayout(PagingMode mode, long userEnd, long directMap, long text, long mostMemory) {
        this.mode = mode;
        this.tables = mode == PagingMode.NONE ? null : new TableFormat(mode);
        this.userEnd = userEnd;
        this.directMap = directMap;
        this.text = text;
        this.mostMemory = mostMemory;
    }

    static GuestLayout of(PagingMode mode) {
        switch (mode) {
            case NONE:
                return new GuestLayout(mode, USER_END_32, 0, TEXT_GPA, 4L << 30);
            case BITS_32:
            case PAE:
                return new GuestLayout(mode, USER_END_32, USER_END_32, USER_END_32 + TEXT_GPA, LOWMEM);
            case FOUR_LEVEL:
                return new GuestLayout(mode, 1L << 47, 0xffff_8880_0000_0000L, 0xffff_ffff_8100_0000L, 1L << 40);
            default:
                return new GuestLayout(mode, 1L << 56, 0xff11_0000_0000_0000L, 0xffff_ffff_8100_0000L, 1L << 40);
        }
    }

    /** Where the boot tables of {@code memoryBytes} of memory lie. */
    static long bootTables(long memoryBytes) {
        return memoryBytes <= LOW_TABLES ? BOOT_TABLES : FREE_FRAMES;
    }

    /** Where frames for everything else begin: behind boot tables that lie there, a page for 1 GiB and some above them. */
    static long freeFrames(long memoryBytes) {
        long tables = memoryBytes <= LOW_TABLES ? 0 : ((memoryBytes >>> 30) + 16) * PAGE;
        long large = 2 << 20;
        return FREE_FRAMES + (tables + large - 1 & -large);
    }

    boolean paged() {
        return tables != null;
    }

    /** Where the kernel sees {@code gpa}. */
    long direct(long gpa) {
        return directMap + gpa;
    }

    /** Appends that the kernel executes {@code routine}. */
    void execute(int routine, StepBuffer out) {
        out.fetch(text + routine, FETCH);
    }
}
