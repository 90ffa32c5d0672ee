package org.penumbra.ept;

class NptMmuTest extends TdpMmuContract {
    /** P, R/W, and U/S, since every access is a user's (APM vol. 2, "Nested Page Tables"). */
    NptMmuTest() {
        super(7);
    }

    @Override
    TdpFormat format() {
        return TdpFormat.NPT;
    }
}
