package org.penumbra.hardware.tlb;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
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
    private static final int SUB_PAGE_VECTORS = 16;
    /**
     * What there is while TLBs are functional, and not modelled: one level, large enough that its misses do not matter; several address spaces
     * find room beside one another. Any array may be left out.
     */
    private static final Map<String, Integer> FUNCTIONAL = Map.of(
            "tlb.data.small", 4096, "tlb.data.large", 512, "tlb.data.huge", 16,
            "tlb.instruction.small", 1024, "tlb.instruction.large", 256, "tlb.instruction.huge", 16);
    private static final int FUNCTIONAL_WAYS = 8;

    final FirstLevelTlb data;
    final FirstLevelTlb instruction;
    /** Of data, and of instructions if they have none of their own. */
    final SecondLevelTlb second;
    final SecondLevelTlb secondInstruction;
    /** Null if the profile has none. */
    final TlbArray nested;
    /** For linear and combined mappings. */
    final StructureCaches structures;
    /** For guest-physical mappings. */
    final StructureCaches nestedStructures;
    /** Vectors of sub-page permissions. How many a processor caches is published nowhere. */
    final TlbArray subPages = new TlbArray(SUB_PAGE_VECTORS, 4);
    final Contexts contexts = new Contexts();

    private final Format[] formats;
    private final List<TlbArray> all = new ArrayList<>();
    /** Those of {@link #all} that hold translations of linear addresses. */
    private final List<Translations> translations = new ArrayList<>();
    /** Those of {@link #structures}. */
    private final List<TlbArray> structureArrays = new ArrayList<>();
    private final Pieces pieces = new Pieces();

    /** @param shift page size of all entries as a power of two, or −1 if their tags say it */
    private record Translations(TlbArray array, int shift) {}

    /** @param formats by number of the paging mode, with every level that may be cached */
    Tlbs(CostProfile profile, Format[] formats) {
        this.formats = formats;
        data = first(profile, "tlb.data");
        instruction = first(profile, "tlb.instruction");
        TlbArray shared = array(profile, "tlb.second-level");
        TlbArray ofInstructions = array(profile, "tlb.second-level-instruction");
        TlbArray huge = array(profile, "tlb.second-level-huge");
        boolean sharesHuge = profile.figure("tlb.second-level.huge") != 0;
        second = new SecondLevelTlb(shared, sharesHuge ? shared : huge);
        secondInstruction = ofInstructions == null ? second : new SecondLevelTlb(ofInstructions, sharesHuge ? ofInstructions : huge);
        addFirst(data);
        addFirst(instruction);
        add(shared, -1);
        add(ofInstructions, -1);
        add(huge, -1);
        translations.forEach(t -> all.add(t.array));
        nested = array(profile, "nested-tlb");
        structures = structures(profile, "paging-structure-cache");
        nestedStructures = structures(profile, "ept-paging-structure-cache");
        if (nested != null) {
            all.add(nested);
        }
        all.add(subPages);
        structures.forEach(structureArrays::add);
        all.addAll(structureArrays);
        nestedStructures.forEach(all::add);
    }

    private static FirstLevelTlb first(CostProfile profile, String name) {
        return new FirstLevelTlb(array(profile, name + ".small"), array(profile, name + ".large"), array(profile, name + ".huge"));
    }

    private void addFirst(FirstLevelTlb first) {
        add(first.small, 12);
        add(first.large, 21);
        add(first.huge, 30);
    }

    private void add(TlbArray array, int shift) {
        if (array != null) {
            translations.add(new Translations(array, shift));
        }
    }

    private static StructureCaches structures(CostProfile profile, String name) {
        return new StructureCaches(new TlbArray[] {
            null, null, array(profile, name + ".pde"), array(profile, name + ".pdpte"), array(profile, name + ".pml4e"),
            array(profile, name + ".pml5e"),
        }, profile.figure("paging-structure-cache.from-root") != 0);
    }

    private static TlbArray array(CostProfile profile, String name) {
        if (!profile.modelsTlbs()) {
            return FUNCTIONAL.containsKey(name) ? new TlbArray(FUNCTIONAL.get(name), FUNCTIONAL_WAYS) : null;
        }
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

    /** The second level behind {@code first}. */
    SecondLevelTlb behind(FirstLevelTlb first) {
        return first == instruction ? secondInstruction : second;
    }

    /** Caches the translation of the page of 2^{@code shift} bytes around {@code gva} in both levels. */
    void fill(FirstLevelTlb first, long gva, int shift, int context, long frame, long rights, int allowed) {
        contexts.fill(context);
        behind(first).insert(gva, shift, context, frame, rights, allowed);
        fillFirst(first, gva, shift, context, frame, rights, allowed);
    }

    /** Caches a translation in the first level; a 1 GiB page by the 2 MiB piece around {@code gva} if there is no array for such. */
    void fillFirst(FirstLevelTlb first, long gva, int shift, int context, long frame, long rights, int allowed) {
        int cached = shift == 30 && first.huge == null ? 21 : shift;
        if (cached < guestShift(rights)) {
            pieces.note(gva, guestShift(rights));
        }
        TlbArray array = cached == 12 ? first.small : cached == 21 ? first.large : first.huge;
        long offset = gva & (1L << shift) - 1 & -1L << cached;
        array.insert(FirstLevelTlb.page(gva, cached), context, frame | offset, rights, allowed);
    }

    /** Drops everything. */
    void clear() {
        all.forEach(TlbArray::clear);
        while (contexts.filled() > 0) {
            contexts.empty(contexts.filled(0));
        }
        pieces.clear();
        second.cleared();
        secondInstruction.cleared();
    }

    /** Drops everything, and every context number. */
    void reset() {
        clear();
        contexts.reset();
    }

    /** Drops what is tagged by contexts whose keys have {@code value} under {@code mask}. */
    void dropContexts(long mask, long value) {
        int matching = 0;
        for (int i = 0; i < contexts.filled(); i++) {
            matching += contexts.matches(contexts.filled(i), mask, value) ? 1 : 0;
        }
        if (matching == 0) {
            return;
        }
        if (matching == contexts.filled()) {
            clear();
            return;
        }
        for (int a = 0; a < all.size(); a++) {
            drop(all.get(a), mask, value);
        }
        for (int i = contexts.filled() - 1; i >= 0; i--) {
            int c = contexts.filled(i);
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
        for (int i = 0; i < array.entries() && !array.isEmpty(); i++) {
            long tag = array.tag(i);
            if (tag >= 0 && contexts.matches(context(tag), mask, value)) {
                array.drop(i);
            }
        }
    }

    /** Drops the paging-structure-cache entries of contexts whose keys have {@code value} under {@code mask}. */
    void dropStructures(long mask, long value) {
        for (int a = 0; a < structureArrays.size(); a++) {
            drop(structureArrays.get(a), mask, value);
        }
    }

    /** Drops what the paging-structure caches would contribute to {@code gva} in the contexts that match. */
    void dropStructuresUsed(long gva, long mask, long value) {
        for (int i = 0; i < contexts.filled(); i++) {
            int c = contexts.filled(i);
            if (contexts.modeOf(c) != 0 && contexts.matches(c, mask, value)) {
                structures.dropUsed(gva, c, formats[contexts.modeOf(c)]);
            }
        }
    }

    /** Drops the TLB entries for {@code gva} in the contexts that match, every piece of its page included. */
    void dropPage(long gva, long mask, long value) {
        for (int i = 0; i < contexts.filled(); i++) {
            int c = contexts.filled(i);
            if (contexts.matches(c, mask, value)) {
                dropEntry(gva, c);
            }
        }
        if (pieces.mayHold(gva)) {
            dropPieces(gva, mask, value);
        }
    }

    /** Drops the TLB entries that would be used for {@code gva} in {@code context}. */
    void dropEntry(long gva, int context) {
        second.drop(gva, context);
        if (secondInstruction != second) {
            secondInstruction.drop(gva, context);
        }
        dropFirst(data, gva, context, context);
        dropFirst(instruction, gva, context, context);
    }

    /** Drops the entries of {@code first} that would be used for {@code gva} in {@code context} or {@code other}. */
    static void dropFirst(FirstLevelTlb first, long gva, int context, int other) {
        drop(first.small, FirstLevelTlb.page(gva, 12), context, other);
        drop(first.large, FirstLevelTlb.page(gva, 21), context, other);
        if (first.huge != null) {
            drop(first.huge, FirstLevelTlb.page(gva, 30), context, other);
        }
    }

    private static void drop(TlbArray array, long page, int context, int other) {
        int i = array.isEmpty() ? -1 : array.find(page, context, other);
        if (i >= 0) {
            array.drop(i);
        }
    }

    /** Drops the pieces of the pages around {@code gva}, and notes anew which pages still have some. */
    private void dropPieces(long gva, long mask, long value) {
        pieces.clear();
        for (int t = 0; t < translations.size(); t++) {
            TlbArray array = translations.get(t).array;
            if (!array.isEmpty()) {
                dropPieces(array, translations.get(t).shift, gva, mask, value);
            }
        }
    }

    private void dropPieces(TlbArray array, int shift, long gva, long mask, long value) {
        for (int i = 0; i < array.entries(); i++) {
            long tag = array.tag(i);
            int guest = tag < 0 ? 0 : guestShift(array.rights(i));
            long page = tag >>> TlbArray.CONTEXT_BITS;
            int cached = shift < 0 ? PageTag.shift(page) : shift;
            if (guest <= cached) {
                continue;
            }
            long address = shift < 0 ? PageTag.address(page) : page << shift;
            boolean same = FirstLevelTlb.page(address, guest) == FirstLevelTlb.page(gva, guest);
            if (same && contexts.matches(context(tag), mask, value)) {
                array.drop(i);
            } else {
                pieces.note(address, guest);
            }
        }
    }

    /** Derives the allowed kinds of every cached translation anew: checks use the registers as they stand, not as they stood. */
    void recompute(GuestRights rule) {
        for (int t = 0; t < translations.size(); t++) {
            recompute(translations.get(t).array, rule);
        }
    }

    private static void recompute(TlbArray array, GuestRights rule) {
        for (int i = 0; i < array.entries(); i++) {
            if (array.tag(i) >= 0) {
                array.allow(i, rule.usable(array.rights(i)));
            }
        }
    }

    /** The context in {@code tag}. */
    static int context(long tag) {
        return (int) tag & (1 << TlbArray.CONTEXT_BITS) - 1;
    }

    private static int guestShift(long rights) {
        return (int) (rights >>> GuestRights.SIZE_SHIFT) & 63;
    }
}
