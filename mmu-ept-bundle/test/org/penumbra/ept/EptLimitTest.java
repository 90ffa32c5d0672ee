package org.penumbra.ept;

class EptLimitTest extends TdpLimitContract {
    @Override
    TdpFormat format() {
        return TdpFormat.EPT;
    }
}
