package org.penumbra.hardware.cpu;

import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.EptViolation;
import org.penumbra.api.paging.NestedPageFault;
import org.penumbra.hardware.walk.Paging;
import org.penumbra.hardware.walk.SecondStage;
import org.penumbra.hardware.walk.Walker;

/** How a refusal of the second dimension is reported. */
final class StageFaults {
    private StageFaults() {}

    /**
     * The exit qualification of an EPT violation. Whether bit 0 accompanies bit 1 for an access to a guest entry that counts as a
     * write is left to the implementation (footnotes to SDM vol. 3, table "Exit Qualification for EPT Violations"); here it does.
     *
     * @param linear the access was to a linear address; bits 9 to 11 are given for its translation
     * @param rights raw rights of the linear address
     */
    static long qualification(SecondStage stage, boolean modeBasedExecute, boolean linear, long rights) {
        long had = stage.had & (SecondStage.R | SecondStage.W | SecondStage.X | (modeBasedExecute ? SecondStage.XU : 0));
        long q = 1L << stage.operation | had << 3;
        if (!stage.finalAddress && stage.operation == Access.WRITE) {
            q |= EptViolation.READ;
        }
        if (!linear) {
            return q;
        }
        q |= EptViolation.LINEAR_VALID;
        if (stage.finalAddress) {
            q |= EptViolation.FINAL_ACCESS
                    | ((rights & Paging.US) != 0 ? EptViolation.LINEAR_USER : 0)
                    | ((rights & Paging.RW) != 0 ? EptViolation.LINEAR_WRITABLE : 0)
                    | ((rights & Paging.XD) == 0 ? EptViolation.LINEAR_EXECUTE_DISABLE : 0);
        }
        return q;
    }

    /** EXITINFO1 of a nested page fault. */
    static long nestedPageFault(SecondStage stage) {
        return (stage.reason == Walker.NOT_PRESENT ? 0 : NestedPageFault.PRESENT)
                | (stage.operation == Access.WRITE ? NestedPageFault.WRITE : 0)
                | NestedPageFault.USER
                | (stage.reason == Walker.MALFORMED ? NestedPageFault.RESERVED : 0)
                | (stage.operation == Access.FETCH ? NestedPageFault.FETCH : 0)
                | (stage.finalAddress ? NestedPageFault.FINAL_ADDRESS : NestedPageFault.TABLE_WALK);
    }
}
