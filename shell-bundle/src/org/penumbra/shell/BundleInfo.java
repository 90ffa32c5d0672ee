package org.penumbra.shell;

/** A bundle: {@code designs} are those that it publishes now, with commas between them. */
public record BundleInfo(long id, String name, String version, String state, String designs) {}
