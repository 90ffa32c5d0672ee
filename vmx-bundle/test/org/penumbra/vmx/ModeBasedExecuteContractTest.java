package org.penumbra.vmx;

import java.util.Map;
import org.penumbra.ept.EptMmuFactory;

class ModeBasedExecuteContractTest extends RigContract {
    ModeBasedExecuteContractTest() {
        super("ept", new EptMmuFactory(), Map.of("ept.mode-based-execute", "on"));
    }
}
