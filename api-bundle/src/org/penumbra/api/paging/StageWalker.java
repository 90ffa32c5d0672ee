package org.penumbra.api.paging;

import org.osgi.annotation.versioning.ConsumerType;
import org.osgi.annotation.versioning.ProviderType;

/**
 * Hardware that a design brings with it: a walker for structures of its own format, by which the processor translates guest-physical
 * addresses where it has nothing cached. It is part of the processor, and knows of the MMU only what lies in memory: no state of its own,
 * no lease, nothing charged but through {@link Walk}. Called by every vCPU at once; what it throws is a malformed structure.
 *
 * <p>TLBs, the nested TLB and what invalidates them are the processor's, as with EPT; paging-structure caches of the second dimension
 * there are none. Accessed and dirty flags there are none either: the dirty log is to be kept by write protection. A refusal is an EPT
 * violation, a malformed structure an EPT misconfiguration.
 */
@ConsumerType
public interface StageWalker {
    /** Right to read, in {@link Walk#found}; this and the next ones are where EPT entries have them. */
    long READ = 1;
    /** Right to write. */
    long WRITE = 1 << 1;
    /** Right to execute. */
    long EXECUTE = 1 << 2;
    /** Memory type write-back, in bits 5:3. */
    long WRITE_BACK = 6 << 3;

    /** One walk, and what it may do. */
    @ProviderType
    interface Walk {
        /** The 8 bytes of the entry of {@code level} at {@code hpa}, 8-byte aligned: a reference, counted and charged. */
        long load(int level, long hpa);

        /**
         * The translation.
         *
         * @param page hpa of the first byte of the page
         * @param shift its size as a power of two: 12, 21 or 30
         * @param rights {@link #READ}, without which the structure is malformed, {@link #WRITE}, {@link #EXECUTE} and the memory type, as in an
         *     EPT entry that maps a page
         */
        void found(long page, int shift, long rights);

        /** A structure is malformed. */
        void malformed();
    }

    /** How people read its entries. */
    EntryFormat format();

    /**
     * Translates {@code gpa}. If it neither finds anything nor complains, nothing is there.
     *
     * @param register as in {@link TranslationRoot.Own#register}
     */
    void walk(long register, long gpa, Walk walk);
}
