package org.penumbra.experiments.guest;

import static org.penumbra.experiments.guest.GuestLayout.LARGE_PAGE;
import static org.penumbra.experiments.guest.GuestLayout.PAGE;
import static org.penumbra.experiments.guest.GuestLayout.index;

import java.util.function.Supplier;
import org.penumbra.api.cpu.ExecutionEngine;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.machine.GuestBoot;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.PagingState;
import org.penumbra.experiments.engine.StepEngine;

/**
 * Boots the miniature guest kernel with one process. Immutable; each boot is a guest of its own.
 *
 * <p>After {@link #boot} the boot tables are in memory, the registers are those of a kernel in long mode at CPL 0 with CR0.WP,
 * CR4.PGE, CR4.SMEP and EFER.NXE set, and the engine's first steps make the first process.
 */
public final class MiniatureGuest implements GuestBoot {
    /** Below this there is no room for the kernel and a process. */
    public static final long LEAST_MEMORY = 8 << 20;
    /** Above this the boot tables would not fit where they are. */
    public static final long MOST_MEMORY = 256L << 30;

    private final String workload;
    private final Supplier<UserProgram> first;
    private final boolean usePcids;

    /**
     * A guest without PCIDs.
     *
     * @param workload its name, for messages
     * @param first makes the program of the first process, anew for every boot
     */
    public MiniatureGuest(String workload, Supplier<UserProgram> first) {
        this(workload, first, false);
    }

    private MiniatureGuest(String workload, Supplier<UserProgram> first, boolean usePcids) {
        this.workload = workload;
        this.first = first;
        this.usePcids = usePcids;
    }

    /** The same guest with CR4.PCIDE set, whose kernel switches processes without flushing. */
    public MiniatureGuest withPcids() {
        return new MiniatureGuest(workload, first, true);
    }

    @Override
    public ExecutionEngine boot(Loader loader, RegisterFile registers, long memoryBytes) {
        if (memoryBytes < LEAST_MEMORY || memoryBytes > MOST_MEMORY) {
            throw new MachineException("the miniature guest runs in " + (LEAST_MEMORY >> 20) + " MiB to " + (MOST_MEMORY >> 30)
                    + " GiB of memory, not in " + (memoryBytes >> 20) + " MiB; choose with --memory");
        }
        long root = writeTables(loader, memoryBytes);
        PagingState state = PagingState.longMode(root);
        registers.paging = state.withCr4(
                state.cr4() | ControlBits.CR4_PGE | ControlBits.CR4_SMEP | (usePcids ? ControlBits.CR4_PCIDE : 0));
        registers.cpl = 0;
        registers.rip = GuestLayout.TEXT;
        FrameAllocator frames = new FrameAllocator(workload, memoryBytes);
        return new StepEngine(new MiniatureKernel(workload, frames, root, first.get(), usePcids ? new Pcids() : null));
    }

    /** The kernel half: the direct map of all memory, and the kernel's text. Tables lie one after the other. */
    private static long writeTables(Loader loader, long memoryBytes) {
        long root = GuestLayout.BOOT_TABLES;
        long directPointers = root + PAGE;
        long textPointers = directPointers + PAGE;
        long textDirectory = textPointers + PAGE;
        long directories = textDirectory + PAGE;

        loader.store64(root + 8L * GuestLayout.TEXT_SLOT, textPointers | Pte.KERNEL_TABLE);
        loader.store64(textPointers + 8L * index(GuestLayout.TEXT, 3), textDirectory | Pte.KERNEL_TABLE);
        loader.store64(textDirectory + 8L * index(GuestLayout.TEXT, 2), GuestLayout.TEXT_GPA | Pte.TEXT_PAGE);

        loader.store64(root + 8L * GuestLayout.DIRECT_MAP_SLOT, directPointers | Pte.KERNEL_TABLE);
        for (long gpa = 0; gpa < memoryBytes; gpa += LARGE_PAGE) {
            long directory = directories + (gpa >>> 30) * PAGE;
            int gigabyte = index(GuestLayout.direct(gpa), 3);
            loader.store64(directPointers + 8L * gigabyte, directory | Pte.KERNEL_TABLE);
            loader.store64(directory + 8L * index(GuestLayout.direct(gpa), 2), gpa | Pte.DIRECT_PAGE);
        }
        return root;
    }
}
