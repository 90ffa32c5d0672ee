package org.penumbra.ept;

import org.junit.jupiter.api.DisplayName;

@DisplayName("E07 NPT, with the services of EPT")
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
