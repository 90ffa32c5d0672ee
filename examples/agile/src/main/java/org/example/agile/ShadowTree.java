package org.example.agile;

import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.LongPredicate;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.memory.FrameAccess;
import org.penumbra.api.mmu.MmuHost;
import org.penumbra.kit.PteList;
import org.penumbra.kit.ReverseMap;
import org.penumbra.kit.ShadowPage;
import org.penumbra.kit.ShadowPageCache;

/**
 * Shadow pages and the entries in them, which {@link SwitchingWalker} reads. A table that is shadowed is writable nowhere, so shadow pages are always in
 * step with it. Guarded by the MMU's lock; who takes something away calls {@link #commit} before giving the lock up.
 */
final class ShadowTree {
    /** Levels in the reverse map: entries that map a page, and entries that switch to a table. */
    private static final int PAGES = 1;
    private static final int SWITCHES = 2;

    private final MmuHost host;
    private final EptTree ept;
    private final ShadowPageCache pages;
    private final ReverseMap rmap = new ReverseMap();
    /** The guest's table by the address of the entry that switches to it. */
    private final Map<Long, Long> switched = new HashMap<>();
    private final Set<ShadowPage> zapped = new LinkedHashSet<>();
    /** Rises whenever a shadow page goes. */
    private volatile long epoch;

    ShadowTree(MmuHost host, EptTree ept) {
        this.host = host;
        this.ept = ept;
        this.pages = new ShadowPageCache(host.lease(), host.counters().counter("max_mmu_page_hash_collisions"));
    }

    long epoch() {
        return epoch;
    }

    /** True if {@code gfn} holds a table that is shadowed. */
    boolean shadows(long gfn, CycleClock clock) {
        return !pages.shadowing(gfn, clock).isEmpty();
    }

    /** The page for (gfn, role), made if need be; then its table is write-protected when this returns. */
    ShadowPage page(long gfn, int role, CycleClock clock) {
        ShadowPage page = pages.find(gfn, role, clock);
        if (page == null) {
            page = pages.create(gfn, role, clock);
            if (!page.direct() && protect(gfn, clock)) {
                host.flushRemoteTlbs(clock);
            }
        }
        return page;
    }

    /** Sees to it that {@code most} pages are enough for one more path. */
    void limit(long most, CycleClock clock) {
        if (pages.active().size() > most - 8) {
            List.copyOf(pages.active()).stream().limit(32).forEach(page -> zap(page, host.lease().access(clock), clock));
            commit(clock, false);
        }
    }

    /** Has no translation of {@code gfn} writable; answers flush. Flags may still be set in a table to which the walk switches. */
    boolean protect(long gfn, CycleClock clock) {
        return ept.protect(gfn, clock) | withhold(rmap.of(gfn, PAGES, clock), clock);
    }

    /** The same, and no flags either. */
    boolean protectAll(long gfn, CycleClock clock) {
        return protect(gfn, clock) | withhold(rmap.of(gfn, SWITCHES, clock), clock);
    }

    private boolean withhold(PteList list, CycleClock clock) {
        FrameAccess entries = host.lease().access(clock);
        boolean any = false;
        for (int i = 0; i < list.size(); i++) {
            long entry = entries.load(list.get(i));
            if ((entry & SwitchingWalker.WRITABLE) != 0) {
                entries.store(list.get(i), entry & ~SwitchingWalker.WRITABLE);
                any = true;
            }
        }
        return any;
    }

    /** The entry at {@code index} of {@code page}. */
    long entry(ShadowPage page, int index, CycleClock clock) {
        return host.lease().access(clock).load(page.sptep(index));
    }

    /** The page to which {@code entry} leads. */
    ShadowPage child(long entry) {
        return pages.containing(SwitchingWalker.address(entry));
    }

    /** Puts {@code child} at {@code index} of {@code page}; answers flush. */
    boolean link(ShadowPage page, int index, ShadowPage child, CycleClock clock) {
        FrameAccess entries = host.lease().access(clock);
        boolean had = empty(page, index, entries, clock);
        entries.store(page.sptep(index), SwitchingWalker.table(child.spt));
        child.parents.add(page.sptep(index));
        return had;
    }

    /** Puts {@code entry}, which switches to the guest's table in {@code gfn}; answers flush. */
    boolean switchTo(ShadowPage page, int index, long gfn, long entry, CycleClock clock) {
        FrameAccess entries = host.lease().access(clock);
        boolean had = empty(page, index, entries, clock);
        entries.store(page.sptep(index), entry);
        switched.put(page.sptep(index), gfn);
        rmap.add(gfn, SWITCHES, page.sptep(index), clock);
        return had;
    }

    /** Puts {@code entry}, which maps {@code gfn}; answers flush. */
    boolean map(ShadowPage page, int index, long gfn, long entry, CycleClock clock) {
        FrameAccess entries = host.lease().access(clock);
        boolean had = empty(page, index, entries, clock);
        entries.store(page.sptep(index), entry);
        page.setMappedGfn(index, gfn);
        rmap.add(gfn, PAGES, page.sptep(index), clock);
        return had;
    }

