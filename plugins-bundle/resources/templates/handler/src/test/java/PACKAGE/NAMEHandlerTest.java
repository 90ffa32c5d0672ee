package {{package}};

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.penumbra.api.cpu.ExecutionEngine;
import org.penumbra.api.observe.Counters;
import org.penumbra.api.vmx.Disposition;
import org.penumbra.api.vmx.ExitReason;
import org.penumbra.api.vmx.ExitRecord;
import org.penumbra.api.vmx.Vcpu;

class {{Name}}HandlerTest {
    private final List<String> calls = new ArrayList<>();
    private final Counters counters = new Counters();

    @Test
    void haltsAreCountedAndTheVcpuWaitsBehindThem() {
        ExitRecord exit = new ExitRecord();
        exit.start(ExitReason.HLT, 0);
        assertEquals(Disposition.RESUME, new {{Name}}Handler().handle(vcpu(), exit));
        assertEquals(List.of("skip", "halt"), calls);
        assertEquals(1, counters.snapshot().get({{Name}}Handler.COUNTER));
    }

    /** A vCPU that knows what is asked of it here. */
    private Vcpu vcpu() {
        ExecutionEngine engine = fake(ExecutionEngine.class, null);
        return fake(Vcpu.class, engine);
    }

    private <T> T fake(Class<T> type, ExecutionEngine engine) {
        return type.cast(Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, (proxy, method, arguments) -> {
            switch (method.getName()) {
                case "counters":
                    return counters;
                case "engine":
                    return engine;
                default:
                    calls.add(method.getName());
                    return null;
            }
        }));
    }
}
