package org.penumbra.shell;

/** An MMU design that a bundle publishes. */
public record DesignInfo(String name, int dimensions, long bundle, String symbolicName, String version, String description) {}
