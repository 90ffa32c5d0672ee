package org.penumbra.hardware.walk;

import org.penumbra.api.cpu.FirstLevelTlb;

/**
 * Page numbers of a unified TLB: the page's size stands above the number, so that pages of all sizes share one array.
 *
 * <pre>
 *  46:45  size: 0 = 4 KiB, 1 = 2 MiB, 2 = 1 GiB
 *  44:0   address bits 56:shift
 * </pre>
 */
public final class PageTag {
    private static final int SIZE = 45;

    private PageTag() {}

    /** The tag of the page of 2^{@code shift} bytes that holds {@code address}. */
    public static long of(long address, int shift) {
        return FirstLevelTlb.page(address, shift) | (long) ((shift - 12) / 9) << SIZE;
    }

    /** Page size of {@code tag} as a power of two. */
    public static int shift(long tag) {
        return 12 + 9 * (int) (tag >>> SIZE);
    }

    /** Bits 56:0 of the address of the first byte of the page. */
    public static long address(long tag) {
        return (tag & (1L << SIZE) - 1) << shift(tag);
    }
}
