package org.penumbra.shell;

/** The person wants to leave. */
final class ExitException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final int code;

    ExitException(int code) {
        super("exit", null, false, false);
        this.code = code;
    }

    int code() {
        return code;
    }
}
