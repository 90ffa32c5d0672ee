package org.penumbra.experiments.boot;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
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

/** A kernel in machine code as a boot loader leaves it: in memory, and about to be entered in 32-bit protected mode without paging, on one vCPU. */
public abstract class KernelGuest implements GuestBoot {
    /** Where PCs have memory: up to here, and from 1 MiB on. */
    static final long LOWER_END = 640 << 10;
    static final long UPPER = 1 << 20;
    /** Room for what a boot loader has to say: the kernel's own structure, strings, and the GDT. */
    static final long INFO_BYTES = 0x6000;
    private static final long STRINGS_AT = 0x1000;
    private static final long GDT_AT = 0x5f00;
    private static final long FLAT = 0xffff_ffffL;
    private static final int FLAT_CODE = 0xc09b;
    private static final int FLAT_DATA = 0xc093;

    /** A file that is put into memory beside the kernel. */
    public record Module(byte[] content, String commandLine) {
        /** Bytes in whole pages. */
        long room() {
            return content.length + 4095L & -4096;
        }
    }

    /**
     * How the kernel is entered.
     *
     * @param code selector of the flat code segment; that of the data segments is the next
     * @param registers general-purpose registers that are not 0
     */
    record Entry(long rip, int code, Map<Integer, Long> registers) {}

    final List<Module> modules;
    private final IntConsumer console;
    private final AccessListener recorder;
    private GuestState state;
    private long strings;

    KernelGuest(List<Module> modules, IntConsumer console, AccessListener recorder) {
        this.modules = List.copyOf(modules);
        this.console = console;
        this.recorder = recorder;
    }

    /** Where what there is to say goes, {@link #INFO_BYTES} of memory that are the kernel's when it has read them. */
    abstract long info();

    /** Puts kernel, modules and what there is to say of the machine into {@code image}. */
    abstract Entry load(BootImage image, long memoryBytes);

    /** Why the kernel cannot be loaded into {@code memoryBytes} of memory, in one line for the user; empty if it can. */
    abstract Optional<String> refusal(long memoryBytes);

    @Override
    public final Optional<String> refusal(int vcpus, long memoryBytes) {
        return vcpus == 1 ? refusal(memoryBytes) : Optional.of("a kernel is booted on one vCPU, not on " + vcpus);
    }

    /** Bytes of all modules, each in whole pages. */
    final long moduleBytes() {
        return modules.stream().mapToLong(Module::room).sum();
    }

    /** That kernel and modules take more than the {@code there} bytes that there are. */
    static Optional<String> tooLittle(long needed, long there) {
        return needed > there
                ? Optional.of(String.format("kernel and modules need 0x%x bytes of memory, and 0x%x are there", needed, there))
                : Optional.empty();
    }

    @Override
    public final GuestState[] boot(Loader loader, RegisterFile[] vcpus, long memoryBytes) {
        refusal(vcpus.length, memoryBytes).ifPresent(r -> {
            throw new MachineException(r);
        });
        strings = info() + STRINGS_AT;
        BootImage image = new BootImage();
        Entry entry = load(image, memoryBytes);
        long gdt = info() + GDT_AT;
        image.put(gdt + entry.code, 8, descriptor(FLAT_CODE));
        image.put(gdt + entry.code + 8, 8, descriptor(FLAT_DATA));
        image.store(loader);
        enter(vcpus[0], entry, gdt);
        state = new GuestState(recorder == null ? new MachineCode() : new RecordedCode(recorder));
        return new GuestState[] {state};
    }

    /** A flat descriptor with attributes as {@link Segments} has them. */
    private static long descriptor(int attributes) {
        return (long) attributes << 40 | FLAT >>> 28 << 48 | FLAT >>> 12 & 0xffff;
    }

    /** Puts {@code text} with a zero behind it where strings are. @return its address */
    final long string(BootImage image, String text) {
        byte[] bytes = (text + '\0').getBytes(StandardCharsets.UTF_8);
        if (strings + bytes.length > info() + GDT_AT) {
            throw new MachineException("command lines of kernel and modules need more than " + (GDT_AT - STRINGS_AT) + " bytes");
        }
        image.put(strings, bytes, 0, bytes.length);
        strings += bytes.length;
        return strings - bytes.length;
    }

    private static void enter(RegisterFile r, Entry entry, long gdt) {
        entry.registers.forEach((n, value) -> r.gpr[n] = value);
        r.rip = entry.rip;
        // ET is fixed to 1.
        r.paging = new PagingState(ControlBits.CR0_PE | 16, 0, 0, 0, 0, 0);
        r.segments.set(Segments.CS, entry.code, 0, FLAT, FLAT_CODE);
        for (int s : new int[] {Segments.ES, Segments.SS, Segments.DS, Segments.FS, Segments.GS}) {
            r.segments.set(s, entry.code + 8, 0, FLAT, FLAT_DATA);
        }
        r.segments.set(Segments.LDTR, 0, 0, 0xffff, Segments.UNUSABLE);
        r.segments.set(Segments.TR, 0, 0, 0xffff, Segments.PRESENT | 11);
        r.segments.gdtBase = gdt;
        r.segments.gdtLimit = entry.code + 15;
        r.segments.idtLimit = 0x3ff;
    }

    @Override
    public final boolean programsInterrupts() {
        return true;
    }

    @Override
    public final void console(int octet) {
        MachineCode.putOut(state, octet);
        console.accept(octet);
    }
}
