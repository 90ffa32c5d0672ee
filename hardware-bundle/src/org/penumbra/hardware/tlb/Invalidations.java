package org.penumbra.hardware.tlb;

/**
 * The invalidations that name what they drop, by VPID, ASID or root: those of a hypervisor (SDM vol. 3, "Operations that Invalidate Cached
 * Mappings"; APM vol. 2, "TLB Control"). What concerns the current address space is in {@link TranslationUnit}. One thread.
 */
public final class Invalidations {
    private final Tlbs tlbs;

    Invalidations(Tlbs tlbs) {
        this.tlbs = tlbs;
    }

    /** Linear and combined mappings of {@code ofVpid}: all PCIDs, globals, all EPT roots. INVVPID type 1. */
    public void dropVpid(int ofVpid) {
        tlbs.dropContexts(Contexts.VPID | Contexts.PHYSICAL, Contexts.vpid(ofVpid));
    }

    /** The same but for global translations: INVVPID type 3. */
    public void dropVpidButGlobals(int ofVpid) {
        tlbs.dropContexts(Contexts.VPID | Contexts.PHYSICAL | Contexts.GLOBAL, Contexts.vpid(ofVpid));
    }

    /** Linear and combined mappings of every VPID but 0000H: INVVPID type 2. */
    public void dropVpids() {
        for (int i = 0; i < 16; i++) {
            // A VPID other than 0 has some bit set.
            tlbs.dropContexts(Contexts.vpid(1 << i) | Contexts.PHYSICAL, Contexts.vpid(1 << i));
        }
    }

    /** Linear and combined mappings of {@code ofVpid} that would be used for {@code gva}: all PCIDs, globals. INVVPID type 0. */
    public void dropAddress(int ofVpid, long gva) {
        tlbs.dropPage(gva, Contexts.VPID | Contexts.PHYSICAL, Contexts.vpid(ofVpid));
        tlbs.dropStructuresUsed(gva, Contexts.VPID | Contexts.PHYSICAL, Contexts.vpid(ofVpid));
    }

    /** Guest-physical and combined mappings of the root in {@code eptp}, for all VPIDs and PCIDs. INVEPT type 1. */
    public void dropEptRoot(long eptp) {
        long root = tlbs.contexts.knownRoot(eptp);
        if (root != 0) {
            tlbs.dropContexts(Contexts.ROOT, root);
        }
    }

    /** Guest-physical and combined mappings of every EPT root. INVEPT type 2. */
    public void dropEptRoots() {
        tlbs.dropRoots();
    }

    /** Everything that {@code asid} tags, guest-physical mappings included: TLB_CONTROL 3, and INVLPGA without an address. */
    public void dropAsid(int asid) {
        tlbs.dropContexts(Contexts.VPID, Contexts.vpid(asid));
    }

    /** The same but for global translations: TLB_CONTROL 7. */
    public void dropAsidButGlobals(int asid) {
        tlbs.dropContexts(Contexts.VPID | Contexts.GLOBAL, Contexts.vpid(asid));
    }

    /** Everything: TLB_CONTROL 1. */
    public void dropAll() {
        tlbs.clear();
    }
}
