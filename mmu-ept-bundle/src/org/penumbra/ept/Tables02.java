package org.penumbra.ept;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.mmu.MmuContextHost;
import org.penumbra.api.mmu.NestedContext;
import org.penumbra.kit.shadow.ShadowOptions;
import org.penumbra.kit.shadow.ShadowPaging;
import org.penumbra.kit.shadow.TableProtection;

/**
 * The tables by which the guests of the guest run: the guest hypervisor's EPT or nested tables, shadowed with the slots (EPT02, NPT02). Made
 * when the first such guest is entered. Its lock comes before that of {@link TdpMmu}.
 */
final class Tables02 implements TableProtection {
    private static final int PREVIOUS_ROOTS = 3;

    private final TdpMmu mmu;
    private volatile ShadowPaging shadows;
    /** Shadow pages that are in step, by the gfn of the table that they shadow, and by the 2 MiB that it is in. */
    private final Map<Long, Integer> tables = new ConcurrentHashMap<>();
    private final Map<Long, Integer> blocks = new ConcurrentHashMap<>();

    Tables02(TdpMmu mmu) {
        this.mmu = mmu;
    }

    NestedContext newContext(MmuContextHost host) {
        return shadows().newNestedContext(host);
    }

    private synchronized ShadowPaging shadows() {
        if (shadows == null) {
            ShadowOptions options =
                    new ShadowOptions(true, true, PREVIOUS_ROOTS, mmu.largePages(), true, false, 0, true, false, 0, false, false, false);
            shadows = mmu.format.shadows(mmu.host, options, this, mmu.levels());
        }
        return shadows;
    }

    /** Does {@code work}, if there are any. */
    void each(Consumer<ShadowPaging> work) {
        ShadowPaging made = shadows;
        if (made != null) {
            work.accept(made);
        }
    }

    /** True if {@code gfn} holds a table that is shadowed and in step. */
    boolean isTable(long gfn) {
        return !tables.isEmpty() && tables.containsKey(gfn);
    }

    /** True if the 2 MiB around {@code gfn} hold one. */
    boolean hasTable(long gfn) {
        return !blocks.isEmpty() && blocks.containsKey(gfn >>> 9);
    }

    /** The guest hypervisor writes {@code gfn}. Not under the lock of the MMU. */
    void letWrite(long gfn, CycleClock clock) {
        if (isTable(gfn)) {
            shadows.letWrite(gfn, clock);
        }
    }

    @Override
    public void protect(long gfn, CycleClock clock) {
        blocks.merge(gfn >>> 9, 1, Integer::sum);
        // Faults from here on see it; those before have left their entry, which is protected now.
        if (tables.merge(gfn, 1, Integer::sum) == 1) {
            mmu.protect(gfn, clock);
        }
    }

    @Override
    public void release(long gfn) {
        tables.computeIfPresent(gfn, (key, n) -> n == 1 ? null : n - 1);
        blocks.computeIfPresent(gfn >>> 9, (key, n) -> n == 1 ? null : n - 1);
    }
}
