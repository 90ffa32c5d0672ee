package org.penumbra.experiments.boot;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.IntConsumer;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.cpu.Segments;
import org.penumbra.api.guest.AccessListener;
import org.penumbra.api.guest.GuestState;
import org.penumbra.api.machine.GuestBoot;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.PagingState;

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
public final class MultibootGuest implements GuestBoot {
    private static final int HEADER_MAGIC = 0x1bad_b002;
    private static final int BOOT_MAGIC = 0x2bad_b002;
    private static final int SEARCHED = 8192;
    private static final int KNOWN_REQUIREMENTS = 3;
    /** Where the description goes, at the first of these where the kernel is not: above the BIOS data area, and below 640 KiB. */
    private static final long[] PLACES = {0x9000, 0x9_0000};
    private static final long LOWEST = 0x1000;
    private static final long STRINGS_AT = 0x1000;
    private static final long DESCRIPTION_BYTES = 0x6000;
    private static final long LOWER_KIB = 640;
    private static final long UPPER = 1 << 20;
    private static final int HAS_MEMORY = 1;
    private static final int HAS_COMMAND_LINE = 1 << 2;
    private static final int HAS_MODULES = 1 << 3;
    private static final int HAS_MAP = 1 << 6;
    private static final int FLAT_CODE = 0xc09b;
    private static final int FLAT_DATA = 0xc093;

    /** A file that is put into memory beside the kernel. */
    public record Module(byte[] content, String commandLine) {}

    private final byte[] file;
    private final ElfImage elf;
    private final String commandLine;
    private final List<Module> modules;
    private final IntConsumer console;
    private final AccessListener recorder;
    private RegisterFile registers;
    private GuestState state;
    /** Where the description is, and where its next string goes. */
    private final long info;
    private long strings;

    /**
     * @param console takes what the kernel puts out on the serial port
     * @param recorder is told of every access; may be null
     * @throws IllegalArgumentException with a line for the user, without its subject, if {@code file} is no such kernel
     */
    public MultibootGuest(byte[] file, String commandLine, List<Module> modules, IntConsumer console, AccessListener recorder) {
        this.file = file;
        this.commandLine = commandLine;
        this.modules = List.copyOf(modules);
        this.console = console;
        this.recorder = recorder;
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
        this.strings = info + STRINGS_AT;
    }

    private boolean free(long at) {
        return elf.segments().stream().allMatch(s -> s.physical() + s.bytes() <= at || s.physical() >= at + DESCRIPTION_BYTES);
    }

    /** The registers of the vCPU, once it is booted. */
    public RegisterFile registers() {
        return registers;
    }

    @Override
    public Optional<String> refusal(int vcpus, long memoryBytes) {
        if (vcpus != 1) {
            return Optional.of("a multiboot kernel is booted on one vCPU, not on " + vcpus);
        }
        for (ElfImage.Segment s : elf.segments()) {
            if (s.physical() + s.bytes() > memoryBytes || s.physical() < LOWEST || info < 0) {
                return Optional.of(String.format("the kernel is to be loaded from 0x%x to 0x%x; memory from 0x%x to 0x%x is there",
                        s.physical(), s.physical() + s.bytes(), info < 0 ? UPPER : LOWEST, memoryBytes));
            }
        }
        return moduleEnd() > memoryBytes ? Optional.of(String.format("kernel and modules need 0x%x bytes of memory, and 0x%x are there",
                moduleEnd(), memoryBytes)) : Optional.empty();
    }

    private long kernelEnd() {
        return elf.segments().stream().mapToLong(s -> s.physical() + s.bytes()).max().orElseThrow() + 4095 & -4096;
    }

    /** Behind the kernel, and not in the first MiB, where a PC has other things. */
    private long moduleBegin() {
        return Math.max(kernelEnd(), UPPER);
    }

    private long moduleEnd() {
        long at = moduleBegin();
        for (Module m : modules) {
            at += m.content().length + 4095 & -4096;
        }
        return at;
    }

    @Override
    public GuestState[] boot(Loader loader, RegisterFile[] vcpus, long memoryBytes) {
        refusal(vcpus.length, memoryBytes).ifPresent(r -> {
            throw new MachineException(r);
        });
        BootImage image = new BootImage();
        for (ElfImage.Segment s : elf.segments()) {
            image.put(s.physical(), file, (int) s.offset(), (int) s.stored());
        }
        describe(image, memoryBytes);
        image.store(loader);
        registers = vcpus[0];
        enter(registers);
        state = new GuestState(recorder == null ? new MachineCode() : new RecordedCode(recorder));
        return new GuestState[] {state};
    }

    private void describe(BootImage image, long memoryBytes) {
        long map = info + 256;
        long list = info + 512;
        image.put(info, 4, HAS_MEMORY | HAS_COMMAND_LINE | HAS_MODULES | HAS_MAP);
        image.put(info + 4, 4, LOWER_KIB);
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
            at += m.content().length + 4095 & -4096;
        }
        range(image, map, 0, LOWER_KIB << 10);
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

    private long string(BootImage image, String text) {
        byte[] bytes = (text + '\0').getBytes(StandardCharsets.UTF_8);
        if (strings + bytes.length > info + DESCRIPTION_BYTES) {
            throw new MachineException("command lines of kernel and modules need more than " + (DESCRIPTION_BYTES - STRINGS_AT) + " bytes");
        }
        image.put(strings, bytes, 0, bytes.length);
        strings += bytes.length;
        return strings - bytes.length;
    }

    /** Multiboot Specification, "Machine state". */
    private void enter(RegisterFile r) {
        r.gpr[RegisterFile.RAX] = BOOT_MAGIC;
        r.gpr[RegisterFile.RBX] = info;
        r.rip = elf.entry();
        // ET is fixed to 1.
        r.paging = new PagingState(ControlBits.CR0_PE | 16, 0, 0, 0, 0, 0);
        r.segments.set(Segments.CS, 8, 0, 0xffff_ffffL, FLAT_CODE);
        for (int s : new int[] {Segments.ES, Segments.SS, Segments.DS, Segments.FS, Segments.GS}) {
            r.segments.set(s, 16, 0, 0xffff_ffffL, FLAT_DATA);
        }
        r.segments.set(Segments.LDTR, 0, 0, 0xffff, Segments.UNUSABLE);
        r.segments.set(Segments.TR, 0, 0, 0xffff, Segments.PRESENT | 11);
        r.segments.idtLimit = 0x3ff;
    }

    @Override
    public boolean programsInterrupts() {
        return true;
    }

    @Override
    public void console(int octet) {
        MachineCode.putOut(state, octet);
        console.accept(octet);
    }
}
