package org.penumbra.experiments.guest;

/**
 * A range of a process's address space that may be touched: {@code start} inclusive, {@code end} exclusive, both page-aligned,
 * private to the process; {@code large} prefers 2 MiB pages.
 */
record Vma(long start, long end, boolean write, boolean execute, Contents contents, boolean large) {
    boolean contains(long gva) {
        return gva >= start && gva < end;
    }

    /** True if the whole aligned 2 MiB around {@code gva} belong to this range. */
    boolean hasLargePage(long gva) {
        long base = gva & -GuestLayout.LARGE_PAGE;
        return large && base >= start && base + GuestLayout.LARGE_PAGE <= end;
    }

    Vma within(long from, long to) {
        return new Vma(Math.max(start, from), Math.min(end, to), write, execute, contents, large);
    }
}
