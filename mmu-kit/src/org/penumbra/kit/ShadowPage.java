package org.penumbra.kit;

import java.util.Arrays;

/**
 * The bookkeeping of one shadow page: KVM's {@code struct kvm_mmu_page}. The 512 sptes themselves are in simulated memory at
 * {@link #spt}. Guarded by the MMU's lock.
 */
public final class ShadowPage {
    public static final int ENTRIES = 512;

    /** The guest table it shadows, or of a direct page the first frame it maps. */
    public final long gfn;
    /** See {@link Role}. */
    public final int role;
    /** hpa of the table of sptes. */
    public final long spt;
    /** Addresses of the sptes, in tables above, that point here. */
    public final PteList parents = new PteList();
    /** The generation of {@link ShadowPageCache} that it belongs to; of an older one it is obsolete. KVM: mmu_valid_gen. */
    public final int generation;
    /** vCPU roots, current and previous, that are this page. */
    public int rootCount;
    /** Zapped while it was a root: no longer found, freed with its last root. */
    public volatile boolean invalid;
    /** The guest may write the table without an exit; sptes may be stale until the next synchronisation. Level 1 only. */
    public boolean unsync;
    /** Entries whose subtree holds unsync pages, and their number. */
    public final long[] unsyncChildBitmap = new long[ENTRIES / 64];
    public int unsyncChildren;
    /** It stands in the place of a large page that must not be executed. KVM: nx_huge_page_disallowed. */
    public boolean nxHugePageDisallowed;
    /** Emulated writes since an spte of the page was last used for a fault. */
    public int writeFlooding;
    /** Of an indirect page that can hold leaves: the frame each spte maps, which the gpte may no longer say. */
    private final long[] mapped;

    ShadowPage(long gfn, int role, long spt, int generation) {
        this.gfn = gfn;
        this.role = role;
        this.spt = spt;
        this.generation = generation;
        this.mapped = Role.isDirect(role) || Role.level(role) > 2 ? null : new long[ENTRIES];
        if (mapped != null) {
            Arrays.fill(mapped, -1);
        }
    }

    public int level() {
        return Role.level(role);
    }

    public boolean direct() {
        return Role.isDirect(role);
    }

    /** Address of spte {@code index}. */
    public long sptep(int index) {
        return spt + 8L * index;
    }

    /**
     * gpa of the guest entry that spte {@code index} of an indirect page is made from. A table of 4-byte entries has 1024 of them: a
     * leaf table takes two shadow pages, and a directory four, since two sptes of 2 MiB stand for an entry of 4 MiB.
     */
    public long gpteGpa(int index) {
        int bytes = Role.format(role).entryBytes();
        int entry = bytes == 8 ? index : (Role.quadrant(role) * ENTRIES + index) >> level() - 1;
        return (gfn << 12) + (long) bytes * entry;
    }

    /** How many sptes in a row are made from one guest entry. */
    public int sptesPerGpte() {
        return Role.format(role).entryBytes() == 8 ? 1 : level();
    }

    /**
     * The first spte made from the guest entry at byte {@code offset} of the table; −1 if that is in another quadrant. KVM:
     * get_written_sptes.
     */
    public int sptesOf(int offset) {
        if (Role.format(role).entryBytes() == 8) {
            return offset >> 3;
        }
        int spte = (offset >> 2 << level() - 1) - Role.quadrant(role) * ENTRIES;
        return spte >= 0 && spte < ENTRIES ? spte : -1;
    }

    /** The guest frame that leaf spte {@code index} maps. */
    public long mappedGfn(int index) {
        return mapped == null ? gfn + ((long) index << 9 * (level() - 1)) : mapped[index];
    }

    /** Records that leaf spte {@code index} maps {@code frame}; a direct page knows by position. */
    public void setMappedGfn(int index, long frame) {
        if (mapped != null) {
            mapped[index] = frame;
        }
    }

    /** Marks entry {@code index} as leading to unsync pages; false if it was marked already. */
    public boolean markUnsyncChild(int index) {
        long bit = 1L << (index & 63);
        if ((unsyncChildBitmap[index >> 6] & bit) != 0) {
            return false;
        }
        unsyncChildBitmap[index >> 6] |= bit;
        unsyncChildren++;
        return true;
    }

    /** Takes the mark of entry {@code index} away, if it has one. */
    public void clearUnsyncChild(int index) {
        long bit = 1L << (index & 63);
        if ((unsyncChildBitmap[index >> 6] & bit) != 0) {
            unsyncChildBitmap[index >> 6] &= ~bit;
            unsyncChildren--;
        }
    }

    /** True if entry {@code index} is marked. */
    public boolean isUnsyncChild(int index) {
        return (unsyncChildBitmap[index >> 6] >>> index & 1) != 0;
    }
}
