package org.penumbra.experiments.run;

/** A trial that gave no result. The message is one line for a user; the cause is there for a developer. */
public record TrialFailure(Trial trial, String message, Throwable cause) {}
