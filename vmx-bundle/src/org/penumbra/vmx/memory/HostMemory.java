package org.penumbra.vmx.memory;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.LongUnaryOperator;
import org.eclipse.collections.impl.set.mutable.primitive.LongHashSet;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.machine.MemoryDigest;
import org.penumbra.api.memory.GuestMemory;
import org.penumbra.api.memory.MemorySlot;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.api.observe.TranslationObserver;

/**
 * The host's side of one machine's memory: physical frames, the address space that backs the guest, the guest's slots, the dirty log.
 * Nothing in it grows with the memory that a guest has, but what it touches and a table of pointers per 4 MiB of the host.
 *
 * <p>Two locks. {@code pages} lets accesses by the hypervisor in together and a change of frames in alone; nothing is called while it
 * is held that could take another lock. Host events are one at a time under a lock of their own, which is held while the notifier
 * runs: so whoever may cause one (a write to a shared page) holds no lock that the notifier takes. Slots change while nobody is in
 * the guest, in the hypervisor's part of an exit, or in a host event.
 */
public final class HostMemory {
    /** Bits of a guest frame number: those of the largest MAXPHYADDR (SDM vol. 3, "Address Translation: Physical-Address Width"). */
    static final int GFN_BITS = 40;
    /** Host memory beside the guest's: room for translation structures. */
    private static final long RESERVE = 64L << 20;

    /** Told of a page of the host's, and where its contents are. */
    public interface Page {
        void page(long hva, long hpa);
    }

    final Invalidations invalidations = new Invalidations();
    final FramePool pool;
    final HostAddressSpace space;
    final ReadWriteLock pages = new ReentrantReadWriteLock();
    private final PhysicalMemory physical;
    private final DirtyBitmap dirty;
    private final HostEvents events;
    private volatile SlotSet slots;
    private volatile long generation;
    private TranslationObserver observer;
    private byte leaseNumber = FramePool.FIRST_LEASE;

