package org.penumbra.vmx;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.vmx.Disposition;
import org.penumbra.api.vmx.ExitReason;
import org.penumbra.api.vmx.VmExitHandler;

class ExitDispatchTest {
    private final ExitDispatch dispatch = new ExitDispatch(new MachineRegistry());
    private final VmExitHandler stock = (vcpu, exit) -> Disposition.RESUME;
    private final VmExitHandler other = (vcpu, exit) -> Disposition.toUserSpace("other");

    private VmExitHandler handler(ExitReason reason) {
        return dispatch.handler(reason.number());
    }

    @Test
    @DisplayName("V05 the handler that ranks highest is in the table, and the one below returns when it goes")
    void replaced() {
        dispatch.add(stock, 0, List.of("HLT", "INVLPG"));
        assertThat(handler(ExitReason.HLT)).isSameAs(stock);
        dispatch.add(other, 10, List.of("HLT"));
        assertThat(handler(ExitReason.HLT)).isSameAs(other);
        assertThat(handler(ExitReason.INVLPG)).isSameAs(stock);
        dispatch.remove(other);
        assertThat(handler(ExitReason.HLT)).isSameAs(stock);
    }

    @Test
    @DisplayName("V05 an exit that nobody handles ends the run with an error that says so")
    void unhandled() {
        Disposition disposition = handler(ExitReason.CPUID).handle(null, null);
        assertThat(disposition.code()).isNegative();
        assertThat(disposition.reason()).contains("no handler");
    }
}
