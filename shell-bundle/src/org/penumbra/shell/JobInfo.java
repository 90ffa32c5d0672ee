package org.penumbra.shell;

/**
 * A command that runs in the background.
 *
 * @param state {@code running}, {@code done}, {@code failed} or {@code cancelled}
 * @param exitCode of the command; −1 while it runs
 */
public record JobInfo(int id, String state, int exitCode, double seconds, String command) {}
