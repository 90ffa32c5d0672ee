package org.penumbra.vmx;

import org.penumbra.shadow.ShadowMmuFactory;

class ShadowContractTest extends RigContract {
    ShadowContractTest() {
        super("shadow", new ShadowMmuFactory());
    }
}
