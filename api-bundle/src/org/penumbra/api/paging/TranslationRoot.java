package org.penumbra.api.paging;

/** Where the hardware walker starts while a guest runs: what an MMU answers when it is given a paging state. */
public sealed interface TranslationRoot {
    /** What the processor's register for it holds; bits 51:12 are the hpa of the top table. */
    long register();

    /**
     * One dimension: the processor walks tables that map gva to hpa.
     *
     * @param cr3 the real CR3: hpa of the shadow root table
     * @param deprivileged the guest's kernel is to run at CPL 3, without VMX
     */
    record OneDimensional(long cr3, boolean deprivileged) implements TranslationRoot {
        /** For a guest under VMX. */
        public OneDimensional(long cr3) {
            this(cr3, false);
        }

        @Override
        public long register() {
            return cr3;
        }
    }

    /**
     * Two dimensions: the processor walks the guest's own tables, and each guest-physical address through EPT.
     *
     * @param eptp the EPT pointer (SDM vol. 3, "Extended-Page-Table Pointer"): bits 2:0 memory type, 5:3 levels − 1, 6 accessed
     *     and dirty flags, 51:12 hpa of the top table
     * @param features what is wanted beside
     */
    record TwoDimensional(long eptp, EptFeatures features) implements TranslationRoot {
        private static final long WRITE_BACK = 6;
        private static final int LEVELS_SHIFT = 3;
        private static final long FLAGS = 1 << 6;

        /** With EPT alone. */
        public TwoDimensional(long eptp) {
            this(eptp, EptFeatures.NONE);
        }

        /** The same root with {@code wanted}. */
        public TwoDimensional with(EptFeatures wanted) {
            return new TwoDimensional(eptp, wanted);
        }

        /** Tables of {@code levels} (4 or 5) in write-back memory whose top table is at {@code top}. */
        public static TwoDimensional of(long top, int levels, boolean accessedDirty) {
            return new TwoDimensional(top | WRITE_BACK | (long) levels - 1 << LEVELS_SHIFT | (accessedDirty ? FLAGS : 0));
        }

        /**
         * May {@code eptp} be the EPT pointer of a processor whose MAXPHYADDR is {@code physicalBits}? Bits 11:7 are reserved (bit 7: supervisor
         * shadow stacks, which it does not have); SDM vol. 3, "Checks on VM-Execution Control Fields".
         */
        public static boolean allowed(long eptp, int physicalBits) {
            long type = eptp & 7;
            long levels = (eptp >>> LEVELS_SHIFT & 7) + 1;
            return (type == 0 || type == WRITE_BACK) && (levels == 4 || levels == 5) && (eptp & 0xf80) == 0 && eptp >>> physicalBits == 0;
        }

        @Override
        public long register() {
            return eptp;
        }
    }

    /**
     * Two dimensions by SVM: each guest-physical address goes through nested tables in long-mode format.
     *
     * @param nCr3 hpa of the top table (APM vol. 2, "Nested Paging")
     * @param levels 4, or 5 with the host's CR4.LA57
     * @param noExecute the host's EFER.NXE: bit 63 of an entry is execute-disable, and not reserved
     */
    record Nested(long nCr3, int levels, boolean noExecute) implements TranslationRoot {
        /** With EFER.NXE. */
        public Nested(long nCr3, int levels) {
            this(nCr3, levels, true);
        }

        @Override
        public long register() {
            return nCr3;
        }
    }

    /**
     * Two dimensions by structures of a design's own: the processor walks the guest's tables, and each guest-physical address by
     * {@code walker}.
     *
     * @param register what the walker starts from; bits 51:12 are the hpa of a frame of the structures, by which what is cached is tagged
     */
    record Own(StageWalker walker, long register) implements TranslationRoot {}

    /**
     * One dimension above, two below: the processor walks tables of a design's own from gva, by {@code walker}, which may lead over to the guest's
     * tables and from there on through {@code nested}. For a guest in 4- or 5-level paging.
     *
     * @param register hpa of the design's top table
     */
    record Switching(LinearWalker walker, long register, TwoDimensional nested) implements TranslationRoot {}
}
