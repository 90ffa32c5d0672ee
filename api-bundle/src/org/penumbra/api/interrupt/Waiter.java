package org.penumbra.api.interrupt;

import org.osgi.annotation.versioning.ConsumerType;

/** An entry of a descriptor's wait queue: what the kernel's {@code wait_queue_func_t} is. */
@ConsumerType
@FunctionalInterface
public interface Waiter {
    /**
     * The descriptor changed. Called by the thread that changed it, after the change and without locks; several threads may call
     * at once. Must not block. It may write to other descriptors; writing to the one that calls recurses.
     *
     * @param events the {@code POLL} bits of {@link Descriptor} that the wake-up is about; as in the kernel, a hint: another
     *     reader may have been faster
     */
    void wake(int events);
}
