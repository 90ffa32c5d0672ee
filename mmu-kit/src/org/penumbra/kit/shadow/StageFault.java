package org.penumbra.kit.shadow;

import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.EptViolation;
import org.penumbra.api.paging.NestedPageFault;
import org.penumbra.api.paging.PageFaultError;
import org.penumbra.api.paging.TranslationRoot;
import org.penumbra.kit.GuestWalker;
import org.penumbra.kit.Rights;

/**
 * How a refusal by tables of the second dimension is told, as what {@link org.penumbra.api.mmu.MmuFault#qualification} is: the exit
 * qualification of an EPT violation ({@link EptViolation}), or EXITINFO1 of a nested page fault ({@link NestedPageFault}).
 */
enum StageFault {
    EPT {
        @Override
        int access(long qualification) {
            // With flags enabled a walk of L2's tables reads and writes, that is, writes.
            return kind((qualification & EptViolation.WRITE) != 0, (qualification & EptViolation.FETCH) != 0);
        }

        @Override
        long refused(long qualification, GuestWalker refusing) {
            int rights = refusing.rights;
            return qualification & ~(EptViolation.READABLE | EptViolation.WRITABLE | EptViolation.EXECUTABLE)
                    | ((rights & Rights.USER) != 0 ? EptViolation.READABLE : 0)
                    | ((rights & Rights.WRITE) != 0 ? EptViolation.WRITABLE : 0)
                    | ((rights & Rights.EXEC) != 0 ? EptViolation.EXECUTABLE : 0);
        }

        @Override
        long ofEntry(boolean write) {
            return EptViolation.READ | (write ? EptViolation.WRITE : 0) | EptViolation.LINEAR_VALID;
        }

        @Override
        long ofPage(int access) {
            int did = Access.isWrite(access) ? EptViolation.WRITE : Access.isFetch(access) ? EptViolation.FETCH : EptViolation.READ;
            return did | EptViolation.LINEAR_VALID | EptViolation.FINAL_ACCESS;
        }
    },
    NESTED {
        @Override
        int access(long qualification) {
            return kind((qualification & NestedPageFault.WRITE) != 0, (qualification & NestedPageFault.FETCH) != 0);
        }

        @Override
        long refused(long qualification, GuestWalker refusing) {
            int code = refusing.errorCode;
            return qualification & ~(NestedPageFault.PRESENT | NestedPageFault.RESERVED)
                    | ((code & PageFaultError.PRESENT) != 0 ? NestedPageFault.PRESENT : 0)
                    | ((code & PageFaultError.RESERVED) != 0 ? NestedPageFault.RESERVED : 0);
        }

        @Override
        long ofEntry(boolean write) {
            return NestedPageFault.WRITE | NestedPageFault.USER | NestedPageFault.TABLE_WALK;
        }

        @Override
        long ofPage(int access) {
            long did = Access.isWrite(access) ? NestedPageFault.WRITE : Access.isFetch(access) ? NestedPageFault.FETCH : 0;
            return did | NestedPageFault.USER | NestedPageFault.FINAL_ADDRESS;
        }
    };

    /** How {@code tables} tell. */
    static StageFault of(TranslationRoot tables) {
        return tables instanceof TranslationRoot.Nested ? NESTED : EPT;
    }

    /** The access that was refused with {@code qualification}: READ, WRITE or FETCH. */
    abstract int access(long qualification);

    /**
     * {@code qualification}, in which a processor has told of an access, with what the tables themselves say of it, as the failed walk
     * {@code refusing} has found.
     */
    abstract long refused(long qualification, GuestWalker refusing);

    /**
     * What is told of an access to an entry of a guest's page tables that is refused, but for what {@link #refused} adds.
     *
     * @param write it was, or counts as, a write
     */
    abstract long ofEntry(boolean write);

    /** The same of {@code access} (READ, WRITE or FETCH) to what a linear address is translated to. */
    abstract long ofPage(int access);

    private static int kind(boolean write, boolean fetch) {
        return write ? Access.WRITE : fetch ? Access.FETCH : Access.READ;
    }
}
