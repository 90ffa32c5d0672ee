package org.penumbra.api.interrupt;

import java.util.Arrays;
import java.util.stream.Collectors;

/**
 * All state of an interrupt controller, as a value: arrays are copied going in and coming out, and two are equal when their
 * contents are.
 *
 * <p>Local APICs (SDM vol. 3, "Handling Interrupts" and "Acceptance and Handling of Interrupts"): each register has 256 bits, a
 * bit per vector. Vector {@code v} of vCPU {@code n} is bit {@code v & 63} of {@code array[4 * n + (v >> 6)]}.
 *
 * <pre>
 *  irr   interrupt request: accepted, not yet taken
 *  isr   in service: taken, no EOI yet
 *  tmr   trigger mode of the last interrupt accepted: 1 = level
 * </pre>
 *
 * I/O redirection table (82093AA data sheet, section 3.2.4), an entry per pin:
 *
 * <pre>
 *  63:56  destination: number of a vCPU, 0xff = all     14  remote IRR (read only): accepted as level, no EOI yet
 *  16     mask, 1 = masked                              13  polarity; lines are active high here, so it means nothing
 *  15     trigger mode, 1 = level                       12  delivery status (read only)
 *  10:8   delivery mode, 0 = fixed                      11  destination mode, 0 = physical
 *  7:0    vector
 * </pre>
 *
 * @param vcpus number of vCPUs
 * @param redirection {@link #PINS} entries
 * @param lines level of the lines as the controller last saw them, a bit per pin
 */
public record ControllerState(int vcpus, long[] irr, long[] isr, long[] tmr, long[] redirection, int lines) {
    /** Pins of the I/O APIC. */
    public static final int PINS = 24;
    /** Most vCPUs that an 8-bit destination can tell apart. */
    public static final int MAX_VCPUS = 255;

    /** Bits of a redirection entry. */
    public static final long REMOTE_IRR = 1L << 14;
    public static final long LEVEL_TRIGGERED = 1L << 15;
    public static final long MASKED = 1L << 16;

    /** @throws IllegalArgumentException if an array has the wrong length or there are less than 1 or too many vCPUs */
    public ControllerState {
        if (vcpus < 1 || vcpus > MAX_VCPUS) {
            throw new IllegalArgumentException("a controller serves 1 to " + MAX_VCPUS + " vCPUs, not " + vcpus);
        }
        if (irr.length != 4 * vcpus || isr.length != 4 * vcpus || tmr.length != 4 * vcpus || redirection.length != PINS) {
            throw new IllegalArgumentException("the arrays do not fit " + vcpus + " vCPUs and " + PINS + " pins");
        }
        irr = irr.clone();
        isr = isr.clone();
        tmr = tmr.clone();
        redirection = redirection.clone();
    }

    /**
     * The state in which firmware hands over to a guest: nothing requested or in service, all lines low, every pin open to vCPU
     * 0 with vector 0x30 + pin, pins 0 to 15 edge triggered as ISA interrupts are, the others level triggered as PCI's.
     */
    public static ControllerState initial(int vcpus) {
        long[] redirection = new long[PINS];
        for (int pin = 0; pin < PINS; pin++) {
            redirection[pin] = entry(0x30 + pin, pin >= 16, 0);
        }
        return new ControllerState(vcpus, new long[4 * vcpus], new long[4 * vcpus], new long[4 * vcpus], redirection, 0);
    }

    /** An unmasked redirection entry: {@code vector}, edge or level triggered, to {@code vcpu}. */
    public static long entry(int vector, boolean level, int vcpu) {
        return (long) vcpu << 56 | (level ? LEVEL_TRIGGERED : 0) | vector;
    }

    /** The highest vector of {@code vcpu} whose bit is set in {@code register}, laid out as {@link #irr}; −1 if there is none. */
    public static int highest(long[] register, int vcpu) {
        for (int i = 3; i >= 0; i--) {
            long word = register[4 * vcpu + i];
            if (word != 0) {
                return 64 * i + 63 - Long.numberOfLeadingZeros(word);
            }
        }
        return -1;
    }

    @Override
    public long[] irr() {
        return irr.clone();
    }

    @Override
    public long[] isr() {
        return isr.clone();
    }

    @Override
    public long[] tmr() {
        return tmr.clone();
    }

    @Override
    public long[] redirection() {
        return redirection.clone();
    }

    @Override
    public boolean equals(Object o) {
        return o instanceof ControllerState s
                && vcpus == s.vcpus
                && lines == s.lines
                && Arrays.equals(irr, s.irr)
                && Arrays.equals(isr, s.isr)
                && Arrays.equals(tmr, s.tmr)
                && Arrays.equals(redirection, s.redirection);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(new int[] {
            vcpus, lines, Arrays.hashCode(irr), Arrays.hashCode(isr), Arrays.hashCode(tmr), Arrays.hashCode(redirection)
        });
    }

    @Override
    public String toString() {
        return "irr " + hex(irr) + ", isr " + hex(isr) + ", tmr " + hex(tmr) + ", redirection " + hex(redirection)
                + ", lines " + Integer.toHexString(lines);
    }

    private static String hex(long[] words) {
        return Arrays.stream(words).mapToObj(Long::toHexString).collect(Collectors.joining(" ", "[", "]"));
    }
}
