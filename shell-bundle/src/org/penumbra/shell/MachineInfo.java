package org.penumbra.shell;

/**
 * A virtual machine at this moment.
 *
 * @param state {@code running}, or {@code waiting} if it has no design
 * @param bundle who provided its MMU
 */
public record MachineInfo(int id, String design, String state, String bundle, int vcpus, long operations, int swaps) {}
