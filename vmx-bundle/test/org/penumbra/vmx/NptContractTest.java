package org.penumbra.vmx;

import org.penumbra.ept.NptMmuFactory;

class NptContractTest extends RigContract {
    NptContractTest() {
        super("npt", new NptMmuFactory());
    }
}
