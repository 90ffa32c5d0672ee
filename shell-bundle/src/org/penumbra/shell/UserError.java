package org.penumbra.shell;

/** A command that cannot do what was asked. The message is one line: what, where, what would be right. */
final class UserError extends RuntimeException {
    private static final long serialVersionUID = 1L;

    UserError(String message) {
        super(message);
    }

    UserError(String message, Throwable cause) {
        super(message, cause);
    }
}
