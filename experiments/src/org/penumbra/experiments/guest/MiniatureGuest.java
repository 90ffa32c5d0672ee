package org.penumbra.experiments.guest;

import static org.penumbra.experiments.guest.GuestLayout.LARGE_PAGE;
import static org.penumbra.experiments.guest.GuestLayout.PAGE;
import static org.penumbra.experiments.guest.GuestLayout.index;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.LongFunction;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.guest.GuestState;
import org.penumbra.api.machine.GuestBoot;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.PagingState;

/**
 * Boots the miniature guest kernel with one process. Immutable; each boot is a guest of its own.
 *
 * <p>After {@link #boot} the boot tables are in memory, the registers are those of a kernel in long mode at CPL 0 with CR0.WP,
 * CR4.PGE, CR4.SMEP and EFER.NXE set, and the engine's first steps make the first process.
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
    /** The direct map has two top-level entries. */
    public static final long MOST_MEMORY = 1L << 40;

    private static final long GOLDEN_GAMMA = 0x9e37_79b9_7f4a_7c15L;

    private final String workload;
    private final long seed;
    private final LongFunction<UserProgram> first;
    private final boolean usePcids;

    /**
     * A guest without PCIDs.
     *
     * @param workload its name, for messages
     * @param first makes the program of the first process of a vCPU from a seed, anew for every boot: from {@code seed} for vCPU 0,
     *     for the others from what {@link #seedOf} derives from it
     */
    public MiniatureGuest(String workload, long seed, LongFunction<UserProgram> first) {
        this(workload, seed, first, false);
    }

    private MiniatureGuest(String workload, long seed, LongFunction<UserProgram> first, boolean usePcids) {
        this.workload = workload;
        this.seed = seed;
        this.first = first;
        this.usePcids = usePcids;
    }

    /** The same guest with CR4.PCIDE set, whose kernel switches processes without flushing. */
    public MiniatureGuest withPcids() {
        return new MiniatureGuest(workload, seed, first, true);
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
    public GuestState[] boot(Loader loader, RegisterFile[] vcpus, long memoryBytes) {
        int n = vcpus.length;
        long least = LEAST_MEMORY + (n - 1) * LEAST_PART;
        if (memoryBytes < least || memoryBytes > MOST_MEMORY) {
            throw new MachineException("the miniature guest runs " + (n == 1 ? "" : "on " + n + " vCPUs ") + "in " + (least >> 20)
                    + " MiB to " + (MOST_MEMORY >> 30) + " GiB of memory, not in " + (memoryBytes >> 20) + " MiB; choose with --memory");
        }
        long root = writeTables(loader, memoryBytes);
        String needs = "workload " + workload + " needs more than " + (memoryBytes >> 20) + " MiB" + (n == 1 ? "" : " on " + n + " vCPUs");
        // Whole large pages; what is left over goes to the last.
        long free = GuestLayout.freeFrames(memoryBytes);
        long part = (memoryBytes - free) / n & -LARGE_PAGE;
        AtomicInteger kernels = new AtomicInteger(n);
        GuestState[] guests = new GuestState[n];
        for (int i = 0; i < n; i++) {
            start(vcpus[i], root);
            long from = free + i * part;
            FrameAllocator frames = new FrameAllocator(needs, from, i == n - 1 ? memoryBytes : from + part);
            UserProgram program = first.apply(seedOf(seed, i));
            guests[i] = new GuestState(
                    new MiniatureKernel(workload, i, kernels, frames, root, program, usePcids ? new Pcids() : null));
        }
        return guests;
    }

    private void start(RegisterFile registers, long root) {
        PagingState state = PagingState.longMode(root);
        registers.paging = state.withCr4(
                state.cr4() | ControlBits.CR4_PGE | ControlBits.CR4_SMEP | (usePcids ? ControlBits.CR4_PCIDE : 0));
        registers.cpl = 0;
        registers.rip = GuestLayout.TEXT;
    }

    /** The kernel half: the direct map of all memory, and the kernel's text. Tables lie one after the other. */
    private static long writeTables(Loader loader, long memoryBytes) {
        long root = GuestLayout.BOOT_TABLES;
        long directPointers = root + PAGE;
        long textPointers = directPointers + PAGE;
        long textDirectory = textPointers + PAGE;
        boolean low = memoryBytes <= GuestLayout.LOW_DIRECTORIES;
        long directories = low ? textDirectory + PAGE : GuestLayout.FREE_FRAMES;
        long morePointers = directories + GuestLayout.directories(memoryBytes) * PAGE;

        loader.store64(root + 8L * GuestLayout.TEXT_SLOT, textPointers | Pte.KERNEL_TABLE);
        loader.store64(textPointers + 8L * index(GuestLayout.TEXT, 3), textDirectory | Pte.KERNEL_TABLE);
        loader.store64(textDirectory + 8L * index(GuestLayout.TEXT, 2), GuestLayout.TEXT_GPA | Pte.TEXT_PAGE);

        loader.store64(root + 8L * GuestLayout.DIRECT_MAP_SLOT, directPointers | Pte.KERNEL_TABLE);
        if (memoryBytes > 1L << 39) {
            loader.store64(root + 8L * (GuestLayout.DIRECT_MAP_SLOT + 1), morePointers | Pte.KERNEL_TABLE);
        }
        for (long gpa = 0; gpa < memoryBytes; gpa += LARGE_PAGE) {
            long pointers = gpa < 1L << 39 ? directPointers : morePointers;
            long directory = directories + (gpa >>> 30) * PAGE;
            int gigabyte = index(GuestLayout.direct(gpa), 3);
            loader.store64(pointers + 8L * gigabyte, directory | Pte.KERNEL_TABLE);
            loader.store64(directory + 8L * index(GuestLayout.direct(gpa), 2), gpa | Pte.DIRECT_PAGE);
        }
        return root;
    }
}
