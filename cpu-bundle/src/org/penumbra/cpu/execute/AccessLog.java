package org.penumbra.cpu.execute;

import java.util.Arrays;
import org.penumbra.api.cpu.GuestOperation.Kind;
import org.penumbra.api.guest.AccessListener;
import org.penumbra.api.paging.Access;

/** What the current instruction has accessed, until it retires or is given up. */
final class AccessLog {
    private final AccessListener listener;
    private Kind[] kind = new Kind[16];
    private long[] gva = new long[16];
    private int[] width = new int[16];
    private int count;

    AccessLog(AccessListener listener) {
        this.listener = listener;
    }

    /** An instruction is tried: a repeated string instruction goes on where it stopped. */
    void begin(long at, int length, boolean again) {
        if (!again) {
            count = 0;
            add(Kind.FETCH, at, length);
        }
    }

    /** A load; with write intent it is half of an update. */
    void load(long at, int bytes, int access) {
        add(Access.isWrite(access) ? Kind.UPDATE : Kind.LOAD, at, bytes);
    }

    void store(long at, int bytes) {
        boolean updated = count > 0 && kind[count - 1] == Kind.UPDATE && gva[count - 1] == at && width[count - 1] == bytes;
        if (!updated) {
            add(Kind.STORE, at, bytes);
        }
    }

    void retire() {
        for (int i = 0; i < count; i++) {
            listener.accessed(kind[i], gva[i], width[i]);
        }
        count = 0;
    }

    private void add(Kind what, long at, int bytes) {
        if (count == kind.length) {
            kind = Arrays.copyOf(kind, 2 * count);
            gva = Arrays.copyOf(gva, 2 * count);
            width = Arrays.copyOf(width, 2 * count);
        }
        kind[count] = what;
        gva[count] = at;
        width[count++] = bytes;
    }
}
