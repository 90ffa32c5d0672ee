package org.penumbra.launcher;

import org.apache.felix.framework.Logger;

/** What the framework has to say goes to standard error; standard output belongs to the command. */
final class FelixLog extends Logger {

    @Override
    protected void doLogOut(int level, String message, Throwable failure) {
        if (level <= LOG_WARNING) {
            System.err.println("penumbra: " + (level == LOG_ERROR ? "error: " : "warning: ") + message
                + (failure == null ? "" : ": " + failure));
        }
    }
}
