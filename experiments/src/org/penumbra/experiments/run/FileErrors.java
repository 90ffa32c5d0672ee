package org.penumbra.experiments.run;

import java.io.IOException;

/** What to say of a file that cannot be used: the exceptions of the file system carry a name and nothing else. */
public final class FileErrors {
    private FileErrors() {}

    /** One line for the user. */
    public static String describe(IOException e) {
        String name = e.getClass().getSimpleName();
        return switch (name) {
            case "NoSuchFileException" -> e.getMessage() + ": there is no such file";
            case "AccessDeniedException" -> e.getMessage() + ": is not accessible by this user";
            default -> e.getMessage() == null ? name : e.getMessage();
        };
    }
}
