package org.penumbra.hardware.tlb;

import java.util.ArrayList;
import java.util.List;
import org.penumbra.api.clock.CostProfile;
import org.penumbra.api.cpu.FirstLevelTlb;
import org.penumbra.api.cpu.TlbArray;
import org.penumbra.hardware.walk.Format;
import org.penumbra.hardware.walk.GuestRights;
import org.penumbra.hardware.walk.PageTag;
import org.penumbra.hardware.walk.StructureCaches;

/**
 * Everything a logical processor caches of translations, and the rules by which it is dropped: SDM vol. 3, "Invalidation of TLBs
 * and Paging-Structure Caches" and "Invalidating Cached Translation Information".
 *
 * <p>Both levels of the TLB hold entries independently of each other, so each rule is applied to both. If a page of the guest's
 * tables is cached in smaller pieces (a 2 MiB page on 4 KiB EPT pages, any page of 4 MiB), a rule that drops the page drops every piece (SDM vol.
 * 3, "Details of TLB Use"). One thread.
 */
final class Tlbs {
    final FirstLevelTlb data;
    final FirstLevelTlb instruction;
    final TlbArray second;
    /** Null if the profile has none. */
    final TlbArray nested;
    /** For linear and combined mappings. */
    final StructureCaches structures;
    /** For guest-physical mappings. */
    final StructureCaches nestedStructures;
    final Contexts contexts = new Contexts();

    private final Format[] formats;
    private final List<TlbArray> all = new ArrayList<>();
    private boolean pieces;
    /** A bit per page-size index that the second level may hold. */
    private int sizes;

    /** @param formats by number of the paging mode, with every level that may be cached */
    Tlbs(CostProfile profile, Format[] formats) {
        this.formats = formats;
        data = new FirstLevelTlb(array(profile, "tlb.data.small"), array(profile, "tlb.data.large"));
        instruction = new FirstLevelTlb(array(profile, "tlb.instruction.small"), array(profile, "tlb.instruction.large"));
        second = array(profile, "tlb.second-level");
        nested = array(profile, "nested-tlb");
        structures = structures(profile, "paging-structure-cache");
        nestedStructures = structures(profile, "ept-paging-structure-cache");
        all.addAll(List.of(data.small, data.large, instruction.small, instruction.large, second));
        if (nested != null) {
            all.add(nested);
        }
        structures.forEach(all::add);
        nestedStructures.forEach(all::add);
    }

    private static StructureCaches structures(CostProfile profile, String name) {
        return new StructureCaches(new TlbArray[] {
            null, null, array(profile, name + ".pde"), array(profile, name + ".pdpte"), array(profile, name + ".pml4e"),
            array(profile, name + ".pml5e"),
        }, profile.figure("paging-structure-cache.from-root") != 0);
    }

    private static TlbArray array(CostProfile profile, String name) {
        int entries = (int) profile.figure(name + ".entries");
        return entries == 0 ? null : new TlbArray(entries, (int) profile.figure(name + ".ways"));
    }

    /** Makes {@code context} and {@code globalContext} (−1: none) those that first-level lookups use. */
    void use(int context, int globalContext) {
        data.context = context;
        data.globalContext = globalContext;
        instruction.context = context;
        instruction.globalContext = globalContext;
    }

    /** Index in the second level of the translation of {@code gva} in {@code context} or {@code other}; −1 if there is none. */
    int findSecond(long gva, int context, int other) {
        int i = (sizes & 1) == 0 ? -1 : second.find(PageTag.of(gva, 12), context, other);
        return i >= 0 || sizes <= 1 ? i : findLarge(gva, context, other);
    }

    private int findLarge(long gva, int context, int other) {
        for (int s = 21, bits = sizes >>> 1; bits != 0; s += 9, bits >>>= 1) {
            int i = (bits & 1) == 0 ? -1 : second.find(PageTag.of(gva, s), context, other);
            if (i >= 0) {
                return i;
            }
        }
        return -1;
    }

    /** The context that tags entry {@code index} of the second level. */
    int contextOfSecond(int index) {
        return context(second.tag[index]);
    }

    /** Caches the translation of the page of 2^{@code shift} bytes around {@code gva} in both levels. */
    void fill(FirstLevelTlb first, long gva, int shift, int context, long frame, long rights, int allowed) {
        contexts.fill(context);
        sizes |= 1 << (shift - 12) / 9;
        pieces |= shift < guestShift(rights) || shift > 21;
        second.insert(PageTag.of(gva, shift), context, frame, rights, allowed);
        fillFirst(first, gva, shift, context, frame, rights, allowed);
    }

    /** Caches a second-level translation in the first level, a 1 GiB page by the 2 MiB piece around {@code gva}. */
    void fillFirst(FirstLevelTlb first, long gva, int shift, int context, long frame, long rights, int allowed) {
        if (shift == 12) {
            first.small.insert(FirstLevelTlb.page(gva, 12), context, frame, rights, allowed);
        } else {
            long offset = gva & (1L << shift) - 1 & -1L << 21;
            first.large.insert(FirstLevelTlb.page(gva, 21), context, frame | offset, rights, allowed);
        }
    }

