package org.penumbra.ept;

class EptMmuTest extends TdpMmuContract {
    /** R, W, X, and write-back (SDM vol. 3, "The Extended Page Table Mechanism (EPT)"). */
    EptMmuTest() {
        super(0x37);
    }

    @Override
    TdpFormat format() {
        return TdpFormat.EPT;
    }
}
