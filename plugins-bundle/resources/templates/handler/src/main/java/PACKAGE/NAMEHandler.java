package {{package}};

import org.osgi.service.component.annotations.Component;
import org.penumbra.api.vmx.Disposition;
import org.penumbra.api.vmx.ExitRecord;
import org.penumbra.api.vmx.Vcpu;
import org.penumbra.api.vmx.VmExitHandler;

/** HLT: counted; the vCPU waits for an interrupt. Holds no state of a guest, as the contract asks. */
@Component(property = {VmExitHandler.EXIT_REASON + "=HLT", "service.ranking:Integer=100"})
public final class {{Name}}Handler implements VmExitHandler {
    static final String COUNTER = "{{name}}.halts";

    @Override
    public Disposition handle(Vcpu vcpu, ExitRecord exit) {
        vcpu.counters().counter(COUNTER).increment();
        vcpu.engine().skip();
        vcpu.halt();
        return Disposition.RESUME;
    }
}
