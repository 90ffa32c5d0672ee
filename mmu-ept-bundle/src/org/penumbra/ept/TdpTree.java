package org.penumbra.ept;

import java.util.List;
import java.util.function.LongPredicate;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.memory.FrameAccess;
import org.penumbra.api.memory.FrameLease;
import org.penumbra.api.observe.Tracing;
import org.penumbra.kit.PageGauges;

/**
 * What is done to the tree while no fault is served: protecting, splitting, zapping, arming for the dirty log. The walkers of the
 * processors go on meanwhile and set flags, so entries are changed by compare-and-set. Whoever takes something away flushes
 * afterwards.
 */
final class TdpTree {
    private final TdpFormat format;
    private final long top;
    private final int levels;
    private final FrameLease lease;
    private final FrameAccess entries;
    final CycleClock clock;
    private final Tracing.Tracer trace;
    private final TdpSplit splitting;
    private final PageGauges mapped;
    private final TdpTables tables;

    TdpTree(TdpFormat format, long top, int levels, FrameLease lease, CycleClock clock, Tracing.Tracer trace, TdpSplit splitting, PageGauges mapped,
            TdpTables tables) {
        this.format = format;
        this.top = top;
        this.levels = levels;
        this.lease = lease;
        this.entries = lease.access(clock);
        this.clock = clock;
        this.trace = trace;
        this.splitting = splitting;
        this.mapped = mapped;
        this.tables = tables;
    }

    /** Takes the write right from the 4 KiB leaf for {@code gfn}, which is made if a larger one maps it. */
    void writeProtect(long gfn) {
        long at = leafOf4k(gfn);
        if (at >= 0) {
            replace(at, entry -> entry & ~TdpFormat.WRITE & ~TdpFormat.SUB_PAGES);
        }
    }

    /** Has the sub-page permission table say what may be written of {@code gfn}, if a 4 KiB leaf maps it. */
    boolean permitSubPages(long gfn) {
        Place place = find(gfn);
        boolean there = format.present(place.entry) && place.level == 1;
        if (there) {
            replace(place.at, entry -> TdpFormat.writable(entry) ? entry : entry | TdpFormat.SUB_PAGES);
        }
        return there;
    }

    /** The handle to entries. */
    FrameAccess entries() {
        return entries;
    }

    /**
     * Empties every leaf that maps one of {@code frames} frames from {@code gfn}, larger ones whole. Answers true if there was one.
     */
    boolean zap(long gfn, long frames, TdpDirty dirty) {
        boolean found = false;
        for (long g = gfn; g < gfn + frames; ) {
            Place place = find(g);
            if (format.present(place.entry)) {
                dirty.gone(replace(place.at, entry -> 0), place.gfn);
                mapped.add(place.level, -1);
                found = true;
            }
            g = place.gfn + (1L << 9 * (place.level - 1));
        }
        return found;
    }

    /** True if a leaf that maps one of {@code frames} frames from {@code gfn} has one of {@code bits}. */
    boolean accessed(long gfn, long frames, long bits) {
        for (long g = gfn; g < gfn + frames; ) {
            Place place = find(g);
            if (format.present(place.entry) && (place.entry & bits) != 0) {
                return true;
            }
            g = place.gfn + (1L << 9 * (place.level - 1));
        }
        return false;
    }

    /** Takes the accessed flags of {@code frames} frames from {@code gfn} away. Answers true if there was one. KVM: age_gfn_range. */
    boolean age(long gfn, long frames) {
        boolean young = false;
        for (long g = gfn; g < gfn + frames; ) {
            Place place = find(g);
            if (format.present(place.entry)) {
                young |= (replace(place.at, entry -> entry & ~format.accessed) & format.accessed) != 0;
            }
            g = place.gfn + (1L << 9 * (place.level - 1));
        }
        return young;
    }

    /** Sees to it that the next write to any frame that is logged is noticed. */
    void armAll(TdpDirty dirty) {
        leaves(top, levels, 0, (at, entry, level, gfn) -> {
            if (!dirty.logs(gfn)) {
                return;
            }
            if (level == 1) {
                replace(at, dirty::armed);
            } else {
                arm(gfn, dirty);
            }
        });
    }

    /** Notes every frame whose leaf is dirty, and takes the flag away. */
    void collectAll(TdpDirty dirty) {
        leaves(top, levels, 0, (at, entry, level, gfn) -> {
            if (format.dirty(entry)) {
                dirty.gone(replace(at, e -> e & ~format.dirty), gfn);
            }
        });
    }

    /** Empties each entry of level 2 that points at a table, and frees the table, if {@code large} accepts the first gfn of it. */
    void dropTables(LongPredicate large) {
        dropTables(top, levels, 0, large);
    }

    private void dropTables(long table, int level, long gfn, LongPredicate large) {
        for (int i = 0; i < 512; i++) {
            long at = table + 8L * i;
            long entry = entries.load(at);
            long first = gfn + ((long) i << 9 * (level - 1));
            if (!format.present(entry) || TdpFormat.leaf(entry, level)) {
                continue;
            }
            if (level > 2) {
                dropTables(TdpFormat.address(entry), level - 1, first, large);
            } else if (large.test(first)) {
                leaves(TdpFormat.address(entry), 1, first, (leafAt, leafEntry, leafLevel, leafGfn) -> mapped.add(1, -1));
                entries.store(at, 0);
                tables.gone(1);
                lease.free(TdpFormat.address(entry));
            }
        }
    }

