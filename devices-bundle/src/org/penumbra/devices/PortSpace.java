package org.penumbra.devices;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.IntConsumer;
import org.penumbra.api.device.IoPorts;
import org.penumbra.api.device.MemoryDevice;
import org.penumbra.api.device.PortDevice;
import org.penumbra.api.interrupt.EventDescriptor;
import org.penumbra.api.interrupt.Registration;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.snapshot.Saved;

/** The I/O of one machine. A device is called under its own monitor, so that it serves one vCPU at a time. */
final class PortSpace implements IoPorts, PortDevice.Host, Saved {
    private final List<PortDevice> devices;
    private final List<MemoryDevice> memory;
    private final IoEvents events = new IoEvents();
    private volatile IntConsumer console = octet -> { };
    /** Null while the machine is on. */
    private final AtomicReference<Integer> exit = new AtomicReference<>();

    /** @throws IllegalArgumentException if two devices claim one port or address */
    PortSpace(List<PortDevice> devices, List<MemoryDevice> memory) {
        List<PortDevice> placed = new ArrayList<>();
        for (PortDevice d : devices) {
            for (PortDevice other : placed) {
                if (d.basePort() < other.basePort() + other.ports() && other.basePort() < d.basePort() + d.ports()) {
                    throw new IllegalArgumentException(String.format("%s and %s both claim port 0x%x",
                            d.getClass().getName(), other.getClass().getName(), Math.max(d.basePort(), other.basePort())));
                }
            }
            placed.add(d);
        }
        this.devices = placed;
        for (MemoryDevice d : memory) {
            for (MemoryDevice other : memory) {
                if (d != other && d.base() < other.base() + other.bytes() && other.base() < d.base() + d.bytes()) {
                    throw new IllegalArgumentException(String.format("%s and %s both claim address 0x%x",
                            d.getClass().getName(), other.getClass().getName(), Math.max(d.base(), other.base())));
                }
            }
        }
        this.memory = List.copyOf(memory);
    }

    private MemoryDevice at(long gpa) {
        for (MemoryDevice d : memory) {
            if (gpa >= d.base() && gpa - d.base() < d.bytes()) {
                return d;
            }
        }
        return null;
    }

    @Override
    public boolean holds(long gpa) {
        return at(gpa) != null;
    }

    @Override
    public long load(long gpa, int width) {
        MemoryDevice d = at(gpa);
        return d.load(gpa - d.base(), width);
    }

    @Override
    public void store(long gpa, int width, long value) {
        MemoryDevice d = at(gpa);
        d.store(gpa - d.base(), width, value);
    }

    @Override
    public void out(int port, int width, long value) {
        for (PortDevice d : devices) {
            int offset = port - d.basePort();
            if (offset >= 0 && offset < d.ports()) {
                synchronized (d) {
                    d.out(offset, width, value, this);
                }
                return;
            }
        }
    }

    @Override
    public long in(int port, int width) {
        for (PortDevice d : devices) {
            int offset = port - d.basePort();
            if (offset >= 0 && offset < d.ports()) {
                synchronized (d) {
                    return d.in(offset, width);
                }
            }
        }
        return -1L >>> 64 - 8 * width;
    }

    @Override
    public void console(IntConsumer sink) {
        console = sink;
    }

    @Override
    public void console(int octet) {
        console.accept(octet);
    }

    @Override
    public void powerOff(int code) {
        exit.compareAndSet(null, code);
    }

    @Override
    public boolean poweredOff() {
        return exit.get() != null;
    }

    @Override
    public int exitCode() {
        Integer code = exit.get();
        return code == null ? 0 : code;
    }

    @Override
    public Registration ioeventfd(Bus bus, long address, int length, EventDescriptor event) {
        return events.add(bus, address, length, true, 0, event);
    }

    @Override
    public Registration ioeventfd(Bus bus, long address, int length, long datamatch, EventDescriptor event) {
        return events.add(bus, address, length, false, datamatch, event);
    }

    @Override
    public boolean signal(Bus bus, long address, int width, long value) {
        return events.signal(bus, address, width, value);
    }

    @Override
    public void save(DataOutput out) throws IOException {
        out.writeBoolean(poweredOff());
        out.writeInt(exitCode());
        Map<String, Object> all = named();
        out.writeInt(all.size());
        for (Map.Entry<String, Object> e : all.entrySet()) {
            if (!(e.getValue() instanceof Saved device)) {
                throw new MachineException("the device at " + e.getKey() + " (" + e.getValue().getClass().getName()
                        + ") keeps its state to itself: it is no " + Saved.class.getSimpleName());
            }
            out.writeUTF(e.getKey());
            synchronized (device) {
                device.save(out);
            }
        }
    }

    @Override
    public void restore(DataInput in) throws IOException {
        boolean off = in.readBoolean();
        int code = in.readInt();
        exit.set(off ? code : null);
        Map<String, Object> all = named();
        int count = in.readInt();
        if (count != all.size()) {
            throw new MachineException("the snapshot is of a machine with " + count + " devices, and this one has " + all.size());
        }
        for (int i = 0; i < count; i++) {
            String name = in.readUTF();
            if (!(all.get(name) instanceof Saved device)) {
                throw new MachineException("the snapshot has the state of a device at " + name + ", where this machine has none that can take it");
            }
            synchronized (device) {
                device.restore(in);
            }
        }
    }

    /** Every device by where it is. */
    private Map<String, Object> named() {
        Map<String, Object> all = new TreeMap<>();
        devices.forEach(d -> all.put(String.format("port 0x%x", d.basePort()), d));
        memory.forEach(d -> all.put(String.format("address 0x%x", d.base()), d));
        return all;
    }
}
