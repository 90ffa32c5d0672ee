package org.penumbra.api.vmx;

import org.penumbra.api.paging.Pdptes;
import org.penumbra.api.paging.LinearWalker;
import org.penumbra.api.paging.StageWalker;

/**
 * The fields of a virtual-machine control structure that the processor obeys (SDM vol. 3, "VM-Execution Control Fields" and
 * "Guest-State Area"). Held by the virtual machine. The hypervisor writes it between a VM exit and the next entry; guest-state
 * fields are written by the processor while the guest runs. Fields that are absent here stand for controls that are 0.
 */
public final class Vmcs {
    /** IA32_VMX_MISC[24:16] of every processor so far (SDM vol. 3, appendix "Miscellaneous Data"). */
    public static final int MOST_CR3_TARGETS = 4;

    /** Entries of the page-modification log, 8 bytes each. */
    public static final int PML_ENTRIES = 512;

    /** VM-function control: EPTP switching. */
    public static final long EPTP_SWITCHING = 1;
    public static final int EPTP_LIST_ENTRIES = 512;

    /** Exception bitmap: bit n intercepts vector n. #PF is intercepted whatever its error code (mask = match = 0). */
    public int exceptionBitmap;
    /** "CR3-load exiting". */
    public boolean cr3LoadExiting;
    /**
     * CR3-target count, 0 to {@link #MOST_CR3_TARGETS}, and the values: with CR3-load exiting, a MOV to CR3 whose source operand is one
     * of the first so many does not exit (SDM vol. 3, "CR3-Target Controls").
     */
    public int cr3TargetCount;
    public final long[] cr3Targets = new long[MOST_CR3_TARGETS];
    /** "CR3-store exiting". */
    public boolean cr3StoreExiting;
    /** "INVLPG exiting". */
    public boolean invlpgExiting;
    /** "HLT exiting". */
    public boolean hltExiting;
    /** "Unconditional I/O exiting". */
    public boolean ioExiting;
    /** CR0 and CR4 guest/host masks: a MOV that changes a masked bit from the read shadow's value exits. */
    public long cr0Mask;
    public long cr4Mask;
    public long cr0ReadShadow;
    public long cr4ReadShadow;
    /** "Unrestricted guest": CR0.PE and CR0.PG may be 0 in non-root operation; needs EPT. */
    public boolean unrestrictedGuest;
    /** "Mode-based execute control for EPT": bit 2 of an entry is for supervisor-mode, bit 10 for user-mode linear addresses. */
    public boolean modeBasedExecute;
    /** "Enable EPT", and the EPT pointer. */
    public boolean enableEpt;
    public long eptp;
    /**
     * "Enable PML"; the address of the log, a frame; and its index, which the processor counts down from {@link #PML_ENTRIES} − 1 (SDM vol. 3,
     * "Page-Modification Logging"). A dirty flag that is to be set while the index, a field of 16 bits, is beyond makes the exit
     * {@link ExitReason#PML_FULL}, and is not set.
     */
    public boolean enablePml;
    public long pmlAddress;
    public int pmlIndex;
    /**
     * "Enable VM functions"; the VM-function controls, of which bit 0 is EPTP switching; and the address of the EPTP list, a frame with
     * {@link #EPTP_LIST_ENTRIES} EPTPs. The processor writes {@link #eptp} and, if {@link #eptViolationVe}, {@link #eptpIndex}.
     */
    public boolean enableVmFunctions;
    public long vmFunctionControls;
    public long eptpListAddress;
    /**
     * "EPT-violation #VE": an EPT violation whose entry has bit 63 ("suppress #VE") clear is a #VE of the guest, with what it would have
     * told the hypervisor in the area at {@code veInformationAddress}, a frame, unless the 4 bytes at offset 4 there are not 0 (SDM vol. 3,
     * "Virtualization Exceptions").
     */
    public boolean eptViolationVe;
    public long veInformationAddress;
    public int eptpIndex;
    /**
     * "Sub-page write permissions for EPT", and the sub-page-permission-table pointer (SPPTP), a frame: a write that an EPT PTE with bit 61 refuses
     * by its bit 1 alone is permitted where the table has the bit of its 128 bytes (SDM vol. 3, "Sub-Page Write Permissions"). Where the table says
     * nothing, or nonsense, the exit is {@link ExitReason#SPP_EVENT}.
     */
    public boolean subPageWrites;
    public long spptp;
    /** With "enable EPT": what walks guest-physical addresses, from {@link #eptp} on, in place of EPT; null for EPT. No field of VMX. */
    public StageWalker stageWalker;
    /**
     * With "enable EPT": what linear addresses are walked by, from the table at {@code linearTable} on, before the guest's own tables and in their
     * place; null for those alone. No fields of VMX.
     */
    public LinearWalker linearWalker;
    public long linearTable;
    /** Virtual-processor identifier; 0 stands for "enable VPID" = 0: entries and exits drop the TLB. */
    public int vpid;

    /** "VMCS shadowing" and the VMCS that the link pointer names: VMREAD and VMWRITE of its fields do not exit; null without. */
    public VmcsRegion shadow;

    /** Guest-state area: the control registers that the processor really uses in non-root operation. */
    public long guestCr0;
    public long guestCr3;
    public long guestCr4;
    public long guestEfer;
    /** Guest PDPTEs: with EPT and PAE paging loaded at VM entry and saved at VM exit; without EPT they come from memory. */
    public Pdptes guestPdptes = Pdptes.NONE;

    /** "Interrupt-window exiting": exits as soon as RFLAGS.IF = 1 at an operation boundary. */
    public boolean interruptWindowExiting;

    /** "NMI-window exiting", with virtual NMIs: exits at an operation boundary as soon as NMIs are not blocked. */
    public boolean nmiWindowExiting;

    /** VM-entry interruption information: an event to be injected by the next entry, an external interrupt or an exception. */
    public boolean inject;
    public boolean injectExternal;
    public int injectVector;
    public int injectErrorCode;
    public long injectAddress;
    /** It comes from VMCS12, so that it says nothing about this processor. */
    public boolean injectNested;
}
