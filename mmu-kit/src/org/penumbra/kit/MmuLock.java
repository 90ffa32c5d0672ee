package org.penumbra.kit;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The lock of one MMU, which faults hold shared and whatever takes something away holds exclusively. KVM: {@code mmu_lock} as the TDP MMU
 * uses it.
 *
 * <p>Each vCPU has a lock of its own, and holding that is holding this one shared, so that vCPUs which fault at the same time write to no
 * common word; who wants it exclusively takes all of them in order. Who holds it shared gives it up before taking it exclusively, and looks
 * at everything anew. The frame of a fault is looked up without it, since that can end in a notifier event. A remote flush waits for nobody
 * who waits for it.
 */
public final class MmuLock {
    private final boolean single;
    /** Held exclusively by one at a time; then, in the order of the list, the locks of all vCPUs. */
    private final ReentrantLock all = new ReentrantLock();
    private final List<Lock> vcpus = new CopyOnWriteArrayList<>();
    private final Held exclusive = this::release;

    /** @param single there is no shared mode: everything is done alone */
    public MmuLock(boolean single) {
        this.single = single;
    }

    /** For {@code try}: closing it gives the lock up. */
    public interface Held extends AutoCloseable {
        @Override
        void close();
    }

    /** One vCPU's way to hold the lock shared; for its thread alone. */
    public final class Share {
        private final Lock own;
        private final Held held;

        private Share(Lock own) {
            this.own = own;
            this.held = own::unlock;
        }

        /** Waits until nobody has the lock exclusively. */
        public Held shared() {
            if (single) {
                return exclusive();
            }
            own.lock();
            return held;
        }
    }

    /** The share of a new vCPU. */
    public Share newShare() {
        all.lock();
        try {
            Lock own = new ReentrantLock();
            vcpus.add(own);
            return new Share(own);
        } finally {
            all.unlock();
        }
    }

    /** Waits until nobody else has the lock in any way. May be taken again by who has it. */
    public Held exclusive() {
        all.lock();
        for (Lock vcpu : vcpus) {
            vcpu.lock();
        }
        return exclusive;
    }

    private void release() {
        for (Lock vcpu : vcpus) {
            vcpu.unlock();
        }
        all.unlock();
    }
}
