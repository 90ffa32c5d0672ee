package org.penumbra.shell;

/** Exits for one reason; times are simulated cycles. */
public record ExitInfo(String reason, long samples, long cycles, long min, long max, long average) {}
