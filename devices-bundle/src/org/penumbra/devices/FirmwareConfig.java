package org.penumbra.devices;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Map;
import org.osgi.service.component.annotations.Component;
import org.penumbra.api.device.Board;
import org.penumbra.api.device.BoardDeviceFactory;
import org.penumbra.api.device.PortDevice;
import org.penumbra.api.snapshot.Saved;

/**
 * What a machine consists of, for kernels that no firmware tells: QEMU's {@code fw_cfg} ("QEMU Firmware Configuration (fw_cfg) Device"), its
 * interface of ports without DMA. An item is selected by its key and read byte by byte; what lies behind its end, and any other item, is zeros.
 *
 * <pre>
 *  ports  510H key, 16 bits   511H data
 *  items  0 "QEMU"   1 features: bit 0 this interface   3 bytes of memory, 64 bits   5 vCPUs, 16 bits   FH most vCPUs, 16 bits   19H files: none
 * </pre>
 */
final class FirmwareConfig implements PortDevice, Saved {
    private static final int KEY = 0x510;
    private static final byte[] NOTHING = {};

    private final Map<Integer, byte[]> items;
    private int key;
    private int next;

    private FirmwareConfig(Board board) {
        byte[] vcpus = number(board.vcpus(), 2);
        items = Map.of(0, "QEMU".getBytes(StandardCharsets.US_ASCII), 1, number(1, 4), 3, number(board.memoryBytes(), 8), 5, vcpus, 0xf, vcpus);
    }

    /** Puts one into every machine. */
    @Component
    public static final class Factory implements BoardDeviceFactory {
        @Override
        public Device create(Board board) {
            return Device.onPorts(new FirmwareConfig(board));
        }
    }

    private static byte[] number(long value, int bytes) {
        byte[] all = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(value).array();
        return Arrays.copyOf(all, bytes);
    }

    @Override
    public int basePort() {
        return KEY;
    }

    @Override
    public int ports() {
        return 2;
    }

    @Override
    public void out(int offset, int width, long value, Host host) {
        if (offset == 0 && width == 2) {
            key = (int) value & 0xffff;
            next = 0;
        }
    }

    @Override
    public long in(int offset, int width) {
        if (offset == 0 || width != 1) {
            return -1L >>> 64 - 8 * width;
        }
        byte[] item = items.getOrDefault(key, NOTHING);
        return next < item.length ? item[next++] & 0xff : 0;
    }

    @Override
    public void save(DataOutput out) throws IOException {
        out.writeInt(key);
        out.writeInt(next);
    }

    @Override
    public void restore(DataInput in) throws IOException {
        key = in.readInt();
        next = in.readInt();
    }
}
