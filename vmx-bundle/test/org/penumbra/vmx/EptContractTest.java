package org.penumbra.vmx;

import org.penumbra.ept.EptMmuFactory;

class EptContractTest extends RigContract {
    EptContractTest() {
        super("ept", new EptMmuFactory());
    }
}
