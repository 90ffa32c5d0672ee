package org.penumbra.experiments.guest;

import org.penumbra.api.guest.StepBuffer;
import org.penumbra.api.paging.PagingState;

/**
 * How the hypervisor that is a guest tells its processor of its own guest, and reads what became of it: by a VMCS and the instructions of VMX,
 * or by a VMCB in its memory and those of SVM. Each method appends steps; what one "reads" is in RAX once they are executed.
 */
interface ControlBlock {
    /** What an exit of the guest is about. */
    enum Exit {
        IO, PAGE_FAULT, CR3_LOAD, INVLPG,
        /** The hypervisor's own tables refuse an access. */
        REFUSED,
        /** The log of written pages is full. */
        LOG_FULL
    }

    /** gpa of the block, with which the guest is entered. */
    long gpa();

    /** Switches the extension on, and prepares the block for a guest that begins in {@code l2}. */
    void boot(PagingState l2, StepBuffer out);

    /** The guest runs on the tables at {@code root}, of 4 levels; {@code unpaged} if it begins without paging. */
    void useTables(long root, boolean unpaged, StepBuffer out);

    /** Bits of an entry of these tables that maps a page, beside its address and its size, and lets everything be done. */
    long pageBits();

    /** The guest, which began in {@code initial}, runs on the shadow tables at {@code root}; it is left where these need it. */
    void useShadows(long root, PagingState initial, StepBuffer out);

    /** Enters the guest. */
    void enter(StepBuffer out);

    /** The first that is done after an exit: reads what {@link #exit} takes. */
    void exited(StepBuffer out);

    /** What the exit was about, by what {@link #exited} has read. */
    Exit exit(long rax);

    /** Reads the address that was refused. */
    void readRefused(StepBuffer out);

    /** Reads the full log of written pages, and has it begin anew. */
    void emptyLog(StepBuffer out);

    /** Reads the error code of a page fault; its address. */
    void readErrorCode(StepBuffer out);

    void readFaultAddress(StepBuffer out);

    /** Reads the number of the step at which the guest stands; sets it. */
    void readNext(StepBuffer out);

    void writeNext(long next, StepBuffer out);

    /** Has the next entry deliver a page fault to the guest. */
    void injectPageFault(int errorCode, long gva, StepBuffer out);

    /** Drops what is cached for the guest; for its address {@code gva}. */
    void drop(StepBuffer out);

    void dropPage(long gva, StepBuffer out);

    /** Switches the extension off. */
    void off(StepBuffer out);
}
