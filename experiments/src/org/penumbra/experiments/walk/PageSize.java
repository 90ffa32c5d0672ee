package org.penumbra.experiments.walk;

import java.util.List;
import java.util.stream.Stream;
import org.penumbra.api.paging.PagingMode;

/** Sizes of pages, and in which paging modes there are such (SDM vol. 3, "Paging-Mode Modifiers" and "Paging Modes and Control Bits"). */
public enum PageSize {
    SMALL("4K", 12),
    LARGE("2M", 21),
    LARGE_32BIT("4M", 22),
    HUGE("1G", 30);

    private final String label;
    private final int shift;

    PageSize(String label, int shift) {
        this.label = label;
        this.shift = shift;
    }

    /** The name by which a user selects it. */
    public String label() {
        return label;
    }

    /** The size as a power of two. */
    public int shift() {
        return shift;
    }

    public long bytes() {
        return 1L << shift;
    }

    /** Those that {@code mode} has; of no paging 4 KiB, the size of the pieces in which the second dimension may map it. */
    public static List<PageSize> of(PagingMode mode) {
        return Stream.of(values()).filter(p -> switch (p) {
            case SMALL -> true;
            case LARGE -> mode == PagingMode.PAE || mode.isLong();
            case LARGE_32BIT -> mode == PagingMode.BITS_32;
            case HUGE -> mode.isLong();
        }).toList();
    }
}