    /**
     * Slot 0 of {@code guestBytes} bytes at gpa 0, backed by host pages of {@code pageLevel}.
     *
     * @param reverse {@link #gpaOf} will be asked
     */
    public HostMemory(long guestBytes, int pageLevel, boolean reverse) {
        // A quarter more than the guest has, and a reserve, hold the structures of any two designs here. A frame that nobody uses
        // costs nothing, and further slots may give more than there is: then the host runs out when it is used.
        physical = new PhysicalMemory(guestBytes + (guestBytes / 4 & -(1L << 21)) + RESERVE);
        pool = new FramePool(physical);
        space = new HostAddressSpace(pageLevel == 2, reverse);
        slots = new SlotSet(new MemorySlot(0, 0, guestBytes >>> 12, 0));
        dirty = new DirtyBitmap(slots);
        events = new HostEvents(this);
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

    /** The slots as they are now. */
    SlotSet slots() {
        return slots;
    }

    /** See {@link org.penumbra.api.machine.MemorySlots#all}. */
    public List<MemorySlot> allSlots() {
        return slots.all();
    }

    /** See {@link GuestMemory#generation}. */
    public long generation() {
        return generation;
    }

    /**
     * Makes {@code next} the slots: a step of a change. {@code told} hears of it before it counts as over; what it marks as dirty is
     * logged as before the step. KVM: kvm_swap_active_memslots.
     */
    void publish(SlotSet next, Runnable told) {
        generation = generation | GuestMemory.UPDATING;
        slots = next;
        told.run();
        dirty.slots(next);
        generation = (generation & ~GuestMemory.UPDATING) + 1;
    }

    /** The host-virtual address of {@code gfn}; −1 if no slot has it. */
    long hva(long gfn) {
        MemorySlot slot = slots.find(gfn);
        return slot == null ? -1 : slot.hvaOf(gfn);
    }

    /** The slot that has {@code gfn} for an access that writes, or does not; null if none has. */
    MemorySlot slot(long gfn, boolean write) {
        MemorySlot slot = slots.find(gfn);
        return slot == null || write && slot.readOnly() ? null : slot;
    }

    /**
     * The pfn of {@code gfn}, faulted in, and its own if {@code write}; {@link GuestMemory#NO_SLOT} if no slot has it, or a read-only
     * one and {@code write}.
     */
    public long pfn(long gfn, boolean write) {
        MemorySlot slot = slot(gfn, write);
        return slot == null ? GuestMemory.NO_SLOT : at(slot.hvaOf(gfn), write, null, hpa -> hpa) >>> 12;
    }

    /**
     * What {@code access} answers for the hpa of {@code hva}. The page stays where it is meanwhile; for a write it is not shared.
     */
    long at(long hva, boolean write, Fence fence, LongUnaryOperator access) {
        while (true) {
            pages.readLock().lock();
            try {
                if (space.usable(hva, write)) {
                    if (fence != null) {
                        fence.check();
                    }
                    return access.applyAsLong(space.frame(hva) << 12 | hva & 0xfff);
                }
            } finally {
                pages.readLock().unlock();
            }
            events.faultIn(hva & -4096L, write);
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
        MemorySlot slot = slot(gfn, true);
        pages.readLock().lock();
        try {
            return slot != null && space.usable(slot.hvaOf(gfn), true);
        } finally {
            pages.readLock().unlock();
        }
    }

    /** The frame behind {@code gfn}; −1 if no slot has it, it was never used or is swapped out. */
    long current(long gfn) {
        long hva = hva(gfn);
        pages.readLock().lock();
        try {
            return hva >= 0 && space.usable(hva, false) ? space.frame(hva) : -1;
        } finally {
            pages.readLock().unlock();
        }
    }

    /**
     * The largest host page that maps {@code gfn} alike for guest and host and lies within its slot; 0 without a slot. KVM:
     * kvm_alloc_memslot_metadata forbids large pages at unaligned ends, and everywhere if gpa and hva are not aligned alike.
     */
    int mappingLevel(long gfn) {
        MemorySlot slot = slots.find(gfn);
        if (slot == null) {
            return 0;
        }
        long first = gfn & -512L;
        boolean alike = (slot.hvaOf(gfn) >>> 12 & 511) == (gfn & 511);
        pages.readLock().lock();
        try {
            return alike && slot.contains(first) && slot.contains(first + 511) && space.large(slot.hvaOf(gfn)) ? 2 : 1;
        } finally {
            pages.readLock().unlock();
        }
    }

    /**
     * Where the contents of {@code gpa} are now, in memory or swap; −1 if no slot has it or it was never used. Takes no time, no lock,
     * and changes nothing: for machines that stand still and for checked ones, which have one thread.
     */
    public long peek(long gpa) {
        long hva = hva(gpa >>> 12);
        long pfn = hva < 0 ? -1 : space.frame(hva);
        return pfn < 0 ? -1 : pfn << 12 | gpa & 0xfff;
    }

    /**
     * The guest-physical address whose contents lie at {@code hpa}, the first if there are several; −1 if that is no guest memory.
     * Like {@link #peek} otherwise.
     */
    public long gpaOf(long hpa) {
        if (pool.owner(hpa >>> 12) != FramePool.GUEST) {
            return -1;
        }
        long hva = space.hvaOf(hpa >>> 12);
        long gfn = hva < 0 ? -1 : slots.gfnOf(hva);
        return gfn < 0 ? -1 : gfn << 12 | hpa & 0xfff;
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

    /** Tells every frame that a slot gives the guest and that was used, by ascending gfn. While the machine stands still. */
    private void used(HostAddressSpace.Used whom) {
        for (MemorySlot slot : slots.all()) {
            space.used(slot.hva(), slot.frames() << 12, (hva, pfn) -> whom.page(slot.baseGfn() + (hva - slot.hva() >>> 12), pfn));
        }
    }

    /** Marks every frame that the guest has used as dirty. */
    public void markAll() {
        used((gfn, pfn) -> dirty.mark(gfn));
    }

    /** Writes the slots for a snapshot. */
    public void saveSlots(DataOutput out) throws IOException {
        out.writeInt(allSlots().size());
        for (MemorySlot slot : allSlots()) {
            out.writeInt(slot.id());
            out.writeInt(slot.flags());
            out.writeLong(slot.baseGfn());
            out.writeLong(slot.frames());
            out.writeLong(slot.hva());
        }
    }

    /**
     * Takes the slots of a snapshot in place of all that there are. Before the guest runs.
     *
     * @param physicalBits the guest's MAXPHYADDR
     */
    public void restoreSlots(DataInput in, int physicalBits) throws IOException {
        SlotSet restored = new SlotSet();
        for (int left = in.readInt(); left > 0; left--) {
            restored = restored.with(in.readInt(), in.readInt(), in.readLong() << 12, in.readLong() << 12, in.readLong(), (1L << physicalBits - 12) - 1);
        }
        publish(restored, () -> { });
    }

    /** Tells every page of the host that was used, by ascending hva, be it in a slot or not. While the machine stands still. */
    public void pages(Page whom) {
        space.used(0, HostAddressSpace.BYTES, (hva, pfn) -> whom.page(hva, pfn << 12));
    }

    /** Puts {@code words} into the page at {@code hva}. Before the guest runs. */
    public void fill(long hva, long[] words) {
        long hpa = at(hva, true, null, found -> found);
        for (int i = 0; i < words.length; i++) {
            physical.store64(hpa + 8L * i, words[i]);
        }
    }

    /** A digest of the guest's memory as {@link org.penumbra.api.machine.Machine#memoryDigest} says. */
    public long digest() {
        MemoryDigest digest = new MemoryDigest(physical);
        used((gfn, pfn) -> digest.frame(gfn << 12, pfn << 12));
        return digest.value();
    }

    /**
     * The frames that slots give the guest now, for writing if {@code write}: what its processors may reach, besides structures of the
     * MMU. While the machine stands still.
     */
    LongHashSet given(boolean write) {
        LongHashSet given = new LongHashSet();
        for (MemorySlot slot : slots.all()) {
            if (!write || !slot.readOnly()) {
                space.used(slot.hva(), slot.frames() << 12, (hva, pfn) -> {
                    if (space.usable(hva, write)) {
                        given.add(pfn);
                    }
                });
            }
        }
        return given;
    }

    /** Why a mapping of {@code gfn} to {@code pfn} is none that the slots allow; empty if it is one. While the machine stands still. */
    String objection(long gfn, long pfn, boolean write) {
        MemorySlot slot = slots.find(gfn);
        if (slot == null) {
            return "and no slot has that guest frame";
        }
        long hva = slot.hvaOf(gfn);
        if (!space.usable(hva, false) || space.frame(hva) != pfn) {
            return "which is not the one that its slot gives";
        }
        if (write && slot.readOnly()) {
            return "writable, from a read-only slot";
        }
        return write && space.shared(hva) ? "writable, which the host shares" : "";
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
