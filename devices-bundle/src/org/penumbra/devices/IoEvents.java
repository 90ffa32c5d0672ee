package org.penumbra.devices;

import java.util.Arrays;
import org.penumbra.api.device.IoPorts.Bus;
import org.penumbra.api.interrupt.Descriptor;
import org.penumbra.api.interrupt.ErrnoException;
import org.penumbra.api.interrupt.EventDescriptor;
import org.penumbra.api.interrupt.Registration;
import org.penumbra.devices.descriptor.CallGate;

/** The addresses whose writes signal events: the {@code ioeventfd} part of {@code virt/kvm/eventfd.c}. Any thread. */
final class IoEvents {
    /** {@code struct _ioeventfd}; {@code length} 0 stands for any, {@code wildcard} for any value. */
    private record Entry(
            Bus bus, long address, int length, boolean wildcard, long datamatch, EventDescriptor event, CallGate gate) {
        /** {@code ioeventfd_in_range}; the address is equal. */
        boolean matches(int width, long value) {
            return length == 0 || length == width && (wildcard || value == datamatch);
        }

        /** {@code ioeventfd_check_collision}. */
        boolean collides(Entry o) {
            return address == o.address
                    && (length == 0
                            || o.length == 0
                            || length == o.length && (wildcard || o.wildcard || datamatch == o.datamatch));
        }
    }

    private static final Entry[] NONE = {};

    /** Sorted by address and never changed in place. */
    private volatile Entry[] ports = NONE;
    private volatile Entry[] memory = NONE;

    /** {@code kvm_assign_ioeventfd}. */
    Registration add(Bus bus, long address, int length, boolean wildcard, long datamatch, EventDescriptor event) {
        switch (length) {
            case 0, 1, 2, 4, 8 -> {}
            default -> throw new ErrnoException(ErrnoException.EINVAL, "no write has " + length + " bytes");
        }
        if (Long.compareUnsigned(address + length, address) < 0) {
            throw new ErrnoException(
                    ErrnoException.EINVAL, String.format("%d bytes at 0x%x go beyond the last address", length, address));
        }
        if (length == 0 && !wildcard) {
            throw new ErrnoException(ErrnoException.EINVAL, "a value to match needs a length");
        }
        if ((event.poll() & Descriptor.POLLNVAL) != 0) {
            throw new ErrnoException(ErrnoException.EBADF, "the event is closed");
        }
        Entry entry = new Entry(bus, address, length, wildcard, datamatch, event, new CallGate());
        synchronized (this) {
            Entry[] old = of(bus);
            for (Entry o : old) {
                if (o.collides(entry)) {
                    throw new ErrnoException(
                            ErrnoException.EEXIST, String.format("writes to 0x%x on bus %s signal another event", address, bus));
                }
            }
            int at = lowest(old, address);
            Entry[] fresh = Arrays.copyOf(old, old.length + 1);
            System.arraycopy(old, at, fresh, at + 1, old.length - at);
            fresh[at] = entry;
            set(bus, fresh);
        }
        return () -> remove(entry);
    }

    private void remove(Entry entry) {
        synchronized (this) {
            set(entry.bus, Arrays.stream(of(entry.bus)).filter(e -> e != entry).toArray(Entry[]::new));
        }
        entry.gate.close();
    }

    /** {@code ioeventfd_write}; at most one entry matches, since others would have collided. */
    boolean signal(Bus bus, long address, int width, long value) {
        Entry[] sorted = of(bus);
        long data = width == 8 ? value : value & (1L << 8 * width) - 1;
        for (int i = lowest(sorted, address); i < sorted.length && sorted[i].address == address; i++) {
            Entry e = sorted[i];
            if (e.matches(width, data) && e.gate.enter()) {
                try {
                    e.event.signal();
                } finally {
                    e.gate.leave();
                }
                return true;
            }
        }
        return false;
    }

    /** Index of the first entry at or above {@code address}, unsigned. */
    private static int lowest(Entry[] sorted, long address) {
        int from = 0;
        int to = sorted.length;
        while (from < to) {
            int middle = from + to >>> 1;
            if (Long.compareUnsigned(sorted[middle].address, address) < 0) {
                from = middle + 1;
            } else {
                to = middle;
            }
        }
        return from;
    }

    private Entry[] of(Bus bus) {
        return bus == Bus.PORT ? ports : memory;
    }

    private void set(Bus bus, Entry[] sorted) {
        if (bus == Bus.PORT) {
            ports = sorted;
        } else {
            memory = sorted;
        }
    }
}
