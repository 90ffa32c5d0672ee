package org.penumbra.devices.timer;

/** A clock of so many ticks in a second of guest time, which has 10^9 units. Exact up to 2^63 / 10^9 ticks. */
record Ticks(long hertz) {
    private static final long SECOND = 1_000_000_000;

    /** Whole ticks in {@code time}. */
    long in(long time) {
        return time / SECOND * hertz + time % SECOND * hertz / SECOND;
    }

    /** The time after which so many ticks have passed. */
    long time(long ticks) {
        return ticks / hertz * SECOND + (ticks % hertz * SECOND + hertz - 1) / hertz;
    }
}
