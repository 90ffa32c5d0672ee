package org.penumbra.experiments.guest;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Nested;
import org.penumbra.api.paging.PagingMode;

@DisplayName("Miniature guest kernel")
class MiniatureKernelTest {
    @Nested
    @DisplayName("T02 32-bit paging")
    class Bits32 extends PagedKernelContract {
        Bits32() {
            super(PagingMode.BITS_32);
        }
    }

    @Nested
    @DisplayName("T03 PAE paging")
    class Pae extends PagedKernelContract {
        Pae() {
            super(PagingMode.PAE);
        }
    }

    @Nested
    @DisplayName("T04 4-level paging")
    class FourLevel extends PagedKernelContract {
        FourLevel() {
            super(PagingMode.FOUR_LEVEL);
        }
    }

    @Nested
    @DisplayName("T05 5-level paging")
    class FiveLevel extends PagedKernelContract {
        FiveLevel() {
            super(PagingMode.FIVE_LEVEL);
        }
    }
}
