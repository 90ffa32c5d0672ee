package org.penumbra.devices;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.List;
import org.osgi.service.component.annotations.Component;
import org.penumbra.api.device.Board;
import org.penumbra.api.device.BoardDeviceFactory;
import org.penumbra.api.device.MemoryDevice;
import org.penumbra.api.device.PortDevice;
import org.penumbra.api.interrupt.Interrupts;
import org.penumbra.api.snapshot.Saved;

/**
 * What test kernels ask of a machine: interrupt lines that they raise themselves, and registers that keep what is written, at ports and in memory.
 * QEMU's {@code pc-testdev} is its model.
 *
 * <pre>
 *  ports   E0H–E3H  a word of 32 bits      2000H + n  the line GSI n, high unless 0 is written
 *  memory  FF000000H  64 KiB
 * </pre>
 */
final class TestDevice {
    private static final int DATA = 0xe0;
    private static final int LINES = 0x2000;
    private static final int LINE_COUNT = 24;
    private static final long MEMORY = 0xff00_0000L;
    private static final int MEMORY_BYTES = 1 << 16;

    private TestDevice() {}

    /** Puts one into every machine. */
    @Component
    public static final class Factory implements BoardDeviceFactory {
        @Override
        public Device create(Board board) {
            return new Device(List.of(new Data(), new Lines(board.interrupts())), List.of(new Memory()));
        }
    }

    /** Bytes, the low one first. */
    private static long load(byte[] bytes, int offset, int width) {
        long value = 0;
        for (int i = width - 1; i >= 0; i--) {
            value = value << 8 | (offset + i < bytes.length ? bytes[offset + i] & 0xff : 0xff);
        }
        return value;
    }

    private static void store(byte[] bytes, int offset, int width, long value) {
        for (int i = 0; i < width && offset + i < bytes.length; i++) {
            bytes[offset + i] = (byte) (value >>> 8 * i);
        }
    }

    private static final class Data implements PortDevice, Saved {
        private final byte[] word = new byte[4];

        @Override
        public int basePort() {
            return DATA;
        }

        @Override
        public int ports() {
            return word.length;
        }

        @Override
        public void out(int offset, int width, long value, Host host) {
            store(word, offset, width, value);
        }

        @Override
        public void save(DataOutput out) throws IOException {
            out.write(word);
        }

        @Override
        public void restore(DataInput in) throws IOException {
            in.readFully(word);
        }

        @Override
        public long in(int offset, int width) {
            return load(word, offset, width);
        }
    }

    private static final class Lines implements PortDevice, Saved {
        private final Interrupts interrupts;

        Lines(Interrupts interrupts) {
            this.interrupts = interrupts;
        }

        @Override
        public int basePort() {
            return LINES;
        }

        @Override
        public int ports() {
            return LINE_COUNT;
        }

        @Override
        public void out(int offset, int width, long value, Host host) {
            interrupts.setLine(offset, value != 0, Interrupts.KVM_USERSPACE_IRQ_SOURCE_ID);
        }

        @Override
        public void save(DataOutput out) {
            // The lines are saved with the machine's interrupts.
        }

        @Override
        public void restore(DataInput in) {
            // Nothing.
        }
    }

    private static final class Memory implements MemoryDevice, Saved {
        private final byte[] bytes = new byte[MEMORY_BYTES];

        @Override
        public long base() {
            return MEMORY;
        }

        @Override
        public long bytes() {
            return MEMORY_BYTES;
        }

        @Override
        public synchronized long load(long offset, int width) {
            return TestDevice.load(bytes, (int) offset, width);
        }

        @Override
        public synchronized void store(long offset, int width, long value) {
            TestDevice.store(bytes, (int) offset, width, value);
        }

        @Override
        public synchronized void save(DataOutput out) throws IOException {
            out.write(bytes);
        }

        @Override
        public synchronized void restore(DataInput in) throws IOException {
            in.readFully(bytes);
        }
    }
}
