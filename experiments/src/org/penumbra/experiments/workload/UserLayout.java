package org.penumbra.experiments.workload;

import org.penumbra.experiments.guest.Contents;
import org.penumbra.experiments.guest.SystemCall;

/** Where the generated programs have their code and data. */
final class UserLayout {
    static final long PAGE = 4096;
    static final long CODE = 0x40_0000;
    static final long DATA = 0x1000_0000;

    /** Bytes of one instruction fetch. */
    static final int FETCH = 16;

    private UserLayout() {}

    /** The program's text: {@code pages} pages at {@link #CODE}, executable, not writable. */
    static SystemCall mapCode(int pages) {
        return new SystemCall.Map(CODE, pages * PAGE, false, true, Contents.FILE);
    }
}
