package org.penumbra.api.cpu;

import org.osgi.annotation.versioning.ConsumerType;
import org.penumbra.api.paging.EntryFormat;
import org.penumbra.api.paging.MemoryType;

/**
 * Told step by step how a processor comes to a translation, while one is being made: for people who want to see a walk. Called on
 * the thread that translates, in order. Nothing of the translation may be changed from here.
 */
@ConsumerType
public interface WalkListener {
    /** What may hold a translation, or a part of one, so that memory need not be read. */
    enum Cache {
        FIRST_LEVEL_TLB,
        SECOND_LEVEL_TLB,
        PAGING_STRUCTURE_CACHE,
        NESTED_TLB,
        NESTED_PAGING_STRUCTURE_CACHE
    }

    /**
     * {@code cache} had {@code address}.
     *
     * @param address the linear address; of the nested caches the guest-physical address
     * @param level of a TLB the level of the page (1 for 4 KiB); of a paging-structure cache that of the entry it replaces
     * @param result first byte of the page or of the next table, in physical memory
     */
    void served(Cache cache, long address, int level, long result);

    /**
     * Memory was read for an entry.
     *
     * @param nested false: a table that linear addresses are walked through; true: one that guest-physical addresses are
     * @param level 1 the lowest; for 32-bit and PAE paging, too
     * @param at where the entry lies in the address space its table is named in: a guest-physical address under two dimensions
     * @param hpa where it lies in physical memory
     * @param entry its value
     * @param dataCache which level of the data caches served it, from 1, the last one being memory; 0 if they are not modelled
     */
    void referenced(EntryFormat format, boolean nested, int level, long at, long hpa, long entry, int dataCache);

    /**
     * The translation is complete.
     *
     * @param hpa physical address of {@code gva}
     * @param shift the size of the page it is cached for, as a power of two
     * @param type the effective memory type, from PAT and MTRRs, or PAT and EPT
     */
    void translated(long gva, long hpa, int shift, MemoryType type);

    /** The entry at {@code hpa} was written: accessed or dirty flags. Its value now is {@code entry}. */
    void updated(EntryFormat format, boolean nested, int level, long hpa, long entry);
}
