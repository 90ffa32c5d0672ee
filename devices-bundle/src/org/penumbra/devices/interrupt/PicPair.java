package org.penumbra.devices.interrupt;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;

/** The two 8259s of a PC, the second at input 2 of the first. KVM: {@code i8259.c}. Guarded by the lock of its machine. */
final class PicPair {
    /** Input of the first at which the second is. */
    static final int CASCADE = 2;
    static final int LINES = 16;
    private static final int SPURIOUS = 7;

    /** IRQ 0, 1, 2, 8 and 13 are always edge triggered. */
    private final Pic8259 master = new Pic8259(0xf8, CASCADE);
    private final Pic8259 slave = new Pic8259(0xde, -1);

    /** IRQ {@code n}, 0 to 15 but for the cascade, is high or low. */
    void set(int n, boolean high) {
        if (n >= 8) {
            slave.set(n - 8, high);
            cascade();
        } else if (n != CASCADE) {
            master.set(n, high);
        }
    }

    private void cascade() {
        // The output of the second rises with each request, as an edge needs.
        master.set(CASCADE, false);
        master.set(CASCADE, slave.requested() >= 0);
    }

    /** INTR. */
    boolean output() {
        return master.requested() >= 0;
    }

    /** INTA: the vector of what is asked for; that of input 7 if there is nothing any more. */
    int acknowledge() {
        int n = master.requested();
        if (n < 0) {
            return master.acknowledge(SPURIOUS, true);
        }
        int vector = master.acknowledge(n, false);
        if (n == CASCADE) {
            int s = slave.requested();
            vector = slave.acknowledge(s < 0 ? SPURIOUS : s, s < 0);
            cascade();
        }
        return vector;
    }

    void out(boolean second, int port, int value) {
        (second ? slave : master).out(port, value);
        if (second) {
            cascade();
        }
    }

    int in(boolean second, int port) {
        int value = (second ? slave : master).in(port);
        if (second) {
            cascade();
        }
        return value;
    }

    void trigger(boolean second, int value) {
        (second ? slave : master).trigger(value);
    }

    int trigger(boolean second) {
        return (second ? slave : master).trigger();
    }

    void save(DataOutput out) throws IOException {
        master.save(out);
        slave.save(out);
    }

    void restore(DataInput in) throws IOException {
        master.restore(in);
        slave.restore(in);
    }
}
