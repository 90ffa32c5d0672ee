package org.penumbra.experiments.guest;

import static org.penumbra.experiments.guest.GuestLayout.PAGE;

import java.util.HashMap;
import java.util.Map;
import org.penumbra.api.guest.StepBuffer;

/**
 * Tables of 4 levels that a hypervisor which is a guest itself fills for its own guest, page by page: those that it shadows with, or those of a
 * second dimension. It remembers where they are. Each method appends steps.
 */
final class HypervisorTables {
    private static final int LEVELS = 4;

    private final FrameAllocator frames;
    private final GuestLayout layout;
    private final long pointerBits;
    private long root;
    /** gpa of each table below the root, by level and by the bits of the addresses that it translates. */
    private final Map<Long, Long> tables = new HashMap<>();

    /**
     * No tables yet.
     *
     * @param pointerBits of an entry that names a table, beside its address
     */
    HypervisorTables(FrameAllocator frames, GuestLayout layout, long pointerBits) {
        this.frames = frames;
        this.layout = layout;
        this.pointerBits = pointerBits;
    }

    /** Makes an empty root; answers its gpa. */
    long begin(StepBuffer out) {
        root = zeroed(out);
        return root;
    }

    /**
     * Maps the page around {@code address} by {@code entry} of {@code level}; tables above it are made as needed. KVM: direct_map.
     *
     * @return true if the page takes the place of tables, which are given up: a processor that may have cached entries of them is to drop all
     */
    boolean map(long address, int level, long entry, StepBuffer out) {
        long table = root;
        for (int l = LEVELS; l > level; l--) {
            long at = at(table, address, l);
            out.loadEntry(at, 8);
            Long below = tables.get(key(address, l));
            if (below == null) {
                below = zeroed(out);
                tables.put(key(address, l), below);
                out.store(at, 8, below | pointerBits);
            }
            table = below;
        }
        out.store(at(table, address, level), 8, entry);
        return tables.containsKey(key(address, level)) && giveUp(address, level);
    }

    /** The tables below the entry of {@code level} for {@code address}. */
    private boolean giveUp(long address, int level) {
        return tables.entrySet().removeIf(table -> {
            int l = (int) (table.getKey() & 7);
            boolean below = l <= level && page(table.getKey() >>> 3 << shift(l), level) == page(address, level);
            if (below) {
                frames.release(table.getValue());
            }
            return below;
        });
    }

    /** Empties the lowest entry that there is for {@code address}. */
    void unmap(long address, StepBuffer out) {
        long table = root;
        int level = LEVELS;
        while (level > 1 && tables.containsKey(key(address, level))) {
            table = tables.get(key(address, level));
            level--;
        }
        out.store(at(table, address, level), 8, 0);
    }

    /** Gives up all tables but the root, which is empty then. */
    void empty(StepBuffer out) {
        tables.values().forEach(frames::release);
        tables.clear();
        out.store(layout.direct(root), (int) PAGE, 0);
    }

    private long zeroed(StepBuffer out) {
        long page = frames.allocate();
        out.store(layout.direct(page), (int) PAGE, 0);
        return page;
    }

    private long at(long table, long address, int level) {
        return layout.direct(table + 8 * index(address, level));
    }

    private static long key(long address, int level) {
        return address >>> shift(level) << 3 | level;
    }

    /** Which entry of its table of {@code level} is for {@code address}. */
    static long index(long address, int level) {
        return address >>> shift(level) & 511;
    }

    /** The first address of the page of {@code level} around {@code address}. */
    static long page(long address, int level) {
        return address & -1L << shift(level);
    }

    private static int shift(int level) {
        return 12 + 9 * (level - 1);
    }
}
