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

    /** How the hypervisor virtualises its guest's memory. */
    public enum Mmu {
        /** EPT tables with pages of 4 KiB. */
        EPT("EPT pages of 4 KiB"),
        /** EPT tables with pages of 2 MiB. */
        EPT_2M("EPT pages of 2 MiB"),
        /** Shadow paging; for guests with 4-level paging. */
        SHADOW("shadow paging");

        private final String title;

        Mmu(String title) {
            this.title = title;
        }

        /** What it is, for people. */
        public String title() {
            return title;
        }
    }

    private final GuestBoot inner;
    private final Mmu mmu;
    private final PagingMode mode;
    private final GuestLayout layout = GuestLayout.of(PagingMode.FOUR_LEVEL);

    /**
     * @param inner the guest of the hypervisor
     * @param mode its paging mode
     */
    public HypervisorGuest(GuestBoot inner, PagingMode mode, Mmu mmu) {
        this.inner = inner;
        this.mode = mode;
        this.mmu = mmu;
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
        if (mmu == Mmu.SHADOW && mode != PagingMode.FOUR_LEVEL) {
            return Optional.of("the guest hypervisor shadows guests with 4-level paging only; choose --paging " + PagingMode.FOUR_LEVEL.label());
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
        HypervisorKernel kernel = new HypervisorKernel(registers, layout, frames, l2.paging, virtualised(frames, base, l2.paging, guest));
        GuestState hypervisor = new GuestState(kernel);
        hypervisor.guests.put(kernel.vmcs(), guest);
        return new GuestState[] {hypervisor};
    }

    private HypervisorMmu virtualised(FrameAllocator frames, long base, PagingState l2, GuestState guest) {
        if (mmu == Mmu.SHADOW) {
            return new VirtualTlb(frames, layout, base, l2, guest);
        }
        return new GuestEpt(frames, layout, base, mmu == Mmu.EPT ? 1 : 2, !l2.has0(ControlBits.CR0_PG));
    }
}
