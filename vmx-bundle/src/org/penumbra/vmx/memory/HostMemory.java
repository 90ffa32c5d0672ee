package org.penumbra.vmx.memory;

import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.memory.FrameLease;
import org.penumbra.api.memory.GuestMemory;
import org.penumbra.api.memory.MemorySlot;
import org.penumbra.api.memory.PhysicalMemory;

/** The host's side of one machine's memory: physical frames, the address space that backs the guest, the guest's slot, leases. */
public final class HostMemory {
    /** Host memory beside the guest's: room for translation structures. */
    private static final long RESERVE = 64L << 20;

    private final PhysicalMemory physical;
    private final FramePool pool;
    private final HostAddressSpace space;
    private final MemorySlot slot;
    private Lease lease;
    private byte leaseNumber = FramePool.FIRST_LEASE;

    /** One slot of {@code guestBytes} bytes at gpa 0, backed by host pages of {@code pageLevel}. */
    public HostMemory(long guestBytes, int pageLevel) {
        // A quarter more than the guest has, and a reserve, hold the structures of any design here.
        physical = new PhysicalMemory(guestBytes + (guestBytes / 4 & -(1L << 21)) + RESERVE);
        pool = new FramePool(physical);
        space = new HostAddressSpace(pool, guestBytes, pageLevel);
        slot = new MemorySlot(0, 0, guestBytes >>> 12, 0);
    }

    public PhysicalMemory physical() {
        return physical;
    }

    /** The slot that holds {@code gfn}, or null. */
    MemorySlot slot(long gfn) {
        return slot.contains(gfn) ? slot : null;
    }

    /** The pfn of {@code gfn}, faulted in; {@link GuestMemory#NO_SLOT} if no slot has it. */
    long pfn(long gfn) {
        MemorySlot s = slot(gfn);
        return s == null ? GuestMemory.NO_SLOT : space.pfn(s.hvaOf(gfn));
    }

    /** The largest host page that maps {@code gfn} alike for guest and host and lies within {@code s}. */
    int mappingLevel(MemorySlot s, long gfn) {
        long first = gfn & -512L;
        boolean alike = (s.hvaOf(gfn) >>> 12 & 511) == (gfn & 511);
        return alike && s.contains(first) && s.contains(first + 511) ? space.level(s.hvaOf(gfn)) : 1;
    }

    /** Where {@code gpa} is now; −1 if no slot has it or the host has not provided it yet. Takes no time and changes nothing. */
    public long peek(long gpa) {
        MemorySlot s = slot(gpa >>> 12);
        long pfn = s == null ? -1 : space.find(s.hvaOf(gpa >>> 12));
        return pfn < 0 ? -1 : pfn << 12 | gpa & 0xfff;
    }

    /** Writes 8 bytes at {@code gpa} before the guest runs. */
    public void load(long gpa, long value) {
        long pfn = pfn(gpa >>> 12);
        if (pfn == GuestMemory.NO_SLOT) {
            throw new IllegalArgumentException(String.format("the boot image writes guest-physical address 0x%x, which the guest does not have", gpa));
        }
        physical.store64(pfn << 12 | gpa & 0xfff, value);
    }

    /** Guest memory, charged to {@code clock}. */
    public GuestMemory view(CycleClock clock) {
        return new GuestMemoryView(this, clock);
    }

    /** A new lease; the one before, if any, is revoked. */
    public FrameLease newLease() {
        revokeLease();
        leaseNumber = leaseNumber == Byte.MAX_VALUE ? FramePool.FIRST_LEASE : (byte) (leaseNumber + 1);
        lease = new Lease(physical, pool, leaseNumber);
        return lease;
    }

    /** Frees the frames of the lease and fences late accesses. */
    public void revokeLease() {
        if (lease != null) {
            lease.revoke();
        }
    }
}
