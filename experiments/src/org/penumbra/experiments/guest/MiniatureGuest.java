package org.penumbra.experiments.guest;

import static org.penumbra.experiments.guest.GuestLayout.PAGE;

import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.LongFunction;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.guest.GuestState;
import org.penumbra.api.machine.GuestBoot;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.api.paging.PagingState;

/**
 * Boots the miniature guest kernel with one process, in any paging mode. Immutable; each boot is a guest of its own.
 *
 * <p>After {@link #boot} the boot tables are in memory, the registers are those of a kernel at CPL 0 that has switched paging on, and
 * the engine's first steps make the first process. CR0.WP, CR4.PGE and CR4.SMEP are set in each mode; beside them CR4.PSE with 32-bit
 * paging, EFER.NXE and what selects the mode with the others. Without paging CR0.PE is all that is set, and the kernel has one process.
 *
 * <p>With several vCPUs the guest is a multikernel (Baumann and others, SOSP 2009): a kernel on each, with processes and frames of
 * its own. What they have in common are the boot tables, and the last one to finish powers off. So what one vCPU does depends on no
 * other, however they are interleaved, and each may have a thread.
 */
public final class MiniatureGuest implements GuestBoot {
    /** Below this there is no room for the kernel and a process. */
    public static final long LEAST_MEMORY = 8 << 20;
    /** Each further vCPU needs as much as is free then. */
    private static final long LEAST_PART = LEAST_MEMORY - GuestLayout.FREE_FRAMES;
    /** Large pages, and parts of vCPUs, where there are no tables that would say. */
    private static final long UNPAGED_BLOCK = 2 << 20;
    private static final long GOLDEN_GAMMA = 0x9e37_79b9_7f4a_7c15L;

    private final String workload;
    private final long seed;
    private final LongFunction<UserProgram> first;
    private final GuestLayout layout;
    private final boolean usePcids;
    private final boolean slots;
    private final String needsPaging;
    private final long mapped;

    /**
     * A guest with 4-level paging and without PCIDs.
     *
     * @param workload its name, for messages
     * @param first makes the program of the first process of a vCPU from a seed, anew for every boot: from {@code seed} for vCPU 0,
     *     for the others from what {@link #seedOf} derives from it
     */
    public MiniatureGuest(String workload, long seed, LongFunction<UserProgram> first) {
        this(workload, seed, first, GuestLayout.of(PagingMode.FOUR_LEVEL), false, false, "", 0);
    }

    private MiniatureGuest(String workload, long seed, LongFunction<UserProgram> first, GuestLayout layout, boolean usePcids,
            boolean slots,
            String needsPaging, long mapped) {
        this.workload = workload;
        this.seed = seed;
        this.first = first;
        this.layout = layout;
        this.usePcids = usePcids;
        this.slots = slots;
        this.needsPaging = needsPaging;
        this.mapped = mapped;
    }

    /** The same guest in {@code mode}. */
    public MiniatureGuest in(PagingMode mode) {
        return new MiniatureGuest(workload, seed, first, GuestLayout.of(mode), usePcids, slots, needsPaging, mapped);
    }

    /** The same guest with CR4.PCIDE set, whose kernel switches processes without flushing; for IA-32e mode. */
    public MiniatureGuest withPcids() {
        return new MiniatureGuest(workload, seed, first, layout, true, slots, needsPaging, mapped);
    }

    /**
     * The same guest, whose kernel asks the hypervisor for the roots of its tables, and switches to a process by loading one if it gets
     * one; for 4- and 5-level paging without PCIDs, under a hypervisor.
     */
    public MiniatureGuest withCr3Slots() {
        return new MiniatureGuest(workload, seed, first, layout, usePcids, true, needsPaging, mapped);
    }

    /** The same guest, whose programs need paging because of {@code what} they do, such as "it forks". */
    public MiniatureGuest needingPaging(String what) {
        return new MiniatureGuest(workload, seed, first, layout, usePcids, slots, what, mapped);
    }

    /** The same guest, whose first process maps so many bytes on each vCPU in all. */
    public MiniatureGuest mapping(long bytes) {
        return new MiniatureGuest(workload, seed, first, layout, usePcids, slots, needsPaging, bytes);
    }

    /** The most memory that a guest has in {@code mode}, in bytes. */
    public static long mostMemory(PagingMode mode) {
        return GuestLayout.of(mode).mostMemory;
    }

    /** The seed of vCPU {@code vcpu} in a guest that was given {@code seed}. */
    public static long seedOf(long seed, int vcpu) {
        return vcpu == 0 ? seed : Contents.mix(seed + vcpu * GOLDEN_GAMMA);
    }

    /** The gpa of the 8 bytes in which the kernel of {@code vcpu} counts deliveries of external interrupts with {@code vector}. */
    public static long interruptCounter(int vcpu, int vector) {
        return GuestLayout.INTERRUPT_PAGES + vcpu * PAGE + 8L * vector;
    }

