package org.penumbra.experiments.guest;

import org.penumbra.api.guest.StepBuffer;

/**
 * The memory of one process. Every method appends the steps by which the kernel, at CPL 0, brings the change about; nothing touches
 * guest memory by itself. A method's steps must execute before those of the next call on any process's memory, because frames that
 * it frees may be handed out again by then.
 */
interface ProcessMemory {
    /** The value for CR3, which flushes; 0 without paging. */
    long cr3();

    /** Lets {@code steps}, which the process is about to execute, find its memory where it is. */
    void place(StepBuffer steps);

    /** {@code vma} was mapped. */
    void map(Vma vma, StepBuffer out);

    /** Makes the page of {@code gva} present, and writable if {@code write}, as {@code vma} allows: a page fault is served. */
    void touch(long gva, boolean write, Vma vma, StepBuffer out);

    /** Removes what lies in {@code [start, end)}. */
    void unmap(long start, long end, StepBuffer out);

    /** Takes away or allows writing in {@code [start, end)}. */
    void protect(long start, long end, boolean write, StepBuffer out);

    /** Takes the accessed bit of every page and flushes nothing. */
    void age(StepBuffer out);

    /** The memory of a child: a copy of this one, with the PCID {@code pcid}. */
    ProcessMemory fork(int pcid, StepBuffer out);

    /** Removes everything that can be removed while the processor still uses this memory; {@link #free} follows. */
    void clear(StepBuffer out);

    /** Frees what is left after {@link #clear}; no processor uses it any more. */
    void free();
}
