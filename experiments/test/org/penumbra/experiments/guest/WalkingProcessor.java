package org.penumbra.experiments.guest;

import org.penumbra.api.cpu.FirstLevelTlb;
import org.penumbra.api.cpu.GuestException;
import org.penumbra.api.cpu.Outcome;
import org.penumbra.api.cpu.TlbArray;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.PageFaultError;
import org.penumbra.experiments.engine.FakeProcessor;

/**
 * A processor that walks the 4-level tables which the guest built, guest memory being physical memory. It caches as much as the
 * architecture lets it, so that a flush that the guest forgot shows as a wrong value.
 */
final class WalkingProcessor extends FakeProcessor {
    /** The value and port of the last OUT. */
    long out = -1;
    int port = -1;
    /** Every so many misses exit once; 0: never. */
    int exitEvery;
    private static final int FIRST_PCID_CONTEXT = 2;
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
        long table = registers.paging.root();
        long rights = Pte.W | Pte.U;
        long noExecution = 0;
        for (int level = 4; ; level--) {
            long at = table + 8L * GuestLayout.index(gva, level);
            long entry = memory.load64(at);
            if ((entry & Pte.P) == 0) {
                return fault(gva, access, 0);
            }
            rights &= entry;
            noExecution |= entry & Pte.NX;
            boolean leaf = level == 1 || (entry & Pte.PS) != 0;
            if (leaf && !allowed(access, rights, noExecution)) {
                return fault(gva, access, PageFaultError.PRESENT);
            }
            memory.store64(at, entry | Pte.A | (leaf && Access.isWrite(access) ? Pte.D : 0));
            long base = entry & 0x000f_ffff_ffff_f000L;
            if (leaf) {
                return fill(gva, access, level, base, entry, rights, noExecution);
            }
            table = base;
        }
    }

    private static boolean allowed(int access, long rights, long noExecution) {
        boolean userPage = (rights & Pte.U) != 0;
        if (Access.isUser(access) && !userPage || Access.isWrite(access) && (rights & Pte.W) == 0) {
            return false;
        }
        // CR4.SMEP: the supervisor executes no user page.
        return !Access.isFetch(access) || noExecution == 0 && (Access.isUser(access) || !userPage);
    }

    private long fill(long gva, int access, int level, long base, long entry, long rights, long noExecution) {
        int mask = 0;
        for (int a = 0; a < Access.KINDS; a++) {
            boolean clean = Access.isWrite(a) && !Access.isWrite(access) && (entry & Pte.D) == 0;
            if ((a & 3) != 3 && !clean && allowed(a, rights, noExecution)) {
                mask |= 1 << a;
            }
        }
        FirstLevelTlb tlb = Access.isFetch(access) ? code : data;
        TlbArray array = level == 1 ? tlb.small : tlb.large;
        int shift = level == 1 ? 12 : 21;
        int context = (entry & Pte.G) != 0 ? tlb.globalContext : tlb.context;
        array.insert(FirstLevelTlb.page(gva, shift), context, base, 0, mask & (int) TlbArray.ALLOWED);
        return base | gva & (1L << shift) - 1;
    }

    /** SDM vol. 3, "Operations that Invalidate TLBs …": a page fault drops what is cached for its address. */
    private long fault(long gva, int access, int present) {
        drop(gva);
        int code = present | (Access.isWrite(access) ? PageFaultError.WRITE : 0) | (Access.isUser(access) ? PageFaultError.USER : 0)
                | (Access.isFetch(access) ? PageFaultError.FETCH : 0);
        exception.set(GuestException.PF, code, gva);
        return FAULT;
    }

    private void drop(long gva) {
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
        registers.paging = registers.paging.withCr3(value & ~ControlBits.CR3_NO_FLUSH);
        data.context = FIRST_PCID_CONTEXT + registers.paging.pcid();
        code.context = data.context;
        if ((value & ControlBits.CR3_NO_FLUSH) == 0) {
            for (TlbArray array : new TlbArray[] {data.small, data.large, code.small, code.large}) {
                for (int i = 0; i < array.entries(); i++) {
                    if (array.tag[i] != -1 && (array.tag[i] & 0xffff) == data.context) {
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
