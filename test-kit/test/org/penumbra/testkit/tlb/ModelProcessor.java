package org.penumbra.testkit.tlb;

import static org.penumbra.api.paging.ControlBits.*;
import static org.penumbra.testkit.tlb.Guest.*;

import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.PageFaultError;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.api.paging.PagingState;

/**
 * A naive processor with an unbounded TLB and paging-structure caches that it uses, fills, keeps and loses at random, within
 * the rules; and that can be told to forget some of them. It has every paging mode, but neither SMEP nor SMAP.
 */
final class ModelProcessor {
    /** The rules it can forget. */
    enum Forgotten {
        INVLPG_TLB, INVLPG_GLOBAL, INVLPG_CACHES, INVLPG_FRAGMENTS, INVPCID_ADDRESS, INVPCID_CONTEXT, INVPCID_GLOBAL, INVPCID_ALL, INVPCID_CACHES,
        CR3_TLB, CR3_CACHES, PGE_GLOBAL, FAULT_TLB, FAULT_CACHES, PCID_TAG, PDPTE_REGISTERS, ACCESSED, DIRTY, WRITE_RIGHT, USER_RIGHT, EXECUTE_RIGHT,
        KEY_RIGHT
    }

    private static final class Cached {
        int pcid;
        /** Level of the leaf, or of the entry that points to a table. */
        int level;
        /** The cached part of the address: all of it above these bits. */
        int shift;
        long page;
        long target;
        boolean write;
        boolean user;
        boolean execute;
        int key;
        boolean dirty;
        boolean global;
    }

    private final Guest guest;
    private final Random random;
    private final Set<Forgotten> forgotten;
    private final List<Cached> tlb = new ArrayList<>();
    private final List<Cached> structures = new ArrayList<>();
    PagingState state = new PagingState(0, 0, 0, 0, 0, 0);
    /** Error code of the fault behind a negative answer of {@link #translate}. */
    int errorCode;

    ModelProcessor(Guest guest, Random random, Forgotten... forgotten) {
        this.guest = guest;
        this.random = random;
        this.forgotten = EnumSet.noneOf(Forgotten.class);
        this.forgotten.addAll(List.of(forgotten));
    }

    /** {@code movToCr3}: else it is another register, which drops only by PGE, PCIDE and PG. */
    void load(PagingState next, boolean movToCr3, boolean keep) {
        PagingState old = state;
        state = next;
        if (((old.cr4() ^ next.cr4()) & CR4_PGE) != 0 || old.has4(CR4_PCIDE) && !next.has4(CR4_PCIDE) || !old.has0(CR0_PG)) {
            tlb.removeIf(c -> !(c.global && forgets(Forgotten.PGE_GLOBAL)));
            structures.clear();
        } else if (movToCr3 && !(keep && next.has4(CR4_PCIDE))) {
            tlb.removeIf(c -> !c.global && c.pcid == next.pcid() && !forgets(Forgotten.CR3_TLB));
            structures.removeIf(c -> c.pcid == next.pcid() && !forgets(Forgotten.CR3_CACHES));
        }
    }

    void invlpg(long gva) {
        boolean whole = dropsFragments(gva);
        tlb.removeIf(c -> drops(c, gva, whole)
                && (c.global ? !forgets(Forgotten.INVLPG_GLOBAL) : c.pcid == state.pcid() && !forgets(Forgotten.INVLPG_TLB)));
        structures.removeIf(c -> c.pcid == state.pcid() && !forgets(Forgotten.INVLPG_CACHES));
    }

    void invpcid(int type, int pcid, long gva) {
        boolean whole = pcid != state.pcid() || dropsFragments(gva);
        tlb.removeIf(c -> type == 0 ? !c.global && c.pcid == pcid && drops(c, gva, whole) && !forgets(Forgotten.INVPCID_ADDRESS)
                : type == 1 ? !c.global && c.pcid == pcid && !forgets(Forgotten.INVPCID_CONTEXT)
                : c.global ? type == 2 && !forgets(Forgotten.INVPCID_GLOBAL) : !forgets(Forgotten.INVPCID_ALL));
        structures.removeIf(c -> !forgets(Forgotten.INVPCID_CACHES) && (type >= 2 || c.pcid == pcid && (type == 1 || covers(c, gva))));
    }

    void faulted(long gva) {
        boolean whole = dropsFragments(gva);
        tlb.removeIf(c -> drops(c, gva, whole) && c.pcid == state.pcid() && !forgets(Forgotten.FAULT_TLB));
        structures.removeIf(c -> c.pcid == state.pcid() && covers(c, gva) && !forgets(Forgotten.FAULT_CACHES));
    }

    /** gpa, or −1 and {@link #errorCode}. */
    long translate(long gva, int access) {
        tlb.removeIf(c -> random.nextInt(40) == 0);
        structures.removeIf(c -> random.nextInt(40) == 0);
        for (Cached c : tlb) {
            boolean tagged = c.pcid == state.pcid() || c.global || forgets(Forgotten.PCID_TAG);
            if (tagged && covers(c, gva) && random.nextInt(8) != 0) {
                int cause = refusal(access, c);
                if (cause >= 0) {
                    errorCode = cause;
                    return -1;
                }
                if (!Access.isWrite(access) || c.dirty || forgets(Forgotten.DIRTY)) {
                    return c.target + (gva & (1L << c.shift) - 1);
                }
            }
        }
        return walk(gva, access);
    }