    @Override
    public Optional<String> refusal(int vcpus, long memoryBytes) {
        PagingMode mode = layout.mode;
        long least = LEAST_MEMORY + (vcpus - 1) * LEAST_PART;
        if (memoryBytes < least || memoryBytes > layout.mostMemory) {
            return refusal("the miniature guest runs %sin %s to %s of memory %s, not in %s; choose with --memory",
                    vcpus == 1 ? "" : "on " + vcpus + " vCPUs ", size(least), size(layout.mostMemory), withPaging(), size(memoryBytes));
        }
        if (usePcids && !mode.isLong()) {
            return refusal("workload %s uses PCIDs, which exist in IA-32e mode only; choose --paging %s or %s", workload,
                    PagingMode.FOUR_LEVEL.label(), PagingMode.FIVE_LEVEL.label());
        }
        if (slots && !mode.isLong()) {
            return refusal("workload %s loads shadow roots, which it can with --paging %s or %s", workload, PagingMode.FOUR_LEVEL.label(),
                    PagingMode.FIVE_LEVEL.label());
        }
        if (mode == PagingMode.NONE && !needsPaging.isEmpty()) {
            return refusal("workload %s cannot run without paging: %s; choose another --paging than %s", workload, needsPaging,
                    mode.label());
        }
        if (mapped > layout.userEnd) {
            return refusal("workload %s maps %s, and a process has %s of address space %s; choose --paging %s", workload,
                    size(mapped), size(layout.userEnd), withPaging(), PagingMode.FOUR_LEVEL.label());
        }
        if (mode == PagingMode.NONE && mapped > part(vcpus, memoryBytes) - PAGE) {
            return refusal("workload %s maps %s, and without paging all of it must be in memory, of which %s are free%s; choose with --memory",
                    workload, size(mapped), size(part(vcpus, memoryBytes)), vcpus == 1 ? "" : " for each vCPU");
        }
        return Optional.empty();
    }

    private String withPaging() {
        return layout.paged() ? "with " + layout.mode.label() + " paging" : "without paging";
    }

    private static String size(long bytes) {
        return bytes % (1 << 30) == 0 ? (bytes >> 30) + " GiB" : (bytes >> 20) + " MiB";
    }

    private static Optional<String> refusal(String format, Object... values) {
        return Optional.of(String.format(format, values));
    }

    private long block() {
        return layout.paged() ? layout.tables.largePage() : UNPAGED_BLOCK;
    }

    /** Frames of a vCPU, in bytes: whole large pages. What is left over goes to the last vCPU. */
    private long part(int vcpus, long memoryBytes) {
        return (memoryBytes - GuestLayout.freeFrames(memoryBytes)) / vcpus & -(vcpus == 1 ? PAGE : block());
    }

    @Override
    public GuestState[] boot(Loader loader, RegisterFile[] vcpus, long memoryBytes) {
        int n = vcpus.length;
        refusal(n, memoryBytes).ifPresent(why -> {
            throw new MachineException(why);
        });
        BootTables tables = layout.paged() ? new BootTables(layout, memoryBytes) : null;
        if (tables != null) {
            tables.write(loader);
        }
        String needs = "workload " + workload + " needs more than " + (memoryBytes >> 20) + " MiB" + (n == 1 ? "" : " on " + n + " vCPUs");
        long part = part(n, memoryBytes);
        AtomicInteger kernels = new AtomicInteger(n);
        GuestState[] guests = new GuestState[n];
        for (int i = 0; i < n; i++) {
            vcpus[i].paging = paging(tables);
            vcpus[i].cpl = 0;
            vcpus[i].rip = layout.text;
            long from = GuestLayout.freeFrames(memoryBytes) + i * part;
            FrameAllocator frames = new FrameAllocator(needs, (int) (block() / PAGE), from, i == n - 1 ? memoryBytes : from + part);
            UserProgram program = first.apply(seedOf(seed, i));
            guests[i] = new GuestState(
                    new MiniatureKernel(workload, i, kernels, frames, layout, tables, program, usePcids ? new Pcids() : null, slots));
        }
        return guests;
    }

    private PagingState paging(BootTables tables) {
        PagingMode mode = layout.mode;
        if (mode == PagingMode.NONE) {
            return new PagingState(ControlBits.CR0_PE, 0, 0, 0, 0, 0);
        }
        long cr4 = ControlBits.CR4_PGE | ControlBits.CR4_SMEP | (mode == PagingMode.BITS_32 ? ControlBits.CR4_PSE : ControlBits.CR4_PAE)
                | (mode == PagingMode.FIVE_LEVEL ? ControlBits.CR4_LA57 : 0) | (usePcids ? ControlBits.CR4_PCIDE : 0);
        long efer = (mode.isLong() ? ControlBits.EFER_LME | ControlBits.EFER_LMA : 0)
                | (mode == PagingMode.BITS_32 ? 0 : ControlBits.EFER_NXE);
        return new PagingState(ControlBits.CR0_PE | ControlBits.CR0_WP | ControlBits.CR0_PG, tables.root(), cr4, efer, 0, 0, tables.pdptes());
    }
}
