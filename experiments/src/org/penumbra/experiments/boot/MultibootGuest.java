package org.penumbra.experiments.boot;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.IntConsumer;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.guest.AccessListener;

/**
 * A kernel that is booted as the Multiboot Specification, version 0.6.96, says: an ELF executable with a header in its first 8 KiB, entered in
 * 32-bit protected mode without paging, EBX leading to a description of the machine.
 *
 * <pre>
 *  header   0 0x1badb002   4 flags   8 checksum      info   0 flags   4 mem_lower   8 mem_upper (KiB)   16 cmdline
 *                                                           20 mods_count   24 mods_addr   44 mmap_length   48 mmap_addr
 *  module   0 start   4 end   8 string   12 0        mmap   0 size = 20   4 base   12 length   20 type (1 memory)
 * </pre>
 */
public final class MultibootGuest extends KernelGuest {
    private static final int HEADER_MAGIC = 0x1bad_b002;
    private static final int BOOT_MAGIC = 0x2bad_b002;
    private static final int SEARCHED = 8192;
    private static final int KNOWN_REQUIREMENTS = 3;
    /** Where the description goes, at the first of these where the kernel is not: above the BIOS data area, and below 640 KiB. */
    private static final long[] PLACES = {0x9000, 0x9_0000};
    private static final long LOWEST = 0x1000;
    private static final int HAS_MEMORY = 1;
    private static final int HAS_COMMAND_LINE = 1 << 2;
    private static final int HAS_MODULES = 1 << 3;
    private static final int HAS_MAP = 1 << 6;

    private final byte[] file;
    private final ElfImage elf;
    private final String commandLine;
    private final long info;

    /**
     * @param console takes what the kernel puts out on the serial port
     * @param recorder is told of every access; may be null
     * @throws IllegalArgumentException with a line for the user, without its subject, if {@code file} is no such kernel
     */
    public MultibootGuest(byte[] file, String commandLine, List<Module> modules, IntConsumer console, AccessListener recorder) {
        super(modules, console, recorder);
        this.file = file;
        this.commandLine = commandLine;
        ByteBuffer b = ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN);
        int at = 0;
        while (at + 12 <= Math.min(file.length, SEARCHED)
                && !(b.getInt(at) == HEADER_MAGIC && b.getInt(at) + b.getInt(at + 4) + b.getInt(at + 8) == 0)) {
            at += 4;
        }
        if (at + 12 > Math.min(file.length, SEARCHED)) {
            throw new IllegalArgumentException("has no multiboot header in its first 8192 bytes");
        }
        int unknown = b.getInt(at + 4) & 0xffff & ~KNOWN_REQUIREMENTS;
        if (unknown != 0) {
            throw new IllegalArgumentException(String.format("requires what this boot loader does not do (header flags 0x%x)", unknown));
        }
        this.elf = new ElfImage(file);
        this.info = Arrays.stream(PLACES).filter(this::free).findFirst().orElse(-1);
    }

    private boolean free(long at) {
        return elf.segments().stream().allMatch(s -> s.physical() + s.bytes() <= at || s.physical() >= at + INFO_BYTES);
    }

    @Override
    Optional<String> refusal(long memoryBytes) {
        for (ElfImage.Segment s : elf.segments()) {
            if (s.physical() + s.bytes() > memoryBytes || s.physical() < LOWEST || info < 0) {
                return Optional.of(String.format("the kernel is to be loaded from 0x%x to 0x%x; memory from 0x%x to 0x%x is there",
                        s.physical(), s.physical() + s.bytes(), info < 0 ? UPPER : LOWEST, memoryBytes));
            }
        }
        return tooLittle(moduleEnd(), memoryBytes);
    }

    private long kernelEnd() {
        return elf.segments().stream().mapToLong(s -> s.physical() + s.bytes()).max().orElseThrow() + 4095 & -4096;
    }

    /** Behind the kernel, and not in the first MiB, where a PC has other things. */
    private long moduleBegin() {
        return Math.max(kernelEnd(), UPPER);
    }

    private long moduleEnd() {
        return moduleBegin() + moduleBytes();
    }

    @Override
    long info() {
        return info;
    }

    /** Multiboot Specification, "Machine state": EAX says that this was a boot loader of its kind, and what is not said of GDTR is not to be used. */
    @Override
    Entry load(BootImage image, long memoryBytes) {
        for (ElfImage.Segment s : elf.segments()) {
            image.put(s.physical(), file, (int) s.offset(), (int) s.stored());
        }
        describe(image, memoryBytes);
        return new Entry(elf.entry(), 8, Map.of(RegisterFile.RAX, (long) BOOT_MAGIC, RegisterFile.RBX, info));
    }

    private void describe(BootImage image, long memoryBytes) {
        long map = info + 256;
        long list = info + 512;
        image.put(info, 4, HAS_MEMORY | HAS_COMMAND_LINE | HAS_MODULES | HAS_MAP);
        image.put(info + 4, 4, LOWER_END >> 10);
        image.put(info + 8, 4, memoryBytes - UPPER >> 10);
        image.put(info + 16, 4, string(image, commandLine));
        image.put(info + 20, 4, modules.size());
        image.put(info + 24, 4, list);
        long at = moduleBegin();
        for (Module m : modules) {
            image.put(at, m.content(), 0, m.content().length);
            image.put(list, 4, at);
            image.put(list + 4, 4, at + m.content().length);
            image.put(list + 8, 4, string(image, m.commandLine()));
            list += 16;
            at += m.room();
        }
        range(image, map, 0, LOWER_END);
        range(image, map + 24, UPPER, memoryBytes - UPPER);
        image.put(info + 44, 4, 48);
        image.put(info + 48, 4, map);
    }

    private static void range(BootImage image, long at, long base, long bytes) {
        image.put(at, 4, 20);
        image.put(at + 4, 8, base);
        image.put(at + 12, 8, bytes);
        image.put(at + 20, 4, 1);
    }
}
