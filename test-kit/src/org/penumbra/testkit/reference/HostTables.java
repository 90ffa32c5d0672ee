package org.penumbra.testkit.reference;

import java.util.function.LongUnaryOperator;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.EptViolation;
import org.penumbra.api.paging.NestedPageFault;

/** The second dimension as a {@link TwoDimensionalWalker} uses it: EPT or nested paging. One thread. */
public abstract class HostTables {
    /** The hpa of the last address that was translated. */
    long hpa;
    /** Of the last refusal: exit qualification or EXITINFO1, as far as the host's tables decide it. */
    long code;
    /** The last refusal was an EPT misconfiguration. */
    boolean misconfigured;

    /** True if an access to an entry of the guest's tables counts as a write. */
    abstract boolean tableAccessWrites();

    /**
     * Translates {@code gpa} for {@code operation}, READ, WRITE or FETCH of {@link Access}; false if it is refused.
     *
     * @param table the access is to an entry of the guest's tables, and a WRITE if it counts as one; else to the translated address
     * @param userAddress the guest's tables make the linear address a user-mode one
     */
    abstract boolean translate(long gpa, int operation, boolean table, boolean userAddress, LongUnaryOperator memory);

    /** Adds to {@link #code} what the guest's walk decides; {@code walk} has ended if {@code table} is false. */
    abstract long complete(boolean table, Walk walk);

    /** The tables below {@code eptp}. */
    public static HostTables ept(EptWalker walker, long eptp) {
        EptWalk walk = new EptWalk();
        return new HostTables() {
            @Override
            boolean tableAccessWrites() {
                return EptWalker.tableAccessWrites(eptp);
            }

            @Override
            boolean translate(long gpa, int operation, boolean table, boolean userAddress, LongUnaryOperator memory) {
                int access = Access.isWrite(operation) ? EptViolation.WRITE : Access.isFetch(operation) ? EptViolation.FETCH : EptViolation.READ;
                walker.walk(eptp, gpa, table && tableAccessWrites() ? EptViolation.READ | EptViolation.WRITE : access, userAddress, memory, walk);
                hpa = walk.hpa;
                code = walk.qualification;
                misconfigured = walk.outcome == EptWalk.Outcome.MISCONFIGURATION;
                return walk.allowed();
            }

            @Override
            long complete(boolean table, Walk guest) {
                if (misconfigured) {
                    return 0;
                }
                if (table) {
                    return code | EptViolation.LINEAR_VALID;
                }
                return code | EptViolation.LINEAR_VALID | EptViolation.FINAL_ACCESS
                        | ((guest.rights & EntryBits.US) != 0 ? EptViolation.LINEAR_USER : 0)
                        | ((guest.rights & EntryBits.RW) != 0 ? EptViolation.LINEAR_WRITABLE : 0)
                        | ((guest.rights & EntryBits.XD) != 0 ? EptViolation.LINEAR_EXECUTE_DISABLE : 0);
            }
        };
    }

    /** The nested tables that {@code walker} knows. */
    public static HostTables npt(NptWalker walker) {
        Walk walk = new Walk();
        return new HostTables() {
            @Override
            boolean tableAccessWrites() {
                return true;
            }

            @Override
            boolean translate(long gpa, int operation, boolean table, boolean userAddress, LongUnaryOperator memory) {
                walker.walk(gpa, operation, memory, walk);
                hpa = walk.gpa;
                code = walk.outcome;
                return walk.allowed();
            }

            @Override
            long complete(boolean table, Walk guest) {
                return code | (table ? NestedPageFault.TABLE_WALK : NestedPageFault.FINAL_ADDRESS);
            }
        };
    }
}
