package org.penumbra.vmx.memory;

import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.LongUnaryOperator;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.memory.GuestMemory;
import org.penumbra.api.memory.MemorySlot;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.api.observe.TranslationObserver;

/**
 * The host's side of one machine's memory: physical frames, the address space that backs the guest, the guest's slot, the dirty log.
 *
 * <p>Two locks. {@code pages} lets accesses by the hypervisor in together and a change of frames in alone; nothing is called while it
 * is held that could take another lock. Host events are one at a time under a lock of their own, which is held while the notifier
 * runs: so whoever may cause one (a write to a shared page) holds no lock that the notifier takes.
 */
public final class HostMemory {
    /** Host memory beside the guest's: room for translation structures. */
    private static final long RESERVE = 64L << 20;

    final Invalidations invalidations = new Invalidations();
    final FramePool pool;
    final HostAddressSpace space;
    final ReadWriteLock pages = new ReentrantReadWriteLock();
    private final PhysicalMemory physical;
    private final MemorySlot slot;
    private final DirtyBitmap dirty;
    private final HostEvents events;
    private TranslationObserver observer;
    private byte leaseNumber = FramePool.FIRST_LEASE;

    /**
     * One slot of {@code guestBytes} bytes at gpa 0, backed by host pages of {@code pageLevel}.
     *
     * @param reverse {@link #gpaOf} will be asked
     */
    public HostMemory(long guestBytes, int pageLevel, boolean reverse) {
        // A quarter more than the guest has, and a reserve, hold the structures of any two designs here.
        physical = new PhysicalMemory(guestBytes + (guestBytes / 4 & -(1L << 21)) + RESERVE);
        pool = new FramePool(physical);
        space = new HostAddressSpace(guestBytes, pageLevel == 2, reverse);
        slot = new MemorySlot(0, 0, guestBytes >>> 12, 0);
        dirty = new DirtyBitmap(slot.frames());
        events = new HostEvents(this, slot.frames());
    }

    public PhysicalMemory physical() {
        return physical;
    }

    public DirtyBitmap dirty() {
        return dirty;
    }

    /** What the host can do to the pages. */
    public HostEvents events() {
        return events;
    }

    /** Has {@code whom} told of entries that the hypervisor updates in the processor's stead. Set before the guest runs. */
    public void observe(TranslationObserver whom) {
        observer = whom;
    }

    boolean hasSlot(long gfn) {
        return slot.contains(gfn);
    }

    long hva(long gfn) {
        return slot.hvaOf(gfn);
    }

    /** The pfn of {@code gfn}, faulted in, and its own if {@code write}; {@link GuestMemory#NO_SLOT} if no slot has it. */
    public long pfn(long gfn, boolean write) {
        return hasSlot(gfn) ? at(gfn << 12, write, null, hpa -> hpa) >>> 12 : GuestMemory.NO_SLOT;
    }

    /**
     * What {@code access} answers for the hpa of {@code gpa}, which a slot has. The page stays where it is meanwhile; for a write it
     * is not shared.
     */
    long at(long gpa, boolean write, Fence fence, LongUnaryOperator access) {
        long hva = hva(gpa >>> 12);
        while (true) {
            pages.readLock().lock();
            try {
                if (space.usable(hva, write)) {
                    if (fence != null) {
                        fence.check();
                    }
                    return access.applyAsLong(space.frame(hva) << 12 | gpa & 0xfff);
                }
            } finally {
                pages.readLock().unlock();
            }
            events.faultIn(gpa >>> 12, write);
        }
    }

    boolean compareAndSet(long hpa, long expected, long value) {
        boolean done = physical.compareAndSet64(hpa, expected, value);
        if (done && observer != null) {
            observer.updated(hpa);
        }
        return done;
    }

    /** May {@code gfn} be mapped writable as it is? */
    boolean writable(long gfn) {
        pages.readLock().lock();
        try {
            return space.usable(hva(gfn), true);
        } finally {
            pages.readLock().unlock();
        }
    }

    /** The frame behind {@code gfn}; −1 if no slot has it, it was never used or is swapped out. */
    long current(long gfn) {
        pages.readLock().lock();
        try {
            return hasSlot(gfn) && space.usable(hva(gfn), false) ? space.frame(hva(gfn)) : -1;
        } finally {
            pages.readLock().unlock();
        }
    }

    /** The largest host page that maps {@code gfn} alike for guest and host and lies within its slot; 0 without a slot. */
    int mappingLevel(long gfn) {
        if (!hasSlot(gfn)) {
            return 0;
        }
        long first = gfn & -512L;
        boolean alike = (hva(gfn) >>> 12 & 511) == (gfn & 511);
        pages.readLock().lock();
        try {
            return alike && hasSlot(first) && hasSlot(first + 511) && space.large(hva(gfn)) ? 2 : 1;
        } finally {
            pages.readLock().unlock();
        }
    }

    /**
     * Where the contents of {@code gpa} are now, in memory or swap; −1 if no slot has it or it was never used. Takes no time, no lock,
     * and changes nothing: for machines that stand still and for checked ones, which have one thread.
     */
    public long peek(long gpa) {
        long pfn = hasSlot(gpa >>> 12) ? space.frame(hva(gpa >>> 12)) : -1;
        return pfn < 0 ? -1 : pfn << 12 | gpa & 0xfff;
    }

    /** The guest-physical address whose contents lie at {@code hpa}; −1 if that is no guest memory. Like {@link #peek} otherwise. */
    public long gpaOf(long hpa) {
        if (pool.owner(hpa >>> 12) != FramePool.GUEST) {
            return -1;
        }
        return space.hvaOf(hpa >>> 12) - slot.hva() + (slot.baseGfn() << 12) | hpa & 0xfff;
    }

    /** Writes 8 bytes at {@code gpa} before the guest runs. */
    public void load(long gpa, long value) {
        long pfn = pfn(gpa >>> 12, true);
        if (pfn == GuestMemory.NO_SLOT) {
            throw new IllegalArgumentException(String.format("the boot image writes guest-physical address 0x%x, which the guest does not have", gpa));
        }
        physical.store64(pfn << 12 | gpa & 0xfff, value);
    }

    /** Returns when every access that had begun is done: after a fence was shut, nothing comes through it any more. */
    public void awaitStores() {
        pages.writeLock().lock();
        pages.writeLock().unlock();
    }

    /** Marks every frame that the guest has used as dirty. */
    public void markAll() {
        for (long gfn = slot.baseGfn(); gfn < slot.baseGfn() + slot.frames(); gfn++) {
            if (peek(gfn << 12) >= 0) {
                dirty.mark(gfn);
            }
        }
    }

    /** Guest memory, charged to {@code clock} and open as long as {@code fence} is. */
    public GuestMemory view(CycleClock clock, Fence fence) {
        return new GuestMemoryView(this, clock, fence);
    }

    /** A new lease, with a number that no other lease which still holds frames has. */
    public synchronized Lease newLease() {
        leaseNumber = leaseNumber == Byte.MAX_VALUE ? FramePool.FIRST_LEASE : (byte) (leaseNumber + 1);
        return new Lease(physical, pool, leaseNumber);
    }
}
