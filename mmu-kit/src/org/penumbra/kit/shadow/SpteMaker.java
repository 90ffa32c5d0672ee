package org.penumbra.kit.shadow;

import org.penumbra.api.memory.DirtyLog;
import org.penumbra.api.observe.TracePoint;
import org.penumbra.kit.Rights;
import org.penumbra.kit.Role;
import org.penumbra.kit.ShadowPage;

/** Decides what a leaf spte may say and puts it in place: KVM's make_spte and mmu_set_spte. Under the MMU's lock. */
final class SpteMaker {
    /** What {@link #set} answers, besides whether a flush is needed. */
    static final int FLUSH = 1;
    /** The guest's write right was withheld: the frame holds a table that must stay in step. */
    static final int PROTECTED = 2;
    /** The entry said this already. */
    static final int UNCHANGED = 4;
    /** Nothing was done: it takes more than one compare-and-set. */
    static final int NOT_SHARED = 8;

    /** In what way {@link #set} may work: exclusively, a table of the gfn staying in step. */
    static final int KEEP_SYNC = 0;
    /** Exclusively, and a leaf table in the gfn may go unsync to let the guest write it. */
    static final int MAY_UNSYNC = 1;
    /** The lock is held shared. */
    static final int SHARED = 2;
    /** The same, with nothing in place yet and no access: a table of the gfn stays in step, the frame is not young by it. */
    static final int PREFETCH = 3;

    private final ShadowTree tree;
    private final DirtyLog log;
    private final ShadowCounters counters;
    private final boolean unsyncAllowed;

    SpteMaker(ShadowTree tree, DirtyLog log, ShadowCounters counters, boolean unsyncAllowed) {
        this.tree = tree;
        this.log = log;
        this.counters = counters;
        this.unsyncAllowed = unsyncAllowed;
    }

    /**
     * Makes leaf spte {@code index} of {@code page} map {@code gfn} to {@code pfn} with {@code rights}.
     *
     * <p>A right to write that the host (shared page) or the dirty log withholds is given with the first write.
     *
     * @param how {@link #KEEP_SYNC}, {@link #MAY_UNSYNC}, {@link #SHARED} or {@link #PREFETCH}
     * @param write it is made for a write
     */
    int set(Worker w, ShadowPage page, int index, long gfn, long pfn, int rights, int how, boolean write) {
        long sptep = page.sptep(index);
        int level = page.level();
        int answer = 0;
        long old = w.sptes.load(sptep);
        boolean mapped = tree.format.present(old);
        boolean other = mapped && (!Spte.leaf(old, level) || Spte.pfn(old) != pfn || page.mappedGfn(index) != gfn);
        boolean shared = how == SHARED || how == PREFETCH;
        if (shared && (other || !mapped && old != 0)) {
            return NOT_SHARED;
        }
        if (other) {
            tree.zapPte(w, page, index);
            answer = FLUSH;
            mapped = false;
        }
        int granted = tree.nx.on() && level > 1 ? rights & ~Rights.EXEC : rights;
        boolean wanted = (rights & Rights.WRITE) != 0 && w.guest.writable(gfn);
        boolean later = wanted && log.logs(gfn) && !write && !(mapped && Spte.writable(old));
        boolean mayWrite = wanted && writeAllowed(w, gfn, later ? KEEP_SYNC : how);
        if (wanted && !later && !mayWrite) {
            if (how == SHARED && unsyncAllowed && !tree.writesMustBeSeen(gfn)) {
                return NOT_SHARED;
            }
            answer |= PROTECTED;
        }
        if (later || !mayWrite) {
            granted &= ~Rights.WRITE;
        }
        long spte = tree.format.page(pfn, level, Role.granted(page.role, granted)) | (mayWrite ? Spte.MAY_WRITE : 0);
        spte = how == PREFETCH ? spte & ~tree.format.accessed : spte;
        boolean dirties = write && (granted & Rights.WRITE) != 0;
        long hardwareBits = tree.format.accessed | tree.format.dirty;
        if (mapped && (old & ~hardwareBits) == (spte & ~hardwareBits)) {
            if (dirties) {
                log.mark(gfn);
            }
            return answer | UNCHANGED;
        }
        // Rights that only grow need no flush: a processor that uses the old entry faults, and walks again.
        int before = tree.format.rights(old);
        int after = tree.format.rights(spte);
        boolean lost = mapped && ((before & ~after & Rights.ALL) != 0 || ((before ^ after) & (Rights.USER | Rights.MEMORY_TYPE)) != 0);
        if (shared) {
            if (lost || !w.sptes.compareAndSet(sptep, old, spte)) {
                return NOT_SHARED;
            }
        } else {
            w.sptes.store(sptep, spte);
        }
        if (!mapped) {
            page.setMappedGfn(index, gfn);
            tree.rmap.add(gfn, level, sptep, w.clock);
            counters.mapped.add(level, 1);
        }
        if (dirties) {
            log.mark(gfn);
        }
        if (w.trace.on(TracePoint.KVM_MMU_SET_SPTE)) {
            w.trace.tell(TracePoint.KVM_MMU_SET_SPTE, gfn, spte, sptep, level);
        }
        return lost ? answer | FLUSH : answer;
    }

    /**
     * Puts the MMIO spte {@code mmio} for {@code gfn} with the rights {@code access} in the place of whatever {@code page} has at {@code index}.
     * Answers flush. KVM: mark_mmio_spte.
     */
    boolean mmio(Worker w, ShadowPage page, int index, long gfn, int access, long mmio) {
        boolean mapped = tree.zapPte(w, page, index);
        w.sptes.store(page.sptep(index), mmio);
        counters.pfMmioSpteCreated.increment();
        if (w.trace.on(TracePoint.MARK_MMIO_SPTE)) {
            w.trace.tell(TracePoint.MARK_MMIO_SPTE, page.sptep(index), gfn, access, w.guest.generation());
        }
        return mapped;
    }

    /** May {@code gfn} be mapped writable? Leaf tables in it go unsync if that helps. KVM: mmu_try_to_unsync_pages. */
    boolean writeAllowed(Worker w, long gfn, int how) {
        if (tree.writesMustBeSeen(gfn)) {
            return false;
        }
        for (ShadowPage page : tree.pages.shadowing(gfn, w.clock)) {
            if (!page.unsync && !(how == MAY_UNSYNC && unsyncAllowed)) {
                return false;
            }
        }
        for (ShadowPage page : tree.pages.shadowing(gfn, w.clock)) {
            if (!page.unsync) {
                tree.unsync(w, page);
            }
        }
        return true;
    }
}
