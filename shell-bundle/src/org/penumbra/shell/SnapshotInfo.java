package org.penumbra.shell;

/**
 * A snapshot that was written.
 *
 * @param design the design that its machine runs under
 * @param operations that the guest had retired
 * @param bytes of the file
 */
public record SnapshotInfo(int machine, String file, String design, long operations, long bytes) {}