    /** Drops everything. */
    void clear() {
        all.forEach(TlbArray::clear);
        for (int c = 0; c < contexts.count(); c++) {
            contexts.empty(c);
        }
        pieces = false;
        sizes = 0;
    }

    /** Drops everything, and every context number. */
    void reset() {
        clear();
        contexts.reset();
    }

    /** Drops what is tagged by contexts whose keys have {@code value} under {@code mask}. */
    void dropContexts(long mask, long value) {
        boolean some = false;
        boolean others = false;
        for (int c = 0; c < contexts.count(); c++) {
            if (contexts.isFilled(c)) {
                boolean match = contexts.matches(c, mask, value);
                some |= match;
                others |= !match;
            }
        }
        if (!some) {
            return;
        }
        if (!others) {
            clear();
            return;
        }
        for (int a = 0; a < all.size(); a++) {
            drop(all.get(a), mask, value);
        }
        for (int c = 0; c < contexts.count(); c++) {
            if (contexts.matches(c, mask, value)) {
                contexts.empty(c);
            }
        }
    }

    /** Drops what is tagged by contexts with a second dimension, whichever. */
    void dropRoots() {
        for (int bit = 32; bit < 48; bit++) {
            // A root field other than 0 has some bit set.
            dropContexts(1L << bit, 1L << bit);
        }
    }

    private void drop(TlbArray array, long mask, long value) {
        for (int i = 0; i < array.tag.length; i++) {
            long tag = array.tag[i];
            if (tag >= 0 && contexts.matches(context(tag), mask, value)) {
                array.drop(i);
            }
        }
    }

    /** Drops the paging-structure-cache entries of contexts whose keys have {@code value} under {@code mask}. */
    void dropStructures(long mask, long value) {
        structures.forEach(array -> drop(array, mask, value));
    }

    /** Drops what the paging-structure caches would contribute to {@code gva} in the contexts that match. */
    void dropStructuresUsed(long gva, long mask, long value) {
        for (int c = 0; c < contexts.count(); c++) {
            if (contexts.isFilled(c) && contexts.modeOf(c) != 0 && contexts.matches(c, mask, value)) {
                structures.dropUsed(gva, c, formats[contexts.modeOf(c)]);
            }
        }
    }

    /** Drops the TLB entries for {@code gva} in the contexts that match, every piece of its page included. */
    void dropPage(long gva, long mask, long value) {
        for (int c = 0; c < contexts.count(); c++) {
            if (contexts.isFilled(c) && contexts.matches(c, mask, value)) {
                dropEntry(gva, c);
            }
        }
        if (pieces) {
            dropPieces(second, -1, gva, mask, value);
            dropPieces(data.small, 12, gva, mask, value);
            dropPieces(data.large, 21, gva, mask, value);
            dropPieces(instruction.small, 12, gva, mask, value);
            dropPieces(instruction.large, 21, gva, mask, value);
        }
    }

    /** Drops the TLB entries that would be used for {@code gva} in {@code context}. */
    void dropEntry(long gva, int context) {
        int i;
        while ((i = findSecond(gva, context, context)) >= 0) {
            second.drop(i);
        }
        dropFirst(data, gva, context, context);
        dropFirst(instruction, gva, context, context);
    }

    /** Drops the entries of {@code first} that would be used for {@code gva} in {@code context} or {@code other}. */
    static void dropFirst(FirstLevelTlb first, long gva, int context, int other) {
        drop(first.small, FirstLevelTlb.page(gva, 12), context, other);
        drop(first.large, FirstLevelTlb.page(gva, 21), context, other);
    }

    private static void drop(TlbArray array, long page, int context, int other) {
        int i = array.isEmpty() ? -1 : array.find(page, context, other);
        if (i >= 0) {
            array.drop(i);
        }
    }

    /** @param shift page size of all entries of {@code array}, or −1 if their tags say it */
    private void dropPieces(TlbArray array, int shift, long gva, long mask, long value) {
        for (int i = 0; i < array.tag.length; i++) {
            long tag = array.tag[i];
            if (tag < 0 || !contexts.matches(context(tag), mask, value)) {
                continue;
            }
            long page = tag >>> TlbArray.CONTEXT_BITS;
            long address = shift < 0 ? PageTag.address(page) : page << shift;
            int guest = guestShift(array.rights[i]);
            if (FirstLevelTlb.page(address, guest) == FirstLevelTlb.page(gva, guest)) {
                array.drop(i);
            }
        }
    }

    /** Derives the allowed kinds of every cached translation anew: checks use the registers as they stand, not as they stood. */
    void recompute(GuestRights rule) {
        recompute(second, rule);
        recompute(data.small, rule);
        recompute(data.large, rule);
        recompute(instruction.small, rule);
        recompute(instruction.large, rule);
    }

    private static void recompute(TlbArray array, GuestRights rule) {
        for (int i = 0; i < array.tag.length; i++) {
            if (array.tag[i] >= 0) {
                array.allow(i, rule.usable(array.rights[i]));
            }
        }
    }

    private static int context(long tag) {
        return (int) tag & (1 << TlbArray.CONTEXT_BITS) - 1;
    }

    private static int guestShift(long rights) {
        return (int) (rights >>> GuestRights.SIZE_SHIFT) & 63;
    }
}
