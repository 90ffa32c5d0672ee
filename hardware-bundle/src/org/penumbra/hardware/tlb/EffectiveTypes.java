package org.penumbra.hardware.tlb;

import org.penumbra.api.paging.MemoryType;
import org.penumbra.hardware.type.MemoryTypes;
import org.penumbra.hardware.walk.GuestRights;
import org.penumbra.hardware.walk.Paging;
import org.penumbra.hardware.walk.SecondStage;

/** The effective memory types of translations: from PAT, MTRRs, the second dimension and CR0. One thread. */
final class EffectiveTypes {
    private static final long CR0_CD = 1L << 30;

    private final MemoryTypes types;
    private final SecondStage stage;
    private boolean paged;
    private boolean cacheDisable;

    EffectiveTypes(MemoryTypes types, SecondStage stage) {
        this.types = types;
        this.stage = stage;
    }

    /** Sets the registers that count. */
    void load(boolean paging, long cr0) {
        paged = paging;
        cacheDisable = (cr0 & CR0_CD) != 0;
    }

    /**
     * The type of a translation with raw {@code rights} to {@code hpa}, of one dimension or of two. While CR0.CD = 1 it is
     * UC (SDM vol. 3, "Precedence of Cache Controls" and "Memory Type Used for Translated Guest-Physical Addresses").
     */
    MemoryType of(long hpa, long rights, boolean twoStages) {
        if (cacheDisable) {
            return MemoryType.UC;
        }
        MemoryType pat = MemoryType.WB;
        if (paged) {
            pat = types.pat((int) ((rights & Paging.PAT) >>> 5 | (rights & (Paging.PCD | Paging.PWT)) >>> 3));
        }
        if (!twoStages) {
            // Without paging the MTRRs alone decide.
            return paged ? MemoryTypes.effective(types.mtrr(hpa), pat) : types.mtrr(hpa);
        }
        if (!stage.hasTypes()) {
            return MemoryTypes.effective(types.mtrr(hpa), pat);
        }
        long raw = rights >>> GuestRights.STAGE_SHIFT;
        MemoryType ept = MemoryType.of((int) (raw >>> 4) & 7);
        return (raw & SecondStage.IGNORE_PAT) != 0 ? ept : MemoryTypes.effective(ept, pat);
    }
}
