package org.penumbra.api.paging;

/**
 * Access kinds as small integers, so that the rights of a cached translation are one 12-bit mask with a bit per kind.
 *
 * <pre>
 *  bits 1:0  0 read, 1 write, 2 instruction fetch
 *  bit  2    user-mode access (CPL 3); clear: supervisor-mode access
 *  bit  3    supervisor access made with EFLAGS.AC = 1, so that SMAP does not apply; clear for user-mode accesses
 * </pre>
 *
 * SDM vol. 3, "Determination of Access Rights".
 */
public final class Access {
    public static final int READ = 0;
    public static final int WRITE = 1;
    public static final int FETCH = 2;
    public static final int USER = 4;
    public static final int AC = 8;
    /** One more than the largest kind. */
    public static final int KINDS = 12;

    private Access() {}

    /** True if {@code access} writes. */
    public static boolean isWrite(int access) {
        return (access & 3) == WRITE;
    }

    /** True if {@code access} fetches an instruction. */
    public static boolean isFetch(int access) {
        return (access & 3) == FETCH;
    }

    /** True if {@code access} is a user-mode access. */
    public static boolean isUser(int access) {
        return (access & USER) != 0;
    }

    /** "user read", "supervisor write (AC)" …: for messages. */
    public static String describe(int access) {
        String op = isWrite(access) ? "write" : isFetch(access) ? "fetch" : "read";
        return (isUser(access) ? "user " : "supervisor ") + op + ((access & AC) != 0 ? " (AC)" : "");
    }
}
