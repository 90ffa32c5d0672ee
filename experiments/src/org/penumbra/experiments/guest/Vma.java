package org.penumbra.experiments.guest;

/**
 * A range of a process's address space that may be touched: {@code start} inclusive, {@code end} exclusive, both page-aligned,
 * private to the process; {@code large} prefers large pages.
 */
record Vma(long start, long end, boolean write, boolean execute, Contents contents, boolean large) {
    boolean contains(long gva) {
        return gva >= start && gva < end;
    }

    /** True if the whole aligned large page of {@code bytes} around {@code gva} belongs to this range. */
    boolean hasLargePage(long gva, long bytes) {
        long base = gva & -bytes;
        return large && base >= start && base + bytes <= end;
    }

    Vma within(long from, long to) {
        return new Vma(Math.max(start, from), Math.min(end, to), write, execute, contents, large);
    }
}
