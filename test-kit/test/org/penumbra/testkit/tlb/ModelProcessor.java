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
import org.penumbra.api.paging.PagingState;

/**
 * A naive processor with an unbounded TLB and paging-structure caches that it uses, fills, keeps and loses at random, within
 * the rules; and that can be told to forget some of them.
 */
final class ModelProcessor {
    /** The rules it can forget. */
    enum Forgotten {
        INVLPG_TLB, INVLPG_GLOBAL, INVLPG_CACHES, CR3_TLB, CR3_CACHES, PGE_GLOBAL, FAULT_TLB, FAULT_CACHES, PCID_TAG, ACCESSED, DIRTY, WRITE_RIGHT,
        USER_RIGHT
    }

    private static final class Cached {
        int pcid;
        /** 1 to 3: level of the leaf, or of the table that is pointed to. */
        int level;
        long page;
        long target;
        boolean write;
        boolean user;
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

    void load(PagingState next, boolean keep) {
        PagingState old = state;
        state = next;
        if (((old.cr4() ^ next.cr4()) & CR4_PGE) != 0 || old.has4(CR4_PCIDE) && !next.has4(CR4_PCIDE) || !old.has0(CR0_PG)) {
            tlb.removeIf(c -> !(c.global && forgets(Forgotten.PGE_GLOBAL)));
            structures.clear();
        } else if (old.cr4() == next.cr4() && !(keep && next.has4(CR4_PCIDE))) {
            tlb.removeIf(c -> !c.global && c.pcid == next.pcid() && !forgets(Forgotten.CR3_TLB));
            structures.removeIf(c -> c.pcid == next.pcid() && !forgets(Forgotten.CR3_CACHES));
        }
    }

    void invlpg(long gva) {
        tlb.removeIf(c -> covers(c, gva) && (c.global ? !forgets(Forgotten.INVLPG_GLOBAL) : c.pcid == state.pcid() && !forgets(Forgotten.INVLPG_TLB)));
        structures.removeIf(c -> c.pcid == state.pcid() && !forgets(Forgotten.INVLPG_CACHES));
    }

    void faulted(long gva) {
        tlb.removeIf(c -> covers(c, gva) && c.pcid == state.pcid() && !forgets(Forgotten.FAULT_TLB));
        structures.removeIf(c -> c.pcid == state.pcid() && covers(c, gva) && !forgets(Forgotten.FAULT_CACHES));
    }

    /** gpa, or −1 and {@link #errorCode}. */
    long translate(long gva, int access) {
        tlb.removeIf(c -> random.nextInt(40) == 0);
        structures.removeIf(c -> random.nextInt(40) == 0);
        for (Cached c : tlb) {
            boolean tagged = c.pcid == state.pcid() || c.global || forgets(Forgotten.PCID_TAG);
            if (tagged && covers(c, gva) && random.nextInt(8) != 0) {
                int cause = refusal(access, c.write, c.user);
                if (cause >= 0) {
                    errorCode = cause;
                    return -1;
                }
                if (!Access.isWrite(access) || c.dirty || forgets(Forgotten.DIRTY)) {
                    return c.target + (gva & size(c.level) - 1);
                }
            }
        }
        return walk(gva, access);
    }

    private long walk(long gva, int access) {
        int level = 4;
        long table = state.root();
        boolean write = true;
        boolean user = true;
        for (Cached c : structures) {
            if (c.pcid == state.pcid() && covers(c, gva) && random.nextInt(3) != 0) {
                level = c.level - 1;
                table = c.target;
                write = c.write;
                user = c.user;
                break;
            }
        }
        for (; ; level--) {
            long at = BASE + table + 8 * (gva >>> 12 + 9 * (level - 1) & 511);
            long entry = guest.memory.load64(at);
            if ((entry & P) == 0) {
                errorCode = code(access, 0);
                return -1;
            }
            write &= (entry & W) != 0;
            user &= (entry & U) != 0;
            boolean leaf = level == 1 || level < 4 && (entry & LARGE) != 0;
            if (leaf && refusal(access, write, user) >= 0) {
                errorCode = refusal(access, write, user);
                return -1;
            }
            long set = entry | (forgets(Forgotten.ACCESSED) ? 0 : A) | (leaf && Access.isWrite(access) && !forgets(Forgotten.DIRTY) ? D : 0);
            guest.memory.store64(at, set);
            Cached c = new Cached();
            c.pcid = state.pcid();
            c.level = level;
            c.page = gva / size(level);
            c.target = set & 0x000f_ffff_ffff_f000L & (leaf ? -size(level) : -1);
            c.write = write;
            c.user = user;
            c.dirty = (set & D) != 0;
            c.global = leaf && (set & GLOBAL) != 0 && state.has4(CR4_PGE);
            if (random.nextInt(4) != 0) {
                List<Cached> cache = leaf ? tlb : structures;
                cache.add(random.nextInt(cache.size() + 1), c);
            }
            if (leaf) {
                return c.target + (gva & size(level) - 1);
            }
            table = c.target;
        }
    }

    private int refusal(int access, boolean write, boolean user) {
        boolean asUser = Access.isUser(access) && !forgets(Forgotten.USER_RIGHT);
        boolean refused = asUser && !user
                || Access.isWrite(access) && !write && !forgets(Forgotten.WRITE_RIGHT) && (Access.isUser(access) || state.has0(CR0_WP));
        return refused ? code(access, PageFaultError.PRESENT) : -1;
    }

    private static int code(int access, int cause) {
        return cause | (Access.isWrite(access) ? PageFaultError.WRITE : 0) | (Access.isUser(access) ? PageFaultError.USER : 0);
    }

    private boolean forgets(Forgotten rule) {
        return forgotten.contains(rule);
    }

    private static boolean covers(Cached c, long gva) {
        return gva / size(c.level) == c.page;
    }

    private static long size(int level) {
        return 1L << 12 + 9 * (level - 1);
    }
}
