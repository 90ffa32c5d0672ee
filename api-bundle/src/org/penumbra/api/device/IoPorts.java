package org.penumbra.api.device;

import java.util.function.IntConsumer;
import org.osgi.annotation.versioning.ProviderType;
import org.penumbra.api.interrupt.EventDescriptor;
import org.penumbra.api.interrupt.Registration;

/** The I/O of one machine: its ports, and the addresses that signal events. Safe for the threads of several vCPUs. */
@ProviderType
public interface IoPorts {
    /** The address spaces of {@code KVM_IOEVENTFD}. */
    enum Bus {
        /** I/O ports ({@code KVM_IOEVENTFD_FLAG_PIO}). */
        PORT,
        /** Guest-physical addresses. */
        MMIO
    }

    /** Writes {@code width} (1, 2, 4) bytes to {@code port}; a port nobody has swallows them. Looks at devices only. */
    void out(int port, int width, long value);

    /** Reads {@code width} (1, 2, 4) bytes from {@code port}; a port nobody has answers all ones. */
    default long in(int port, int width) {
        return -1L >>> 64 - 8 * width;
    }

    /** True if a device has its registers at the guest-physical address {@code gpa}. */
    default boolean holds(long gpa) {
        return false;
    }

    /** Reads {@code width} (1 to 8) bytes of the device that {@link #holds} {@code gpa}. */
    default long load(long gpa, int width) {
        throw new UnsupportedOperationException("no devices in the memory of this machine");
    }

    /** Writes {@code width} (1 to 8) bytes of the device that {@link #holds} {@code gpa}. */
    default void store(long gpa, int width, long value) {
        throw new UnsupportedOperationException("no devices in the memory of this machine");
    }

    /** Has {@code sink} take the bytes that devices put out on the machine's console from now on; before, they are lost. */
    default void console(IntConsumer sink) {}

    /** True once a device has powered the machine off; every thread sees it. */
    boolean poweredOff();

    /** The code the machine was first powered off with; 0 before. */
    int exitCode();

    /**
     * Has guest writes of any value to {@code address} signal {@code event} ({@code KVM_IOEVENTFD}).
     *
     * @param length bytes that a write must have, 1, 2, 4 or 8; 0 for a write of any length
     * @return takes it back; no write signals through it afterwards
     * @throws org.penumbra.api.interrupt.ErrnoException EINVAL for another length or if {@code address + length} is beyond
     *     2^64−1, EEXIST if a write could match this one and another that is registered, EBADF if {@code event} is closed
     * @throws UnsupportedOperationException if this machine has no such events
     */
    default Registration ioeventfd(Bus bus, long address, int length, EventDescriptor event) {
        throw new UnsupportedOperationException("no ioeventfd on this machine");
    }

    /**
     * The same for writes of {@code datamatch} only ({@code KVM_IOEVENTFD_FLAG_DATAMATCH}), compared as unsigned numbers: one
     * that does not fit {@code length} never matches.
     *
     * @param length 1, 2, 4 or 8; EINVAL for 0
     */
    default Registration ioeventfd(Bus bus, long address, int length, long datamatch, EventDescriptor event) {
        throw new UnsupportedOperationException("no ioeventfd on this machine");
    }

    /**
     * A guest write of {@code width} (1, 2, 4, 8) bytes, before anybody else sees it. Address and length must be those
     * registered: a write that merely covers or touches the address does not match.
     *
     * @return true if an event was signalled: the write is done and does not reach user space
     */
    default boolean signal(Bus bus, long address, int width, long value) {
        return false;
    }
}
