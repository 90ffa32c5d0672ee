package org.penumbra.experiments.guest;

import java.util.Optional;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.guest.GuestState;
import org.penumbra.api.machine.GuestBoot;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.api.paging.PagingState;

/**
 * Boots a hypervisor that runs another guest in the upper part of its memory, on one vCPU. Immutable.
 *
 * <pre>
 *  gpa of L1
 *  0 …                what {@link GuestLayout} has there: boot tables, text, frames for VMX regions and EPT tables
 *  {@link #own} …     L2's memory from its address 0
 * </pre>
 */
public final class HypervisorGuest implements GuestBoot {
    private static final long LARGE_PAGE = 2 << 20;
    /** Boot tables, text, VMX regions. */
    private static final long OWN = 8 << 20;

    private final GuestBoot inner;
    private final int leafLevel;
    private final GuestLayout layout = GuestLayout.of(PagingMode.FOUR_LEVEL);

    /**
     * @param inner the guest of the hypervisor
     * @param leafLevel of the hypervisor's EPT tables: 1 for 4 KiB, 2 for 2 MiB
     */
    public HypervisorGuest(GuestBoot inner, int leafLevel) {
        this.inner = inner;
        this.leafLevel = leafLevel;
    }

    /** What the hypervisor has for itself: an EPT entry of 8 bytes for each 4 KiB, and twice as much for whatever else there is. */
    private static long own(long memoryBytes) {
        return (OWN + (memoryBytes >> 8)) & -LARGE_PAGE;
    }

    @Override
    public Optional<String> refusal(int vcpus, long memoryBytes) {
        if (vcpus != 1) {
            return Optional.of("the guest hypervisor runs its guest on 1 vCPU, not on " + vcpus + "; choose with --vcpus");
        }
        if (memoryBytes < 2 * OWN) {
            return Optional.of("the guest hypervisor needs " + (2 * OWN >> 20) + " MiB of memory at least; choose with --memory");
        }
        return inner.refusal(1, memoryBytes - own(memoryBytes));
    }

    @Override
    public GuestState[] boot(Loader loader, RegisterFile[] vcpus, long memoryBytes) {
        refusal(vcpus.length, memoryBytes).ifPresent(why -> {
            throw new MachineException(why);
        });
        BootTables tables = new BootTables(layout, memoryBytes);
        tables.write(loader);
        RegisterFile registers = vcpus[0];
        registers.paging = PagingState.longMode(tables.root()).withCr4(ControlBits.CR4_PAE | ControlBits.CR4_PGE);
        registers.cpl = 0;
        registers.rip = layout.text;
        long base = own(memoryBytes);
        RegisterFile l2 = new RegisterFile();
        GuestState guest = inner.boot((gpa, value) -> loader.store64(base + gpa, value), new RegisterFile[] {l2}, memoryBytes - base)[0];
        FrameAllocator frames = new FrameAllocator("the guest hypervisor needs more than it has of", 512, GuestLayout.FREE_FRAMES, base);
        HypervisorKernel kernel = new HypervisorKernel(registers, layout, frames, l2.paging, base, leafLevel);
        GuestState hypervisor = new GuestState(kernel);
        hypervisor.guests.put(kernel.vmcs(), guest);
        return new GuestState[] {hypervisor};
    }
}
