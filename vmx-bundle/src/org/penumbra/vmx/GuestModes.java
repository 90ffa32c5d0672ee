package org.penumbra.vmx;

import org.penumbra.api.cpu.GuestOperation;
import org.penumbra.api.cpu.HostProcessor;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.paging.EptFeatures;
import org.penumbra.api.paging.TranslationRoot;
import org.penumbra.api.vmx.ExitRecord;
import org.penumbra.api.vmx.Vmcs;

/**
 * The ways in which a processor runs the guest of one vCPU, by the root of its MMU: under VMX, under SVM on nested tables, and without
 * either, at CPL 3. Used by the vCPU's thread, or while that is parked.
 */
final class GuestModes {
    private final HostProcessor processor;
    private final SvmGuest svm;
    private final DeprivilegedVcpu withoutVmx;
    private boolean underSvm;
    private boolean deprivileged;

    GuestModes(HostProcessor processor, int vcpu) {
        this.processor = processor;
        this.svm = new SvmGuest(processor, vcpu);
        this.withoutVmx = new DeprivilegedVcpu(processor);
    }

    /** Has the guest run by {@code root} from the next entry on, which is by {@code vmcs}; {@code cr3} is the guest's own. */
    void program(TranslationRoot root, Vmcs vmcs, long cr3) {
        underSvm = false;
        vmcs.stageWalker = null;
        vmcs.linearWalker = null;
        EptFeatures features = root instanceof TranslationRoot.TwoDimensional two ? two.features() : EptFeatures.NONE;
        vmcs.subPageWrites = features.subPageTable() != 0;
        vmcs.spptp = features.subPageTable();
        vmcs.modeBasedExecute = features.modeBasedExecute();
        if (root instanceof TranslationRoot.OneDimensional shadow) {
            if (shadow.deprivileged() && !deprivileged) {
                withoutVmx.flush();
            }
            deprivileged = shadow.deprivileged();
            vmcs.enableEpt = false;
            vmcs.guestCr3 = shadow.cr3();
        } else if (root instanceof TranslationRoot.TwoDimensional ept) {
            vmcs.enableEpt = true;
            vmcs.eptp = ept.eptp();
            vmcs.guestCr3 = cr3;
        } else if (root instanceof TranslationRoot.Own own) {
            vmcs.enableEpt = true;
            vmcs.eptp = own.register();
            vmcs.stageWalker = own.walker();
            vmcs.guestCr3 = cr3;
        } else if (root instanceof TranslationRoot.Switching both) {
            vmcs.enableEpt = true;
            vmcs.eptp = both.nested().eptp();
            vmcs.linearWalker = both.walker();
            vmcs.linearTable = both.register();
            vmcs.guestCr3 = cr3;
        } else if (root instanceof TranslationRoot.Nested npt) {
            vmcs.enableEpt = false;
            svm.program(npt);
            underSvm = true;
        }
        vmcs.unrestrictedGuest = vmcs.enableEpt;
    }

    /** Enters the guest. */
    void enter(Vmcs vmcs) {
        if (underSvm) {
            svm.run(vmcs);
        } else if (deprivileged) {
            withoutVmx.run(vmcs);
        } else {
            processor.vmEntry(vmcs);
        }
    }

    /** How the guest runs under SVM. */
    SvmGuest svm() {
        return svm;
    }

    /** There is no root any more. */
    void forget() {
        svm.forget();
        underSvm = false;
        deprivileged = false;
    }

    boolean underSvm() {
        return underSvm;
    }

    /** The guest was last entered without VMX, or is to be. */
    boolean deprivileged() {
        return deprivileged;
    }

    /** Makes of the trap of a de-privileged guest the exit that means the same under VMX. */
    void decode(ExitRecord exit, GuestOperation operation, RegisterFile registers) {
        withoutVmx.decode(exit, operation, registers);
    }

    /** Drops what is cached for {@code gva} of the guest that is entered by {@code vmcs}. */
    void flushPage(Vmcs vmcs, long gva) {
        if (underSvm) {
            svm.flushPage(gva);
        } else if (deprivileged) {
            withoutVmx.flushPage(gva);
        } else {
            processor.invvpidAddress(vmcs.vpid, gva);
        }
    }

    /** Drops everything that is cached for the guest; false, with nothing done, if it runs under VMX, where its VPIDs and roots say what that is. */
    boolean flush() {
        if (underSvm) {
            svm.flush();
        } else if (deprivileged) {
            withoutVmx.flush();
        }
        return underSvm || deprivileged;
    }
}
