package org.penumbra.vmx;

import java.util.Map;
import org.penumbra.shadow.ShadowMmuFactory;
import org.penumbra.shadow.ShadowSettings;

/** S20: what holds for every MMU holds for shadow paging of guests that run without VMX. */
class DeprivilegedContractTest extends RigContract {
    DeprivilegedContractTest() {
        super("shadow", new ShadowMmuFactory(), Map.of(ShadowSettings.DEPRIVILEGED, "on"));
    }
}
