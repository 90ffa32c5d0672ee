package org.penumbra.experiments.guest;

/** What a process can ask of the miniature guest kernel. Ranges are in bytes, page-aligned, in the user half. */
public sealed interface SystemCall {
    /**
     * mmap: makes a range of untouched private memory available. It must not overlap another one.
     *
     * @param large madvise(MADV_HUGEPAGE): large pages where the range has room for them
     */
    record Map(long start, long length, boolean write, boolean execute, Contents contents, boolean large) implements SystemCall {
        /** Memory in 4 KiB pages. */
        public Map(long start, long length, boolean write, boolean execute, Contents contents) {
            this(start, length, write, execute, contents, false);
        }

        /** Writable memory that reads as zero at first. */
        public static Map anonymous(long start, long length) {
            return new Map(start, length, true, false, Contents.ZERO);
        }

        /** The same in large pages where there is room for them. */
        public static Map large(long start, long length) {
            return new Map(start, length, true, false, Contents.ZERO, true);
        }
    }

    /** munmap: drops whatever lies in the range. */
    record Unmap(long start, long length) implements SystemCall {}

    /** mprotect: allows or forbids writing in the range. */
    record Protect(long start, long length, boolean write) implements SystemCall {}

    /**
     * What the page reclaim of a kernel does to a process: takes the accessed bit of every page, without a flush, so that the
     * processor may go on with what it has cached. Linux on x86: {@code ptep_clear_flush_young}.
     */
    record Age() implements SystemCall {}

    /** fork: a copy of this process that goes on as {@code child}. The parent goes on first. */
    record Fork(UserProgram child) implements SystemCall {}

    /** sched_yield: lets every other runnable process run first. */
    record Yield() implements SystemCall {}

    /** wait: until one child, not waited for before, has exited. */
    record Wait() implements SystemCall {}

    /**
     * A blocking read of a device that interrupts: waits until an interrupt has come to this vCPU since the last such call of this
     * process returned. Interrupts that came meanwhile count as one, and then it returns at once.
     */
    record WaitForInterrupt() implements SystemCall {}

    /** exit. The guest powers off when its last process has exited. */
    record Exit() implements SystemCall {}
}
