package org.penumbra.vmx.exit;

import org.osgi.service.component.annotations.Component;
import org.penumbra.api.vmx.Disposition;
import org.penumbra.api.vmx.ExitRecord;
import org.penumbra.api.vmx.Vcpu;
import org.penumbra.api.vmx.VmExitHandler;

/** A full page-modification log, which every exit empties, so that the write only has to be made again. KVM: handle_pml_full. */
@Component(property = VmExitHandler.EXIT_REASON + "=PML_FULL")
public final class PmlFullExit implements VmExitHandler {
    @Override
    public Disposition handle(Vcpu vcpu, ExitRecord exit) {
        return Disposition.RESUME;
    }
}
