package org.penumbra.ept;

class NptLimitTest extends TdpLimitContract {
    @Override
    TdpFormat format() {
        return TdpFormat.NPT;
    }
}