    /** A table of {@code level} for guest frames from {@code gfn} on, at {@code address}, to which no entry leads any more. */
    record Unlinked(long address, int level, long gfn) {}

    /** True if the processor has gone through the table of 4 KiB leaves for {@code gfn} since it was asked last. */
    boolean usedTable(long gfn) {
        long at = above(gfn, 1);
        return at >= 0 && (replace(at, entry -> entry & ~format.accessed) & format.accessed) != 0;
    }

    /** Takes the table of 4 KiB leaves for {@code gfn} out of the tree, if there is one, and each above it in which nothing is left then. */
    void unlink(long gfn, List<Unlinked> out) {
        for (int level = 1; level < levels; level++) {
            long at = above(gfn, level);
            long table = at < 0 ? 0 : TdpFormat.address(entries.load(at));
            if (at < 0 || level > 1 && !isEmpty(table)) {
                return;
            }
            replace(at, entry -> 0);
            out.add(new Unlinked(table, level, gfn & -(1L << 9 * level)));
        }
    }

    /** Where the entry is that points at the table of {@code level} for {@code gfn}; −1 if there is none. */
    private long above(long gfn, int level) {
        long at = top + 8L * TdpFormat.index(gfn, levels);
        for (int l = levels; ; l--) {
            long entry = entries.load(at);
            if (!format.present(entry) || TdpFormat.leaf(entry, l)) {
                return -1;
            }
            if (l == level + 1) {
                return at;
            }
            at = TdpFormat.address(entry) + 8L * TdpFormat.index(gfn, l - 1);
        }
    }

    private boolean isEmpty(long table) {
        for (int i = 0; i < 512; i++) {
            if (format.present(entries.load(table + 8L * i))) {
                return false;
            }
        }
        return true;
    }

    /** Notes what {@code table}, which no processor uses any more, knows of writes, and counts its leaves as gone. */
    void harvest(Unlinked table, TdpDirty dirty) {
        if (table.level == 1) {
            leaves(table.address, 1, table.gfn, (at, entry, level, gfn) -> {
                dirty.gone(entry, gfn);
                mapped.add(1, -1);
            });
        }
    }

    private interface Visitor {
        void leaf(long at, long entry, int level, long gfn);
    }

    private void leaves(long table, int level, long gfn, Visitor visitor) {
        for (int i = 0; i < 512; i++) {
            long at = table + 8L * i;
            long entry = entries.load(at);
            if (format.present(entry)) {
                long first = gfn + ((long) i << 9 * (level - 1));
                if (TdpFormat.leaf(entry, level)) {
                    visitor.leaf(at, entry, level, first);
                } else {
                    leaves(TdpFormat.address(entry), level - 1, first, visitor);
                }
            }
        }
    }

    /**
     * Sees to it that the next write to {@code gfn}, or to what a large leaf there maps, is noticed: the leaf is split, or write-protected so
     * that a write will split it.
     */
    void arm(long gfn, TdpDirty dirty) {
        Place place = find(gfn);
        if (!format.present(place.entry)) {
            return;
        }
        if (place.level == 1) {
            replace(place.at, dirty::armed);
        } else if (!dirty.eager) {
            replace(place.at, dirty::armedLarge);
        } else {
            long table = TdpFormat.address(split(place.at, place.gfn));
            for (int i = 0; i < 512; i++) {
                replace(table + 8L * i, dirty::armed);
            }
        }
    }

    /** Where a walk for a gfn ends: a leaf, or the highest entry that is not present. */
    private record Place(long at, long entry, int level, long gfn) {}

    private Place find(long gfn) {
        long at = top + 8L * TdpFormat.index(gfn, levels);
        int level = levels;
        long entry = entries.load(at);
        while (format.present(entry) && !TdpFormat.leaf(entry, level)) {
            level--;
            at = TdpFormat.address(entry) + 8L * TdpFormat.index(gfn, level);
            entry = entries.load(at);
        }
        return new Place(at, entry, level, gfn & -(1L << 9 * (level - 1)));
    }

    private long leafOf4k(long gfn) {
        Place place = find(gfn);
        if (!format.present(place.entry)) {
            return -1;
        }
        return place.level == 1 ? place.at : TdpFormat.address(split(place.at, place.gfn)) + 8L * TdpFormat.index(gfn, 1);
    }

    /** Replaces the 2 MiB leaf at {@code at} by a table that maps the same, flags included; answers the new entry. */
    private long split(long at, long gfn) {
        while (true) {
            long table = splitting.split(at, entries.load(at), gfn, entries, trace, clock);
            if (table != 0) {
                return table;
            }
        }
    }

    private interface Change {
        long of(long entry);
    }

    /** Changes the entry at {@code at} unless that is what it says; answers what it was. */
    private long replace(long at, Change change) {
        while (true) {
            long entry = entries.load(at);
            long next = change.of(entry);
            if (next == entry || entries.compareAndSet(at, entry, next)) {
                return entry;
            }
        }
    }
}
