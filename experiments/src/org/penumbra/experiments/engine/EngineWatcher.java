package org.penumbra.experiments.engine;

import org.penumbra.api.cpu.Processor;
import org.penumbra.api.vmx.ExitRecord;

/** A {@link org.penumbra.api.guest.GuestProgram} that is shown what its vCPU does. Called by the thread that runs the vCPU. */
public interface EngineWatcher {
    /** The program runs on {@code cpu} from now on. */
    void attached(Processor cpu);

    /** The processor has left the guest, which nobody has handled yet; {@code exit} is overwritten by the next one. */
    void exited(ExitRecord exit);

    /** The hypervisor has executed the operation of the last exit in the guest's stead. */
    void emulated();
}
