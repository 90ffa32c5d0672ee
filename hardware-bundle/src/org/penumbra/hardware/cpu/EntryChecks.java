package org.penumbra.hardware.cpu;

import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.ControlRegisterRules;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.api.paging.Pdptes;
import org.penumbra.api.paging.TranslationRoot;
import org.penumbra.api.vmx.Vmcs;

/** The checks of VM entry that translation depends on (SDM vol. 3, "VM Entries"). A check that fails throws IllegalStateException. */
final class EntryChecks {
    private static final long PROTECTED_AND_PAGED = ControlBits.CR0_PE | ControlBits.CR0_PG;

    private EntryChecks() {}

    static void check(Vmcs vmcs, int maxPhysicalBits) {
        if (vmcs.cr3TargetCount < 0 || vmcs.cr3TargetCount > Vmcs.MOST_CR3_TARGETS) {
            throw new IllegalStateException("CR3-target count " + vmcs.cr3TargetCount + ": 0 to " + Vmcs.MOST_CR3_TARGETS + " are possible");
        }
        if (vmcs.stageWalker != null) {
            // What its register holds is its own business.
        } else if (vmcs.enableEpt) {
            checkEptp(vmcs.eptp, maxPhysicalBits);
        } else if (vmcs.unrestrictedGuest || vmcs.modeBasedExecute) {
            throw new IllegalStateException("unrestricted guest and mode-based execute control need EPT");
        }
        if (vmcs.linearWalker != null && !(vmcs.enableEpt && vmcs.stageWalker == null && frame(vmcs.linearTable, maxPhysicalBits))) {
            throw new IllegalStateException(String.format(
                    "tables for linear addresses at 0x%x: EPT and an address of a frame are needed", vmcs.linearTable));
        }
        if (vmcs.enablePml && !(vmcs.enableEpt && frame(vmcs.pmlAddress, maxPhysicalBits))) {
            throw new IllegalStateException(String.format(
                    "page-modification log at 0x%x: EPT and an address of a frame within %d bits are needed", vmcs.pmlAddress, maxPhysicalBits));
        }
        if (vmcs.subPageWrites && !(vmcs.enableEpt && frame(vmcs.spptp, maxPhysicalBits))) {
            throw new IllegalStateException(String.format(
                    "sub-page permission table at 0x%x: EPT and an address of a frame within %d bits are needed", vmcs.spptp, maxPhysicalBits));
        }
        boolean switching = vmcs.enableVmFunctions && (vmcs.vmFunctionControls & Vmcs.EPTP_SWITCHING) != 0;
        if (switching && !(vmcs.enableEpt && frame(vmcs.eptpListAddress, maxPhysicalBits))) {
            throw new IllegalStateException(String.format("EPTP list at 0x%x: EPT and an address of a frame are needed", vmcs.eptpListAddress));
        }
        if (vmcs.eptViolationVe && !(vmcs.enableEpt && frame(vmcs.veInformationAddress, maxPhysicalBits))) {
            throw new IllegalStateException(String.format(
                    "virtualization-exception information at 0x%x: EPT and an address of a frame are needed", vmcs.veInformationAddress));
        }
        if (!vmcs.unrestrictedGuest && (vmcs.guestCr0 & PROTECTED_AND_PAGED) != PROTECTED_AND_PAGED) {
            throw new IllegalStateException(String.format("guest CR0 0x%x: PE and PG must be 1, but for an unrestricted guest", vmcs.guestCr0));
        }
        if ((vmcs.guestCr0 & PROTECTED_AND_PAGED) == ControlBits.CR0_PG) {
            throw new IllegalStateException(String.format("guest CR0 0x%x: with PG 1, PE and PG must both be 1", vmcs.guestCr0));
        }
        if (vmcs.enableEpt && PagingMode.of(vmcs.guestCr0, vmcs.guestCr4, vmcs.guestEfer) == PagingMode.PAE) {
            pdptes(vmcs.guestPdptes, maxPhysicalBits);
        }
    }

    /** CR4 as its owner set it, without MOV. LA57 is reserved on a processor without 57 linear-address bits: "Checks on Guest Control Registers". */
    static void linearBits(long cr4, int linearBits) {
        if (!ControlRegisterRules.la57Allowed(cr4, linearBits)) {
            throw new IllegalStateException("CR4.LA57 is 1, and linear addresses of this processor have " + linearBits + " bits");
        }
    }

    /** {@code pdptes}, for a guest with PAE paging: "Checks on Guest Page-Directory-Pointer-Table Entries". */
    static Pdptes pdptes(Pdptes pdptes, int maxPhysicalBits) {
        if (!pdptes.allowed(maxPhysicalBits)) {
            throw new IllegalStateException("a guest PDPTE has reserved bits set: " + pdptes);
        }
        return pdptes;
    }

    private static boolean frame(long address, int maxPhysicalBits) {
        return (address & 0xfff) == 0 && address >>> maxPhysicalBits == 0;
    }

    private static void checkEptp(long eptp, int maxPhysicalBits) {
        if (!TranslationRoot.TwoDimensional.allowed(eptp, maxPhysicalBits)) {
            throw new IllegalStateException(String.format(
                    "EPTP 0x%x: memory type 0 or 6 (bits 2:0), 4 or 5 levels (bits 5:3 = 3 or 4) and no other bits are needed", eptp));
        }
    }
}
