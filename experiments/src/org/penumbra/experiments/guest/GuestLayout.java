package org.penumbra.experiments.guest;

/**
 * Where things are, in guest-physical and guest-virtual memory.
 *
 * <pre>
 *  gpa                                    gva
 *  0x0            never used
 *  0x1000 …       boot tables             user half     0 … 0x00007fff_ffffffff             4 KiB, per process
 *  0x1c0000 …     interrupt pages         direct map    0xffff8880_00000000 + gpa           2 MiB, global, RW, NX
 *  0x200000 …     kernel text, 2 MiB      kernel text   0xffffffff_81000000, 2 MiB          2 MiB, global, read and execute
 *  0x400000 …     frames for everything
 *                 else, a part per vCPU
 * </pre>
 *
 * <p>With more than {@link #LOW_DIRECTORIES} bytes of memory the page directories of the direct map do not fit below the interrupt pages:
 * they lie at 0x400000 then, and the frames begin behind them.
 *
 * <p>The virtual addresses are those of Linux, {@code Documentation/arch/x86/x86_64/mm.rst}.
 */
final class GuestLayout {
    static final long PAGE = 4096;
    static final long LARGE_PAGE = 2 << 20;

    static final long BOOT_TABLES = 0x1000;
    /** A page per vCPU: 8 bytes for each vector that count its deliveries, then the interrupt stack. */
    static final long INTERRUPT_PAGES = 0x1c_0000;
    static final long INTERRUPT_STACK = 256 * 8;
    static final long TEXT_GPA = 0x20_0000;
    static final long FREE_FRAMES = 0x40_0000;

    static final long USER_END = 1L << 47;
    static final long DIRECT_MAP = 0xffff_8880_0000_0000L;
    static final long TEXT = 0xffff_ffff_8100_0000L;

    /** Top-level entries of the kernel half, which all processes share; of the direct map the first, each for 512 GiB. */
    static final int DIRECT_MAP_SLOT = index(DIRECT_MAP, 4);
    static final int TEXT_SLOT = index(TEXT, 4);
    static final int USER_SLOTS = 256;

    /** Kernel routines, whose code is fetched when they run. */
    static final long SYSCALL_ENTRY = TEXT + 0x1000;
    static final long FAULT_ENTRY = TEXT + 0x2000;
    static final long FAULT_HANDLER = TEXT + 0x3000;
    static final long ALLOCATOR = TEXT + 0x4000;
    static final long AGE = TEXT + 0x5000;
    static final long FORK = TEXT + 0x6000;
    static final long UNMAP = TEXT + 0x7000;
    static final long PROTECT = TEXT + 0x8000;
    static final long SCHEDULER = TEXT + 0x9000;
    static final long EXIT = TEXT + 0xa000;
    static final long POWER_OFF = TEXT + 0xb000;
    static final long INTERRUPT_ENTRY = TEXT + 0xc000;
    static final long IDLE = TEXT + 0xd000;

    /** So much memory has its page directories among the first boot tables. */
    static final long LOW_DIRECTORIES = 256L << 30;

    private GuestLayout() {}

    /** Page directories of the direct map of {@code memoryBytes} bytes, a page for 1 GiB. */
    static long directories(long memoryBytes) {
        return memoryBytes + (1L << 30) - 1 >>> 30;
    }

    /** Where frames for everything else begin: behind page directories, and a second page of pointers to them, that lie there. */
    static long freeFrames(long memoryBytes) {
        return memoryBytes <= LOW_DIRECTORIES ? FREE_FRAMES : FREE_FRAMES + (directories(memoryBytes) + 1) * PAGE + LARGE_PAGE - 1 & -LARGE_PAGE;
    }

    /** Where the kernel sees {@code gpa}. */
    static long direct(long gpa) {
        return DIRECT_MAP + gpa;
    }

    /** Index of {@code gva} in its table at {@code level} (1 to 4). */
    static int index(long gva, int level) {
        return (int) (gva >>> 12 + 9 * (level - 1)) & 511;
    }
}
