package org.penumbra.experiments.guest;

import java.util.Optional;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.cpu.VirtualizationExtension;
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
 *  0 …                what {@link GuestLayout} has there: boot tables, text, frames for control blocks and tables
 *  {@link #own} …     L2's memory from its address 0
 * </pre>
 */
public final class HypervisorGuest implements GuestBoot {
    private static final long LARGE_PAGE = 2 << 20;
    /** Boot tables, text, VMX regions. */
    private static final long OWN = 8 << 20;

    /** How the hypervisor virtualises its guest's memory, and by which extension it runs its guest. */
    public enum Mmu {
        /** EPT tables with pages of 4 KiB. */
        EPT("EPT pages of 4 KiB", VirtualizationExtension.VMX, 1),
        /** The same, and a page-modification log by which the hypervisor finds the pages that its guest writes. */
        EPT_LOG("EPT pages of 4 KiB with a page-modification log", VirtualizationExtension.VMX, 1),
        /** EPT tables with pages of 2 MiB. */
        EPT_2M("EPT pages of 2 MiB", VirtualizationExtension.VMX, 2),
        /** Shadow paging; for guests with 4-level paging. */
        SHADOW("shadow paging", VirtualizationExtension.VMX, 0),
        /** Nested tables with pages of 4 KiB. */
        NPT("NPT pages of 4 KiB", VirtualizationExtension.SVM, 1),
        /** Nested tables with pages of 2 MiB. */
        NPT_2M("NPT pages of 2 MiB", VirtualizationExtension.SVM, 2),
        /** Shadow paging under SVM; for guests with 4-level paging. */
        SVM_SHADOW("shadow paging under SVM", VirtualizationExtension.SVM, 0);

        private final String title;
        private final VirtualizationExtension extension;
        private final int leafLevel;

        /** @param leafLevel level of the entries that map pages: 1 or 2; 0 of shadow paging */
        Mmu(String title, VirtualizationExtension extension, int leafLevel) {
            this.title = title;
            this.extension = extension;
            this.leafLevel = leafLevel;
        }

        public VirtualizationExtension extension() {
            return extension;
        }

        /** True of shadow paging, which needs no nested paging. */
        public boolean shadows() {
            return leafLevel == 0;
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

    /** What the hypervisor has for itself: an entry of its tables of 8 bytes for each 4 KiB, and twice as much for whatever else there is. */
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
        if (mmu.shadows() && mode != PagingMode.FOUR_LEVEL) {
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
        ControlBlock control =
                mmu.extension() == VirtualizationExtension.SVM ? new VmcbBlock(registers, layout, frames) : new VmcsBlock(registers, layout, frames, mmu == Mmu.EPT_LOG);
        HypervisorMmu memory = virtualised(control, frames, base, l2.paging, guest);
        GuestState hypervisor = new GuestState(new HypervisorKernel(registers, layout, control, l2.paging, memory));
        hypervisor.guests.put(control.gpa(), guest);
        return new GuestState[] {hypervisor};
    }

    private HypervisorMmu virtualised(ControlBlock control, FrameAllocator frames, long base, PagingState l2, GuestState guest) {
        if (mmu.shadows()) {
            return new VirtualTlb(control, frames, layout, base, l2, guest);
        }
        return new NestedTables(control, frames, layout, base, mmu.leafLevel, !l2.has0(ControlBits.CR0_PG));
    }
}
