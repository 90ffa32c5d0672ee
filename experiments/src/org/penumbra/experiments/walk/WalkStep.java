package org.penumbra.experiments.walk;

import org.penumbra.api.cpu.WalkListener.Cache;
import org.penumbra.api.paging.MemoryType;
import org.penumbra.api.vmx.ExitReason;

/** Something that happened while an access was translated, in the terms of {@link org.penumbra.api.cpu.WalkListener}. */
public sealed interface WalkStep {
    /**
     * An entry was read from memory.
     *
     * @param number counts from 1 within an attempt
     * @param nested it belongs to the second dimension
     * @param name the manual's name of such an entry
     * @param at where it is in the address space its table is named in; its hpa after a hit of a combined mapping, which names it so
     * @param meaning the entry in words
     * @param dataCache 1 to 4 for L1, L2, LLC, memory; 0 if data caches are not modelled
     */
    record Reference(int number, boolean nested, int level, String name, long at, long hpa, long entry, String meaning, int dataCache)
            implements WalkStep {}

    /** A cache had it, so that memory was not read; see {@link org.penumbra.api.cpu.WalkListener#served}. */
    record Served(Cache cache, long address, int level, long result) implements WalkStep {}

    /** The processor set accessed or dirty flags in an entry, which has become {@code entry}. */
    record Updated(boolean nested, int level, String name, long hpa, long entry, String meaning) implements WalkStep {}

    /** There is a translation, cached as a page of 2 to the power of {@code shift} bytes. */
    record Translated(long gva, long hpa, int shift, MemoryType type) implements WalkStep {}

    /**
     * A VM exit took the place of a translation.
     *
     * @param gpa of an EPT violation or misconfiguration
     * @param gva of an intercepted page fault
     * @param errorCode of an intercepted page fault
     * @param emulated the hypervisor executed the access; else it resumed the guest, which repeats it
     */
    record Exited(ExitReason reason, long gpa, long gva, int errorCode, boolean emulated) implements WalkStep {}
}
