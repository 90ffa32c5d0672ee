package org.penumbra.api.paging;

/**
 * The #PF error code (SDM vol. 3, "Page-Fault Exceptions").
 *
 * <pre>
 *  bit 0  P     0: no translation; 1: rights violation (or reserved bit)
 *  bit 1  W/R   the access was a write
 *  bit 2  U/S   the access was a user-mode access
 *  bit 3  RSVD  a reserved bit was set in an entry
 *  bit 4  I/D   instruction fetch; reported only with CR4.SMEP = 1 or EFER.NXE = 1 under PAE, 4- or 5-level paging
 *  bit 5  PK    protection-key violation
 * </pre>
 */
public final class PageFaultError {
    public static final int PRESENT = 1;
    public static final int WRITE = 1 << 1;
    public static final int USER = 1 << 2;
    public static final int RESERVED = 1 << 3;
    public static final int FETCH = 1 << 4;
    public static final int KEY = 1 << 5;

    private PageFaultError() {}

    /** "P W U" …: the set bits by name, "-" if none is set. */
    public static String describe(int code) {
        StringBuilder s = new StringBuilder();
        String[] names = {"P", "W", "U", "RSVD", "I", "PK"};
        for (int i = 0; i < names.length; i++) {
            if ((code >> i & 1) != 0) {
                s.append(s.length() == 0 ? "" : " ").append(names[i]);
            }
        }
        return s.length() == 0 ? "-" : s.toString();
    }
}
