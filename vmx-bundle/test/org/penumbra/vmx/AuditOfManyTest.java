package org.penumbra.vmx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.penumbra.api.cpu.GuestOperation.Kind.LOAD;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.penumbra.api.machine.MachineConfig;
import org.penumbra.ept.EptMmuFactory;
import org.penumbra.ept.NptMmuFactory;
import org.penumbra.shadow.ShadowMmuFactory;

class AuditOfManyTest {
    private static final long BYTES = 4 << 20;

    @ParameterizedTest
    @ValueSource(strings = {"shadow", "ept", "npt"})
    @DisplayName("H04 vCPUs that share their structures are no circle in them, however many there are")
    void shared(String design) {
        Rig rig = new Rig(BYTES, 1);
        rig.design("shadow", new ShadowMmuFactory());
        rig.design("ept", new EptMmuFactory());
        rig.design("npt", new NptMmuFactory());
        rig.image = loader -> MappedGuest.image(loader, 0, 0);
        MachineConfig config = new MachineConfig(BYTES, 1, Rig.SKYLAKE, design, Map.of(), false).withVcpus(MachineConfig.MOST_VCPUS, false);
        VirtualMachine machine = rig.machine(config, state -> new ScriptedEngine().then(LOAD, 0x5000, 8, 0));
        machine.run(1);
        List<String> found = new ArrayList<>();
        machine.hotSwap().audit(found::add);
        assertThat(found).isEmpty();
    }
}
