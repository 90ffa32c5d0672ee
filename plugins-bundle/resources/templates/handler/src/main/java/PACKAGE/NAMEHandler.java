package {{package}};

import org.osgi.service.component.annotations.Component;
import org.penumbra.api.vmx.Disposition;
import org.penumbra.api.vmx.ExitRecord;
import org.penumbra.api.vmx.Vcpu;
import org.penumbra.api.vmx.VmExitHandler;

/** INVLPG: counted; the MMU drops the page. Holds no state of a guest, as the contract asks. */
@Component(property = {VmExitHandler.EXIT_REASON + "=INVLPG", "service.ranking:Integer=100"})
public final class {{Name}}Handler implements VmExitHandler {
    static final String COUNTER = "{{name}}.pages";

    @Override
    public Disposition handle(Vcpu vcpu, ExitRecord exit) {
        vcpu.counters().counter(COUNTER).increment();
        // The qualification of this exit is the operand of the instruction (SDM vol. 3, "Exit Qualification for INVLPG").
        vcpu.mmu().invalidatePage(exit.qualification);
        vcpu.engine().skip();
        return Disposition.RESUME;
    }
}
