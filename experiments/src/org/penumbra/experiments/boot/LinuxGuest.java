package org.penumbra.experiments.boot;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.IntConsumer;
import org.penumbra.api.guest.AccessListener;

/**
 * A kernel image for PCs (bzImage) that is booted by the 32-bit boot protocol of Linux (Documentation/arch/x86/boot.rst, "32-bit Boot Protocol" and
 * "Details of Header Fields"; zero-page.rst): what is behind the set-up sectors goes to 1 MiB and is entered there, ESI leading to the "zero page",
 * which has the header of the image, filled in, and the map of memory. A module is the initial RAM disk.
 *
 * <pre>
 *  header, at the same offset in both   1f1 setup_sects   201 the header ends so much behind 202   202 "HdrS"   206 version   210 type_of_loader
 *                  211 loadflags: 0 LOADED_HIGH   218 ramdisk_image   21c ramdisk_size   228 cmd_line_ptr   22c initrd_addr_max   238 cmdline_size
 *                  258 pref_address   260 init_size
 *  zero page alone 1e8 entries of the map   2d0 the map: 0 address   8 length   16 type (1 memory)
 * </pre>
 */
public final class LinuxGuest extends KernelGuest {
    private static final int SECTOR = 512;
    private static final int HEADER = 0x1f1;
    private static final int SIGNATURE = 0x202;
    private static final int HDRS = 0x5372_6448;
    /** From here on the header says how much memory the kernel needs. */
    private static final int VERSION = 0x20a;
    private static final int HEADER_FIXED_END = 0x264;
    private static final int LOADED_HIGH = 1;
    /** "Undefined": no number is registered for this boot loader. */
    private static final int LOADER_TYPE = 0xff;
    private static final int MAP = 0x2d0;
    /** Above the BIOS data area, far below 640 KiB. */
    private static final long INFO = 0x9000;
    private static final int CODE_SELECTOR = 0x10;
    /** As instructions encode it (SDM vol. 2, "Register Operands"). */
    private static final int RSI = 6;

    private final byte[] file;
    private final ByteBuffer header;
    private final String commandLine;

    /**
     * @param console takes what the kernel puts out on the serial port
     * @param recorder is told of every access; may be null
     * @throws IllegalArgumentException with a line for the user, without its subject, if {@code file} cannot be booted so
     */
    public LinuxGuest(byte[] file, String commandLine, List<Module> modules, IntConsumer console, AccessListener recorder) {
        super(modules, console, recorder);
        this.file = file;
        this.commandLine = commandLine;
        this.header = ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN);
        if (file.length < HEADER_FIXED_END || setUpBytes() >= file.length || headerEnd() > setUpBytes()) {
            throw new IllegalArgumentException("is a Linux kernel image that ends within its set-up sectors");
        }
        if (header.getShort(0x206) < VERSION || (header.get(0x211) & LOADED_HIGH) == 0) {
            throw new IllegalArgumentException(String.format("has boot protocol %d.%02d; a bzImage of protocol 2.10 or later is needed",
                    header.get(0x207), header.get(0x206)));
        }
        int length = commandLine.getBytes(StandardCharsets.UTF_8).length;
        if (length > unsigned(0x238)) {
            throw new IllegalArgumentException("takes a command line of " + unsigned(0x238) + " bytes, not of " + length);
        }
        if (modules.size() > 1) {
            throw new IllegalArgumentException("takes one module, the initial RAM disk, not " + modules.size());
        }
    }

    /** True if {@code file} looks like such an image, well or not. */
    static boolean is(byte[] file) {
        return file.length >= SIGNATURE + 4 && ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN).getInt(SIGNATURE) == HDRS;
    }

    private int setUpBytes() {
        int sectors = file[HEADER] & 0xff;
        return ((sectors == 0 ? 4 : sectors) + 1) * SECTOR;
    }

    private int headerEnd() {
        return SIGNATURE + (file[SIGNATURE - 1] & 0xff);
    }

    private long unsigned(int at) {
        return header.getInt(at) & 0xffff_ffffL;
    }

    /** Behind what the kernel needs before it looks at the map of memory. */
    private long kernelEnd() {
        return Math.max(UPPER + file.length - setUpBytes(), header.getLong(0x258) + unsigned(0x260));
    }

    /** Where the initial RAM disk ends: as high as it may be. */
    private long diskEnd(long memoryBytes) {
        return Math.min(memoryBytes, unsigned(0x22c) + 1 & -4096);
    }

    @Override
    Optional<String> refusal(long memoryBytes) {
        return tooLittle(kernelEnd() + moduleBytes(), modules.isEmpty() ? memoryBytes : diskEnd(memoryBytes));
    }

    @Override
    long info() {
        return INFO;
    }

    @Override
    Entry load(BootImage image, long memoryBytes) {
        image.put(UPPER, file, setUpBytes(), file.length - setUpBytes());
        image.put(INFO + HEADER, file, HEADER, headerEnd() - HEADER);
        image.put(INFO + 0x210, 1, LOADER_TYPE);
        image.put(INFO + 0x228, 4, string(image, commandLine));
        for (Module disk : modules) {
            long at = diskEnd(memoryBytes) - disk.room();
            image.put(at, disk.content(), 0, disk.content().length);
            image.put(INFO + 0x218, 4, at);
            image.put(INFO + 0x21c, 4, disk.content().length);
        }
        image.put(INFO + 0x1e8, 1, 2);
        range(image, 0, 0, LOWER_END);
        range(image, 1, UPPER, memoryBytes - UPPER);
        return new Entry(UPPER, CODE_SELECTOR, Map.of(RSI, INFO));
    }

    private static void range(BootImage image, int n, long base, long bytes) {
        long at = INFO + MAP + 20L * n;
        image.put(at, 8, base);
        image.put(at + 8, 8, bytes);
        image.put(at + 16, 4, 1);
    }
}
