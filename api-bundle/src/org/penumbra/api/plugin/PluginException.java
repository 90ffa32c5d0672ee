package org.penumbra.api.plugin;

/** What was asked for cannot be done; the message is one line for the user: what, where, what would be right. Nothing was changed. */
public final class PluginException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /** @param message the line */
    public PluginException(String message) {
        super(message);
    }

    /** @param message the line */
    public PluginException(String message, Throwable cause) {
        super(message, cause);
    }
}
