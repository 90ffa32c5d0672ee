package org.penumbra.vmx;

import java.util.Map;
import org.penumbra.ept.EptMmuFactory;

class SubPageContractTest extends RigContract {
    SubPageContractTest() {
        super("ept", new EptMmuFactory(), Map.of("ept.sub-page-writes", "on"));
    }
}
