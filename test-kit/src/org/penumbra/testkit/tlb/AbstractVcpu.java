package org.penumbra.testkit.tlb;

import java.util.ArrayList;
import java.util.List;
import org.eclipse.collections.impl.map.mutable.primitive.IntObjectHashMap;
import org.penumbra.api.paging.PagingState;
import org.penumbra.testkit.reference.ReferenceWalker;

/**
 * A vCPU: what is cached for its guest, and, under each VPID or ASID that the guest uses as a hypervisor, for its guest's guests. VPID 0 is also
 * the guest's own: what is cached under it goes at each VM entry and VM exit without "enable VPID" (SDM vol. 3, "Operations that Invalidate
 * Cached Mappings").
 */
final class AbstractVcpu {
    private static final int ALL_CONTEXTS = 2;
    private static final int RETAINING_GLOBALS = 3;

    private final ReferenceWalker walker;
    private final EptTimes ept = new EptTimes();
    private final AbstractProcessor own;
    private final IntObjectHashMap<AbstractProcessor> nested = new IntObjectHashMap<>();
    private AbstractProcessor current;
    /** VPID or ASID of the guest's guest that runs, or ran last. */
    private int vpid;
    /** When everything of every ASID was dropped last. */
    private long allFlushed;

    AbstractVcpu(ReferenceWalker walker) {
        this.walker = walker;
        own = new AbstractProcessor(walker, ept);
        current = own;
    }

    /** What runs. */
    AbstractProcessor current() {
        return current;
    }

    /** Everything that has run. */
    List<AbstractProcessor> processors() {
        List<AbstractProcessor> all = new ArrayList<>(nested.values());
        all.add(own);
        return all;
    }

    /** Pages with an invalidation time of their own. */
    int pages() {
        return own.times.pages() + nested.values().stream().mapToInt(cpu -> cpu.times.pages()).sum();
    }

    void enter(int nextVpid, Tables12 tables12, PagingState state, long time) {
        current.leave(time);
        vpid = nextVpid;
        current = nested(vpid);
        dropWithoutVpid(time);
        current.enter(state, tables12, time);
    }

    void leave(PagingState state, long time) {
        current.leave(time);
        dropWithoutVpid(time);
        current = own;
        current.enter(state, null, time);
    }

    private void dropWithoutVpid(long time) {
        if (vpid == 0) {
            own.times.dropAll(time);
            nested.get(0).times.dropAll(time);
        }
    }

    void invalidatedEpt(boolean all, long eptp, long time) {
        if (all) {
            ept.dropAll(time);
        } else {
            ept.drop(eptp, time);
        }
    }

    /** VMRUN of the guest flushes: everything, or what is cached under {@code asid}. */
    void flushedAsid(boolean all, int asid, long time) {
        if (all) {
            allFlushed = time;
            own.times.dropAll(time);
            nested.forEachValue(cpu -> cpu.flushedAsid(time));
        } else {
            nested(asid).flushedAsid(time);
        }
    }

    private AbstractProcessor nested(int tag) {
        AbstractProcessor cpu = nested.get(tag);
        if (cpu == null) {
            cpu = new AbstractProcessor(walker, ept);
            cpu.flushedAsid(allFlushed);
            nested.put(tag, cpu);
        }
        return cpu;
    }

    /** @param type 0 individual address, 1 single context, 2 all contexts, 3 single context, retaining globals */
    void invalidatedVpid(int type, int of, long gva, long time) {
        if (type == ALL_CONTEXTS) {
            nested.forEachKeyValue((key, cpu) -> {
                if (key != 0) {
                    cpu.times.dropAll(time);
                }
            });
            return;
        }
        AbstractProcessor cpu = nested.get(of);
        if (cpu == null) {
            return;
        }
        if (type == 0) {
            cpu.invalidatedAddress(gva, time);
        } else if (type == RETAINING_GLOBALS) {
            cpu.times.dropAddressSpaces(time);
        } else {
            cpu.times.dropAll(time);
        }
    }
}
