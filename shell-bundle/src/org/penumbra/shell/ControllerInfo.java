package org.penumbra.shell;

/** An interrupt controller that a bundle publishes. */
public record ControllerInfo(String name, long bundle, String symbolicName, String version) {}
