package org.penumbra.devices.interrupt;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;

/**
 * One 8259A interrupt controller (Intel 8259A data sheet; KVM: {@code struct kvm_kpic_state}). Guarded by the lock of its machine.
 *
 * <pre>
 *  port 0   ICW1: 4 = 1; 3 level, 1 single, 0 ICW4 follows      OCW2: 4:3 = 0; 7:5 rotate, specific, EOI; 2:0 level
 *                                                               OCW3: 4:3 = 1; 6:5 special mask, 2 poll, 1:0 read IRR (2), ISR (3)
 *  port 1   ICW2 (7:3 vector), ICW3, ICW4 (4 special fully nested, 1 automatic EOI); else OCW1, the mask
 * </pre>
 */
final class Pic8259 {
    /** Levels at which an input is high. */
    private int levels;
    private int irr;
    private int isr;
    /** As firmware leaves it, nothing gets through. */
    private int imr = 0xff;
    /** Level-triggered inputs (ELCR); those in {@link #elcrMask} can be. */
    private int elcr;
    private final int elcrMask;
    /** The input at which another 8259 is, or −1. */
    private final int cascade;
    private int base;
    /** The input of the highest priority. */
    private int first;
    /** Which initialization word the next write to port 1 is; 0 for none. */
    private int awaited;
    private boolean wantsWord4;
    private boolean readsIsr;
    private boolean poll;
    private boolean specialMask;
    private boolean fullyNested;
    private boolean automaticEoi;
    private boolean rotates;

    Pic8259(int elcrMask, int cascade) {
        this.elcrMask = elcrMask;
        this.cascade = cascade;
    }

    /** Input {@code n} is high or low. */
    void set(int n, boolean high) {
        int bit = 1 << n;
        if ((elcr & bit) != 0) {
            irr = high ? irr | bit : irr & ~bit;
        } else if (high && (levels & bit) == 0) {
            irr |= bit;
        }
        levels = high ? levels | bit : levels & ~bit;
    }

    /** The input to be served next, or −1: the highest request that is not masked, above what is in service. */
    int requested() {
        int open = irr & ~imr;
        // In special mask mode a masked level in service holds nothing back; the cascade of a special fully nested master neither.
        int held = specialMask ? isr & ~imr : isr;
        for (int i = 0; i < 8; i++) {
            int n = first + i & 7;
            if ((held >>> n & 1) != 0 && !(fullyNested && n == cascade)) {
                return -1;
            }
            if ((open >>> n & 1) != 0) {
                return n;
            }
        }
        return -1;
    }

    /** INTA: input {@code n} is in service now; its vector. Without a request, n = 7, which is spurious, nothing is in service. */
    int acknowledge(int n, boolean spurious) {
        if (!spurious) {
            int bit = 1 << n;
            if (automaticEoi) {
                first = rotates ? n + 1 & 7 : first;
            } else {
                isr |= bit;
            }
            if ((elcr & bit) == 0) {
                irr &= ~bit;
            }
        }
        return base + n;
    }

    /** A write; true if it may have changed what is asked for. */
    void out(int port, int value) {
        if (port == 1) {
            data(value);
        } else if ((value & 0x10) != 0) {
            irr &= elcr;
            isr = 0;
            imr = 0;
            // Edges are to be seen anew.
            levels = 0;
            first = 0;
            readsIsr = false;
            specialMask = false;
            automaticEoi = false;
            rotates = false;
            fullyNested = false;
            poll = false;
            wantsWord4 = (value & 1) != 0;
            awaited = 2;
        } else if ((value & 8) != 0) {
            poll = (value & 4) != 0;
            readsIsr = (value & 2) != 0 ? (value & 1) != 0 : readsIsr;
            specialMask = (value & 0x40) != 0 ? (value & 0x20) != 0 : specialMask;
        } else {
            command(value >>> 5, value & 7);
        }
    }

    private void data(int value) {
        switch (awaited) {
            case 2:
                base = value & 0xf8;
                awaited = 3;
                break;
            case 3:
                awaited = wantsWord4 ? 4 : 0;
                break;
            case 4:
                fullyNested = (value & 0x10) != 0;
                automaticEoi = (value & 2) != 0;
                awaited = 0;
                break;
            default:
                imr = value;
        }
    }

    /** OCW2: 7:5 of the data sheet's table "Operation Command Words". */
    private void command(int code, int level) {
        switch (code) {
            case 0:
            case 4:
                rotates = code == 4;
                break;
            case 1:
            case 5:
                int n = highestInService();
                if (n >= 0) {
                    isr &= ~(1 << n);
                    first = code == 5 ? n + 1 & 7 : first;
                }
                break;
            case 3:
                isr &= ~(1 << level);
                break;
            case 6:
                first = level + 1 & 7;
                break;
            case 7:
                isr &= ~(1 << level);
                first = level + 1 & 7;
                break;
            default:
                // 2: no operation
        }
    }

    private int highestInService() {
        for (int i = 0; i < 8; i++) {
            int n = first + i & 7;
            if ((isr >>> n & 1) != 0) {
                return n;
            }
        }
        return -1;
    }

    /** A read. One that polls acknowledges like INTA: bit 7 says whether there was a request, bits 2:0 which. */
    int in(int port) {
        if (poll) {
            poll = false;
            int n = requested();
            if (n < 0) {
                return 0;
            }
            acknowledge(n, false);
            return 0x80 | n;
        }
        return port == 1 ? imr : readsIsr ? isr : irr;
    }

    void trigger(int value) {
        elcr = value & elcrMask;
    }

    int trigger() {
        return elcr;
    }

    void save(DataOutput out) throws IOException {
        for (int word : new int[] {levels, irr, isr, imr, elcr, base, first, awaited}) {
            out.writeInt(word);
        }
        for (boolean flag : new boolean[] {wantsWord4, readsIsr, poll, specialMask, fullyNested, automaticEoi, rotates}) {
            out.writeBoolean(flag);
        }
    }

    void restore(DataInput in) throws IOException {
        levels = in.readInt();
        irr = in.readInt();
        isr = in.readInt();
        imr = in.readInt();
        elcr = in.readInt();
        base = in.readInt();
        first = in.readInt();
        awaited = in.readInt();
        wantsWord4 = in.readBoolean();
        readsIsr = in.readBoolean();
        poll = in.readBoolean();
        specialMask = in.readBoolean();
        fullyNested = in.readBoolean();
        automaticEoi = in.readBoolean();
        rotates = in.readBoolean();
    }
}
