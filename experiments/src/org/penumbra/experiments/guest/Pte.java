package org.penumbra.experiments.guest;

/**
 * Paging-structure entries as this kernel writes them, with the same bits in every mode that has them (SDM vol. 3, "32-Bit Paging",
 * "PAE Paging", "4-Level Paging and 5-Level Paging"). {@link TableFormat} says which mode has what.
 *
 * <pre>
 *  bit 0  P    present              bit 6      D    dirty (of an entry that maps a page)
 *  bit 1  R/W  writable             bit 7      PS   maps a large page (at level 2)
 *  bit 2  U/S  user                 bit 8      G    global
 *  bit 5  A    accessed             bits 51:12      gpa of the page or table; 31:12 of 4 bytes
 *                                   bit 63     XD   no execution; not in 4 bytes
 * </pre>
 */
final class Pte {
    static final long P = 1;
    static final long W = 1 << 1;
    static final long U = 1 << 2;
    static final long A = 1 << 5;
    static final long D = 1 << 6;
    static final long PS = 1 << 7;
    static final long G = 1 << 8;
    static final long NX = 1L << 63;

    /** What Linux puts into an entry that points to a table: {@code _KERNPG_TABLE} and {@code _PAGE_TABLE}. */
    static final long KERNEL_TABLE = P | W | A | D;
    static final long USER_TABLE = KERNEL_TABLE | U;
    /** Large kernel pages: {@code PAGE_KERNEL_EXEC} and {@code PAGE_KERNEL_ROX}. */
    static final long DIRECT_PAGE = P | W | A | D | PS | G;
    static final long TEXT_PAGE = P | A | D | PS | G;

    private Pte() {}
}
