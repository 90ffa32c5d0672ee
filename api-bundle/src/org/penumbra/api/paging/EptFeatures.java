package org.penumbra.api.paging;

/**
 * What a design wants of EPT beside an EPT pointer. Tables are frames of its lease; 0 stands for none.
 *
 * @param subPageTable hpa of a sub-page permission table: an EPT PTE with bit 61 that refuses writes permits those to the sub-pages which the table
 *     names (SDM vol. 3, "Sub-Page Write Permissions")
 * @param modeBasedExecute bit 2 of an entry lets supervisor-mode linear addresses be executed, bit 10 user-mode ones (SDM vol. 3, "EPT Violations")
 */
public record EptFeatures(long subPageTable, boolean modeBasedExecute) {
    /** EPT alone. */
    public static final EptFeatures NONE = new EptFeatures(0, false);
}