    /** Empties an entry; answers true if something was there. */
    private boolean empty(ShadowPage page, int index, FrameAccess entries, CycleClock clock) {
        long at = page.sptep(index);
        long entry = entries.load(at);
        if (!SwitchingWalker.present(entry)) {
            return false;
        }
        entries.store(at, 0);
        if (SwitchingWalker.switching(entry)) {
            rmap.remove(switched.remove(at), SWITCHES, at, clock);
        } else if (page.level() == 1) {
            rmap.remove(page.mappedGfn(index), PAGES, at, clock);
        } else {
            child(entry).parents.remove(at);
        }
        return true;
    }

    /** The guest's table in {@code gfn} was written, {@code bytes} from {@code offset} on; answers flush. */
    boolean written(long gfn, int offset, int bytes, CycleClock clock) {
        FrameAccess entries = host.lease().access(clock);
        boolean flush = false;
        for (ShadowPage page : pages.shadowing(gfn, clock)) {
            for (int i = offset >> 3; i <= offset + bytes - 1 >> 3; i++) {
                flush |= empty(page, i, entries, clock);
            }
        }
        return flush;
    }

    /** Drops whatever leads to the frame of {@code gfn}; answers flush. */
    boolean unmap(long gfn, CycleClock clock) {
        return emptyAll(rmap.of(gfn, PAGES, clock), clock) | unswitch(gfn, clock);
    }

    /** Drops the entries that switch to the table in {@code gfn}; answers flush. */
    boolean unswitch(long gfn, CycleClock clock) {
        return emptyAll(rmap.of(gfn, SWITCHES, clock), clock);
    }

    private boolean emptyAll(PteList list, CycleClock clock) {
        FrameAccess entries = host.lease().access(clock);
        boolean any = false;
        for (int i = list.size() - 1; i >= 0; i--) {
            any |= emptyAt(list.get(i), entries, clock);
        }
        return any;
    }

    private boolean emptyAt(long at, FrameAccess entries, CycleClock clock) {
        ShadowPage page = pages.containing(at);
        return empty(page, (int) (at - page.spt >> 3), entries, clock);
    }

    /** Drops every entry that switches. The caller flushes. */
    void unswitchAll(CycleClock clock) {
        FrameAccess entries = host.lease().access(clock);
        List.copyOf(switched.keySet()).forEach(at -> emptyAt(at, entries, clock));
    }

    /** A top table is shadowed from now on that was not. */
    void rootsChanged() {
        epoch++;
    }

    /** The table in {@code gfn} is shadowed no longer, nor is what was reached through it alone. */
    void zapTable(long gfn, CycleClock clock) {
        FrameAccess entries = host.lease().access(clock);
        List.copyOf(pages.shadowing(gfn, clock)).forEach(page -> zap(page, entries, clock));
    }

    void zapAll(CycleClock clock) {
        FrameAccess entries = host.lease().access(clock);
        List.copyOf(pages.active()).forEach(page -> zap(page, entries, clock));
    }

    private void zap(ShadowPage page, FrameAccess entries, CycleClock clock) {
        if (page.invalid) {
            return;
        }
        page.invalid = true;
        epoch++;
        for (int i = 0; i < ShadowPage.ENTRIES; i++) {
            long entry = entries.load(page.sptep(i));
            empty(page, i, entries, clock);
            boolean table = SwitchingWalker.present(entry) && !SwitchingWalker.switching(entry) && page.level() > 1;
            if (table && child(entry).parents.size() == 0) {
                zap(child(entry), entries, clock);
            }
        }
        for (int i = page.parents.size() - 1; i >= 0; i--) {
            emptyAt(page.parents.get(i), entries, clock);
        }
        pages.unlist(page);
        zapped.add(page);
    }

    /** Flushes if {@code flush} or if pages were zapped, whose frames are given back then. */
    void commit(CycleClock clock, boolean flush) {
        if (flush || !zapped.isEmpty()) {
            host.flushRemoteTlbs(clock);
        }
        zapped.forEach(pages::free);
        zapped.clear();
    }

    /** Has the next write to each frame that {@code which} names fault, flags in tables included. */
    void protectEach(LongPredicate which, CycleClock clock) {
        visit(clock, (page, index, entry) -> {
            long gfn = leadsTo(page, index, entry);
            if (gfn >= 0 && which.test(gfn)) {
                host.lease().access(clock).store(page.sptep(index), entry & ~SwitchingWalker.WRITABLE);
            }
        });
    }

    /** The guest frame of the page or the table of the guest that {@code entry} leads to, −1 if it leads to a shadow page. */
    long leadsTo(ShadowPage page, int index, long entry) {
        return SwitchingWalker.switching(entry) ? switched.get(page.sptep(index)) : page.level() == 1 ? page.mappedGfn(index) : -1;
    }

    /** Told of each entry that is present. */
    interface Visitor {
        void entry(ShadowPage page, int index, long entry);
    }

    void visit(CycleClock clock, Visitor visitor) {
        FrameAccess entries = host.lease().access(clock);
        for (ShadowPage page : pages.active()) {
            for (int i = 0; i < ShadowPage.ENTRIES; i++) {
                long entry = entries.load(page.sptep(i));
                if (SwitchingWalker.present(entry)) {
                    visitor.entry(page, i, entry);
                }
            }
        }
    }

    /** True if the entry at {@code index} of {@code page}, which leads to {@code gfn}, is in the reverse map. Charges nothing. */
    boolean recorded(ShadowPage page, int index, long entry, long gfn) {
        return rmap.contains(gfn, SwitchingWalker.switching(entry) ? SWITCHES : PAGES, page.sptep(index));
    }
}
