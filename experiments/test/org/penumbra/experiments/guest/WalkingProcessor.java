package org.penumbra.experiments.guest;

import org.penumbra.api.cpu.FirstLevelTlb;
import org.penumbra.api.cpu.GuestException;
import org.penumbra.api.cpu.Outcome;
import org.penumbra.api.cpu.TlbArray;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.PageFaultError;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.Pdptes;
import org.penumbra.experiments.engine.FakeProcessor;

/**
 * A processor that walks the tables which the guest built, in every paging mode, guest memory being physical memory. It caches as much
 * as the architecture lets it, PDPTEs included, so that a flush that the guest forgot shows as a wrong value.
 */
final class WalkingProcessor extends FakeProcessor {
    /** The value and port of the last OUT. */
    long out = -1;
    int port = -1;
    /** Every so many misses exit once; 0: never. */
    int exitEvery;
    private static final int FIRST_PCID_CONTEXT = 2;
    private static final int MAXPHYADDR = 46;
    private static final long ADDRESS = 0x000f_ffff_ffff_f000L;
    private int misses;
    private long exitedAt = -1;

    WalkingProcessor(PhysicalMemory memory) {
        super(memory);
        data.globalContext = 1;
        code.globalContext = 1;
    }

    @Override
    public long translate(long gva, int access) {
        if (exitEvery > 0 && exitedAt != gva && ++misses % exitEvery == 0) {
            exitedAt = gva;
            return EXIT;
        }
        exitedAt = -1;
        PagingState state = registers.paging;
        PagingMode mode = state.mode();
        if (mode == PagingMode.NONE) {
            return gva;
        }
        long table = state.root();
        if (mode == PagingMode.PAE) {
            long pdpte = state.pdptes().of(gva);
            if ((pdpte & Pte.P) == 0) {
                return fault(gva, access, 0);
            }
            table = pdpte & ADDRESS;
        }
        int bytes = mode.entryBytes();
        long rights = Pte.W | Pte.U;
        long noExecution = 0;
        for (int level = mode.levels(); ; level--) {
            long at = table + bytes * (gva >>> shift(mode, level) & 4096 / bytes - 1);
            long entry = memory.load(at, bytes);
            if ((entry & Pte.P) == 0) {
                return fault(gva, access, 0);
            }
            rights &= entry;
            noExecution |= entry & Pte.NX;
            boolean leaf = level == 1 || (entry & Pte.PS) != 0;
            if (leaf && !allowed(access, rights, noExecution)) {
                return fault(gva, access, PageFaultError.PRESENT);
            }
            memory.store(at, bytes, entry | Pte.A | (leaf && Access.isWrite(access) ? Pte.D : 0));
            long base = entry & ADDRESS;
            if (leaf) {
                return fill(gva, access, shift(mode, level), base, entry, rights, noExecution);
            }
            table = base;
        }
    }

    private static int shift(PagingMode mode, int level) {
        return 12 + (mode.entryBytes() == 4 ? 10 : 9) * (level - 1);
    }

    private static boolean allowed(int access, long rights, long noExecution) {
        boolean userPage = (rights & Pte.U) != 0;
        if (Access.isUser(access) && !userPage || Access.isWrite(access) && (rights & Pte.W) == 0) {
            return false;
        }
        // CR4.SMEP: the supervisor executes no user page.
        return !Access.isFetch(access) || noExecution == 0 && (Access.isUser(access) || !userPage);
    }

    private long fill(long gva, int access, int shift, long base, long entry, long rights, long noExecution) {
        int mask = 0;
        for (int a = 0; a < Access.KINDS; a++) {
            boolean clean = Access.isWrite(a) && !Access.isWrite(access) && (entry & Pte.D) == 0;
            boolean exists = (a & 3) != 3 && (a & (Access.USER | Access.AC)) != (Access.USER | Access.AC);
            if (exists && !clean && allowed(a, rights, noExecution)) {
                mask |= 1 << a;
            }
        }
        FirstLevelTlb tlb = Access.isFetch(access) ? code : data;
        int context = (entry & Pte.G) != 0 ? tlb.globalContext : tlb.context;
        // A page of 4 MiB takes an entry for each half.
        int cached = shift == 12 ? 12 : 21;
        long hpa = base | gva & (1L << shift) - 1;
        (shift == 12 ? tlb.small : tlb.large).insert(FirstLevelTlb.page(gva, cached), context, hpa & -1L << cached, 0, mask);
        return hpa;
    }

    /** SDM vol. 3, "Operations that Invalidate TLBs …": a page fault drops what is cached for its address. */
    private long fault(long gva, int access, int present) {
        drop(gva);
        int code = present | (Access.isWrite(access) ? PageFaultError.WRITE : 0) | (Access.isUser(access) ? PageFaultError.USER : 0)
                | (Access.isFetch(access) ? PageFaultError.FETCH : 0);
        exception.set(GuestException.PF, code, gva);
        return FAULT;
    }

    /** SDM vol. 3, "Operations that Invalidate TLBs …": of a page with several TLB entries INVLPG drops all. */
    private void drop(long gva) {
        dropCached(gva);
        if (registers.paging.mode() == PagingMode.BITS_32) {
            dropCached(gva ^ 1L << 21);
        }
    }

    private void dropCached(long gva) {
        for (FirstLevelTlb tlb : new FirstLevelTlb[] {data, code}) {
            for (int context : new int[] {tlb.context, tlb.globalContext}) {
                int i = tlb.small.find(FirstLevelTlb.page(gva, 12), context);
                if (i >= 0) {
                    tlb.small.drop(i);
                }
                i = tlb.large.find(FirstLevelTlb.page(gva, 21), context);
                if (i >= 0) {
                    tlb.large.drop(i);
                }
            }
        }
    }

    @Override
    public int movToCr3(long value) {
        PagingState loaded = registers.paging.withCr3(value & ~ControlBits.CR3_NO_FLUSH);
        if (loaded.mode() == PagingMode.PAE) {
            long at = loaded.root();
            Pdptes pdptes = new Pdptes(memory.load64(at), memory.load64(at + 8), memory.load64(at + 16), memory.load64(at + 24));
            if (!pdptes.allowed(MAXPHYADDR)) {
                throw new AssertionError("#GP(0): " + pdptes);
            }
            loaded = loaded.withPdptes(pdptes);
        }
        registers.paging = loaded;
        data.context = FIRST_PCID_CONTEXT + registers.paging.pcid();
        code.context = data.context;
        if ((value & ControlBits.CR3_NO_FLUSH) == 0) {
            for (TlbArray array : new TlbArray[] {data.small, data.large, code.small, code.large}) {
                for (int i = 0; i < array.entries(); i++) {
                    if (array.tag(i) != -1 && (array.tag(i) & 0xffff) == data.context) {
                        array.drop(i);
                    }
                }
            }
        }
        return Outcome.DONE;
    }

    @Override
    public int invlpg(long gva) {
        drop(gva);
        return Outcome.DONE;
    }

    @Override
    public int out(int outPort, int width, long value) {
        port = outPort;
        out = value;
        return Outcome.DONE;
    }
}
