package org.penumbra.hardware.cpu;

import static org.penumbra.api.paging.ControlBits.CR0_PE;

import org.penumbra.api.cpu.GuestException;
import org.penumbra.api.cpu.Outcome;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.api.svm.Vmcb;
import org.penumbra.api.vmx.ExitQualification;
import org.penumbra.api.vmx.ExitReason;
import org.penumbra.hardware.tlb.TranslationUnit;
import org.penumbra.hardware.walk.SecondStage;
import org.penumbra.hardware.walk.SubPages;
import org.penumbra.hardware.walk.Walker;

/**
 * What becomes of a refusal of the second dimension: an EPT violation or misconfiguration, a full page-modification log, an SPP-related
 * event, #VE, or a nested page fault. One thread.
 */
final class StageExits {
    private final Running running;
    private final TranslationUnit unit;
    private final PhysicalMemory memory;

    StageExits(Running running, TranslationUnit unit, PhysicalMemory memory) {
        this.running = running;
        this.unit = unit;
        this.memory = memory;
    }

    /** The second dimension refused; {@code linear}: an access to {@code gva}, and not to PDPTEs for the registers. */
    int raise(long gva, int access, boolean linear) {
        SecondStage stage = unit.stage();
        long refused = stage.refused;
        if (running.vmcb != null) {
            long error = StageFaults.nestedPageFault(stage);
            running.svmExit(ExitReason.NPF, Vmcb.VMEXIT_NPF, error, refused, error);
            running.exit.guestPhysical = refused;
            running.exit.access = access;
            return Outcome.EXIT;
        }
        if (stage.reason == Walker.LOG_FULL) {
            running.exit(ExitReason.PML_FULL, 0);
            running.exit.access = access;
            return Outcome.EXIT;
        }
        if (stage.reason == SubPages.MISS || stage.reason == SubPages.MISCONFIGURED) {
            running.exit(ExitReason.SPP_EVENT, stage.reason == SubPages.MISS ? ExitQualification.SPPT_MISS : 0);
            running.exit.guestLinear = gva;
            running.exit.guestPhysical = refused;
            running.exit.access = access;
            return Outcome.EXIT;
        }
        boolean violation = stage.reason != Walker.MALFORMED;
        long qualification = violation ? StageFaults.qualification(stage, running.vmcs.modeBasedExecute, linear, unit.lastRights()) : 0;
        boolean convertible = violation && linear && running.vmcs.eptViolationVe && !stage.suppressVe && (running.cr0() & CR0_PE) != 0;
        if (convertible && memory.load64(running.vmcs.veInformationAddress) >>> 32 == 0) {
            return virtualizationException(gva, refused, qualification);
        }
        running.exit(violation ? ExitReason.EPT_VIOLATION : ExitReason.EPT_MISCONFIG, qualification);
        running.exit.guestLinear = violation && linear ? gva : 0;
        running.exit.guestPhysical = refused;
        running.exit.access = access;
        return Outcome.EXIT;
    }

    /**
     * <pre>
     *  bytes 0–3   48, the basic exit reason of an EPT violation
     *        4–7   FFFFFFFFH, which keeps further ones from the area until software clears it
     *        8–15  exit qualification     16–23  guest-linear address     24–31  guest-physical address
     *        32–33 EPTP index
     * </pre>
     */
    private int virtualizationException(long gva, long gpa, long qualification) {
        long area = running.vmcs.veInformationAddress;
        memory.store64(area, 0xffff_ffffL << 32 | ExitReason.EPT_VIOLATION.number());
        memory.store64(area + 8, qualification);
        memory.store64(area + 16, gva);
        memory.store64(area + 24, gpa);
        memory.store64(area + 32, memory.load64(area + 32) & -1L << 16 | running.vmcs.eptpIndex & 0xffff);
        return running.raise(GuestException.VE, 0, 0, 0);
    }
}
