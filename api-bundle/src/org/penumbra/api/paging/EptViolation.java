package org.penumbra.api.paging;

/**
 * The exit qualification of an EPT violation (SDM vol. 3, table "Exit Qualification for EPT Violations").
 *
 * <pre>
 *  bit 0  the access was a data read            bit 3  the gpa was readable
 *  bit 1  the access was a data write           bit 4  the gpa was writable
 *  bit 2  the access was an instruction fetch   bit 5  the gpa was executable; for supervisor-mode addresses with
 *                                                      mode-based execute control
 *  bit 6   the gpa was executable for user-mode addresses; 0 without mode-based execute control
 *  bit 7   the guest-linear-address field is valid
 *  bit 8   0: access to a guest paging-structure entry; 1: access to the translation of the linear address
 *  bit 9   the linear address is a user-mode one      ⎫ by the guest's tables; defined if bits 7 and 8 are 1 and the processor
 *  bit 10  the linear address is read/write           ⎬ has "advanced VM-exit information for EPT violations"; with CR0.PG = 0
 *  bit 11  the linear address is execute-disable      ⎭ they are 1, 1 and 0
 * </pre>
 *
 * With accessed and dirty flags enabled for EPT, a walker's access to a guest paging-structure entry counts as a write and is
 * reported with bits 0 and 1 set.
 */
public final class EptViolation {
    public static final int READ = 1;
    public static final int WRITE = 1 << 1;
    public static final int FETCH = 1 << 2;
    public static final int READABLE = 1 << 3;
    public static final int WRITABLE = 1 << 4;
    public static final int EXECUTABLE = 1 << 5;
    public static final int USER_EXECUTABLE = 1 << 6;
    public static final int LINEAR_VALID = 1 << 7;
    public static final int FINAL_ACCESS = 1 << 8;
    public static final int LINEAR_USER = 1 << 9;
    public static final int LINEAR_WRITABLE = 1 << 10;
    public static final int LINEAR_EXECUTE_DISABLE = 1 << 11;

    private EptViolation() {}
}