    private long walk(long gva, int access) {
        Cached above = new Cached();
        above.level = mode().levels() + 1;
        above.target = state.root();
        above.write = true;
        above.user = true;
        above.execute = true;
        if (mode() == PagingMode.PAE) {
            long pdpte = forgets(Forgotten.PDPTE_REGISTERS) ? guest.memory.load64(BASE + state.root() + 8 * (gva >>> 30)) : state.pdptes().of(gva);
            above.target = pdpte & ~0xfffL;
            if ((pdpte & P) == 0) {
                errorCode = code(access, 0);
                return -1;
            }
        }
        for (Cached c : structures) {
            if (c.pcid == state.pcid() && covers(c, gva) && random.nextInt(3) != 0) {
                above = c;
                break;
            }
        }
        for (int level = above.level - 1; ; level--) {
            long at = above.target + bytes() * (gva >>> shift(level) & 4096 / bytes() - 1);
            long entry = guest.memory.load(BASE + at, bytes());
            if ((entry & P) == 0) {
                errorCode = code(access, 0);
                return -1;
            }
            boolean leaf = isLeaf(entry, level);
            Cached c = read(gva, level, entry, leaf, above);
            if (leaf && refusal(access, c) >= 0) {
                errorCode = refusal(access, c);
                return -1;
            }
            long set = entry | (forgets(Forgotten.ACCESSED) ? 0 : A) | (leaf && Access.isWrite(access) && !forgets(Forgotten.DIRTY) ? D : 0);
            guest.memory.store(BASE + at, bytes(), set);
            c.dirty = (set & D) != 0;
            if (random.nextInt(4) != 0) {
                List<Cached> cache = leaf ? tlb : structures;
                cache.add(random.nextInt(cache.size() + 1), c);
            }
            if (leaf) {
                long gpa = c.target + (gva & (1L << c.shift) - 1);
                if (level > 1 && random.nextBoolean()) {
                    c.shift = 12;
                    c.page = gva >>> 12;
                    c.target = gpa & ~0xfffL;
                }
                return gpa;
            }
            above = c;
        }
    }

    private Cached read(long gva, int level, long entry, boolean leaf, Cached above) {
        Cached c = new Cached();
        c.pcid = state.pcid();
        c.level = level;
        c.shift = shift(level);
        c.page = gva >>> c.shift;
        c.target = entry & 0x000f_ffff_ffff_f000L & (leaf ? -1L << c.shift : -1);
        c.write = above.write && (entry & W) != 0;
        c.user = above.user && (entry & U) != 0;
        c.execute = above.execute && entry >= 0;
        c.key = mode().isLong() ? (int) (entry >>> 59) & 15 : 0;
        c.global = leaf && (entry & GLOBAL) != 0 && state.has4(CR4_PGE);
        return c;
    }

    private int refusal(int access, Cached c) {
        boolean asUser = Access.isUser(access) && !forgets(Forgotten.USER_RIGHT);
        boolean minds = Access.isUser(access) || state.has0(CR0_WP);
        boolean refused = asUser && !c.user
                || Access.isWrite(access) && !c.write && !forgets(Forgotten.WRITE_RIGHT) && minds
                || Access.isFetch(access) && !c.execute && !forgets(Forgotten.EXECUTE_RIGHT);
        int right = state.pkru() >>> 2 * c.key & 3;
        boolean byKey = c.user && state.has4(CR4_PKE) && !Access.isFetch(access) && !forgets(Forgotten.KEY_RIGHT)
                && ((right & 1) != 0 || (right & 2) != 0 && Access.isWrite(access) && minds);
        return refused || byKey ? code(access, PageFaultError.PRESENT | (byKey ? PageFaultError.KEY : 0)) : -1;
    }

    private int code(int access, int cause) {
        boolean fetch = Access.isFetch(access) && state.has4(CR4_PAE) && state.hasEfer(EFER_NXE);
        return cause | (Access.isWrite(access) ? PageFaultError.WRITE : 0) | (Access.isUser(access) ? PageFaultError.USER : 0)
                | (fetch ? PageFaultError.FETCH : 0);
    }

    /** True unless the tables map {@code gva} by a small page now: then fragments of a large page need go only one by one. */
    private boolean dropsFragments(long gva) {
        boolean pae = mode() == PagingMode.PAE;
        if (pae && (state.pdptes().of(gva) & P) == 0) {
            return !forgets(Forgotten.INVLPG_FRAGMENTS);
        }
        long table = pae ? state.pdptes().of(gva) & ~0xfffL : state.root();
        for (int level = mode().levels(); ; level--) {
            long entry = guest.memory.load(BASE + table + bytes() * (gva >>> shift(level) & 4096 / bytes() - 1), bytes());
            if ((entry & P) == 0 || isLeaf(entry, level)) {
                return ((entry & P) == 0 || level > 1) && !forgets(Forgotten.INVLPG_FRAGMENTS);
            }
            table = entry & 0x000f_ffff_ffff_f000L;
        }
    }

    private boolean drops(Cached c, long gva, boolean whole) {
        return covers(c, gva) || whole && c.page >>> shift(c.level) - c.shift == gva >>> shift(c.level);
    }

    private boolean isLeaf(long entry, int level) {
        int largest = mode().isLong() ? 3 : 2;
        boolean pse = bytes() == 8 || state.has4(CR4_PSE);
        return level == 1 || level <= largest && pse && (entry & LARGE) != 0;
    }

    private PagingMode mode() {
        return state.mode();
    }

    private int bytes() {
        return mode().entryBytes();
    }

    private int shift(int level) {
        return 12 + (bytes() == 4 ? 10 : 9) * (level - 1);
    }

    private boolean forgets(Forgotten rule) {
        return forgotten.contains(rule);
    }

    private static boolean covers(Cached c, long gva) {
        return gva >>> c.shift == c.page;
    }
}
