package {{package}};

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.penumbra.api.cpu.ExecutionEngine;
import org.penumbra.api.mmu.MmuContext;
import org.penumbra.api.observe.Counters;
import org.penumbra.api.vmx.Disposition;
import org.penumbra.api.vmx.ExitReason;
import org.penumbra.api.vmx.ExitRecord;
import org.penumbra.api.vmx.Vcpu;

class {{Name}}HandlerTest {
    private final List<String> calls = new ArrayList<>();
    private final Counters counters = new Counters();

    @Test
    void thePageIsDroppedAndTheGuestGoesOnBehindTheInstruction() {
        ExitRecord exit = new ExitRecord();
        exit.start(ExitReason.INVLPG, 0x7000);
        assertEquals(Disposition.RESUME, new {{Name}}Handler().handle(vcpu(), exit));
        assertEquals(List.of("invalidatePage 0x7000", "skip"), calls);
        assertEquals(1, counters.snapshot().get({{Name}}Handler.COUNTER));
    }

    /** A vCPU that knows what is asked of it here. */
    private Vcpu vcpu() {
        Map<String, Object> parts = Map.of("counters", counters, "engine", fake(ExecutionEngine.class, Map.of()), "mmu", fake(MmuContext.class, Map.of()));
        return fake(Vcpu.class, parts);
    }

    /** Answers with {@code parts}, by method; other calls are noted. */
    private <T> T fake(Class<T> type, Map<String, Object> parts) {
        return type.cast(Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, (proxy, method, arguments) -> {
            Object part = parts.get(method.getName());
            if (part == null) {
                calls.add(method.getName() + (arguments == null ? "" : String.format(" 0x%x", arguments)));
            }
            return part;
        }));
    }
}
