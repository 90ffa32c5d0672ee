package org.penumbra.api.mmu;

/**
 * What an MMU needs the processor to intercept and to own. The hypervisor merges it with its other policies and programs the
 * controls from it, again at every swap.
 *
 * @param interceptPageFaults #PF exits
 * @param interceptCr3Loads MOV to CR3 exits
 * @param interceptInvlpg INVLPG exits
 * @param ownedCr0 CR0 bits whose change by the guest must exit
 * @param ownedCr4 CR4 bits whose change by the guest must exit
 * @param forcedCr0 CR0 bits that are really 1 while the guest runs, whatever it sees; they are owned, too
 * @param forcedCr4 CR4 bits that are really 1 while the guest runs, whatever it sees; they are owned, too
 * @param forcedEfer EFER bits that are really 1 while the guest runs, whatever it sees
 * @param hiddenCr4 CR4 bits of features that the design cannot give a guest: setting one is #GP; they are owned, too
 */
public record ControlDemand(
        boolean interceptPageFaults,
        boolean interceptCr3Loads,
        boolean interceptInvlpg,
        long ownedCr0,
        long ownedCr4,
        long forcedCr0,
        long forcedCr4,
        long forcedEfer,
        long hiddenCr4) {
    /** Nothing: the guest's paging is its own business. */
    public static final ControlDemand NONE = new ControlDemand(false, false, false, 0, 0, 0, 0, 0, 0);
}
