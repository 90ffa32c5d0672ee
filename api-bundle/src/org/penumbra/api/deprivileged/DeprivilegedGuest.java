package org.penumbra.api.deprivileged;

import org.penumbra.api.paging.Pdptes;

/**
 * What a monitor sets before it returns to a guest by IRET: the registers as they really are, for the guest's own are in its register
 * file. Held by the virtual machine.
 */
public final class DeprivilegedGuest {
    /** CR0.PE and CR0.PG must be 1: privilege levels and U/S are all that keeps the guest in. */
    public long cr0;
    /** The root of the tables that the processor walks. */
    public long cr3;
    public long cr4;
    public long efer;
    /** Under PAE paging the PDPTE registers, which the processor loads from memory at {@link #cr3}. */
    public Pdptes pdptes = Pdptes.NONE;
    /** What is cached for the guest is dropped, as MOV to CR3 and to CR4 do. */
    public boolean flush;
    /** An event whose frame the monitor has pushed for the guest: its handler is what runs next. */
    public boolean inject;
    public boolean injectExternal;
    public int injectVector;
    public int injectErrorCode;
    /** With an injected #PF: the guest's CR2. */
    public long injectAddress;
}
