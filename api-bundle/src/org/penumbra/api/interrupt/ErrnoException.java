package org.penumbra.api.interrupt;

/** A call was refused for a reason that has a number in errno.h. Nothing was changed. */
public final class ErrnoException extends RuntimeException {
    public static final int ENOENT = 2;
    public static final int EBADF = 9;
    public static final int EBUSY = 16;
    public static final int EEXIST = 17;
    public static final int EINVAL = 22;

    private static final long serialVersionUID = 1;

    private final int errno;

    /** @param message one line: what was asked for and why it is refused */
    public ErrnoException(int errno, String message) {
        super(name(errno) + ": " + message);
        this.errno = errno;
    }

    /** The number. */
    public int errno() {
        return errno;
    }

    private static String name(int errno) {
        return switch (errno) {
            case ENOENT -> "ENOENT";
            case EBADF -> "EBADF";
            case EBUSY -> "EBUSY";
            case EEXIST -> "EEXIST";
            case EINVAL -> "EINVAL";
            default -> "errno " + errno;
        };
    }
}
