package org.penumbra.hardware.walk;

import java.util.function.LongConsumer;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.clock.Work;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.api.paging.Access;

/**
 * The page walk, for every format and every dimension: SDM vol. 3, "4-Level Paging and 5-Level Paging" and "EPT Translation
 * Mechanism" are two {@link Format}s of it. If there is a stage below, the address of each entry goes through it first.
 *
 * <p>Accessed and dirty flags are set when the walk has found a translation that allows the access, from the root down, each by
 * compare-and-set; if an entry has changed meanwhile, the walk begins anew. A walk that ends in a fault sets none: whether
 * entries used before the fault are flagged is model-specific. Results are in the fields. Allocates nothing; one thread.
 */
public final class Walker {
    /** A translation that allows the access. */
    public static final int DONE = 0;
    /** An entry is not present. */
    public static final int NOT_PRESENT = 1;
    /** A present entry is malformed: reserved bit, or EPT misconfiguration. */
    public static final int MALFORMED = 2;
    /** There is a translation and its rights do not allow the access. */
    public static final int DENIED = 3;
    /** The stage below refused an access to an entry. */
    public static final int REFUSED = 4;
    private static final int CHANGED = 5;

    private final Format format;
    private final PhysicalMemory memory;
    private final CycleClock clock;
    private final AccessRule rule;
    private final EptStage below;
    private final StructureCaches caches;
    private final LongConsumer updates;
    private final long[] addresses;
    private final long[] slots;
    private final long[] slotRights;
    private final long[] entries;
    private final long[] paths;

    private long root;
    private int context;
    private long reserved;
    private boolean flags;
    private EptStage stage;

    /** Rights combined along the path, bits of the leaf included; of the entries seen so far if the walk failed. */
    public long rights;
    /** First byte of the page, in the address space below. */
    public long page;
    /** Page size as a power of two. */
    public int shift;
    /** Memory references to entries of this walker's tables since it was made. */
    public long references;

    /**
     * @param below what translates the addresses that entries hold, when it is switched on
     * @param caches paging-structure caches
     * @param updates told the address of each entry that the walk writes, or reads in a way that counts as a write; or null
     */
    public Walker(Format format, PhysicalMemory memory, CycleClock clock, AccessRule rule, EptStage below, StructureCaches caches,
            LongConsumer updates) {
        this.format = format;
        this.memory = memory;
        this.clock = clock;
        this.rule = rule;
        this.below = below;
        this.caches = caches;
        this.updates = updates;
        addresses = new long[format.levels() + 1];
        slots = new long[format.levels() + 1];
        slotRights = new long[format.levels() + 1];
        entries = new long[format.levels() + 1];
        paths = new long[format.levels() + 1];
    }

    /**
     * Sets what the following walks work with.
     *
     * @param rootTable address of the top table, in the address space below
     * @param cacheContext context of paging-structure-cache entries
     * @param alsoReserved entry bits that are reserved now, besides those of the format
     * @param setFlags maintain accessed and dirty flags
     * @param throughBelow walk through the stage below
     */
    public void load(long rootTable, int cacheContext, long alsoReserved, boolean setFlags, boolean throughBelow) {
        root = rootTable & format.address();
        context = cacheContext;
        reserved = alsoReserved;
        flags = setFlags;
        stage = throughBelow ? below : null;
    }

    /** Walks for {@code address}; {@code access} is an {@link Access} kind. */
    public int walk(long address, int access) {
        int result;
        do {
            result = attempt(address, access);
        } while (result == CHANGED);
        return result;
    }

    private int attempt(long address, int access) {
        int cached = caches.find(address, context);
        int top = cached == 0 ? format.levels() : cached - 1;
        long table = cached == 0 ? root : caches.table;
        long path = cached == 0 ? format.path() : caches.rights;
        int level = top;
        for (; ; level--) {
            long slot = table + format.offset(level, address);
            if (stage != null && (cached == 0 || level < top)) {
                long hpa = stage.entry(slot);
                if (hpa < 0) {
                    return REFUSED;
                }
                addresses[level] = slot;
                slots[level] = hpa;
                slotRights[level] = stage.rights;
                if (updates != null && stage.countsAsWrite()) {
                    updates.accept(hpa);
                }
            } else {
                slots[level] = slot;
                slotRights[level] = Ept.W;
            }
            long entry = memory.load64(slots[level]);
            references++;
            clock.charge(Work.WALK_REFERENCE);
            entries[level] = entry;
            path &= entry ^ format.inverted();
            rights = path;
            if ((entry & format.present()) == 0) {
                return NOT_PRESENT;
            }
            boolean isPage = format.isPage(level, entry);
            if ((entry & reserved) != 0 || format.malformed(level, entry, isPage)) {
                return MALFORMED;
            }
            paths[level] = path;
            if (isPage) {
                break;
            }
            table = entry & format.address();
        }
        return finish(address, access, top, level);
    }

    private int finish(long address, int access, int top, int level) {
        rights = paths[level] | entries[level] & format.leaf();
        if ((rule.allowed(rights) >>> access & 1) == 0) {
            return DENIED;
        }
        if (flags) {
            boolean write = Access.isWrite(access);
            for (int l = top; l >= level; l--) {
                int result = flag(l, format.accessed() | (write && l == level ? format.dirty() : 0));
                if (result != DONE) {
                    return result;
                }
            }
            rights |= entries[level] & format.leaf();
        }
        shift = format.row(level).shift();
        page = entries[level] & format.address() & -1L << shift;
        for (int l = top; l > level; l--) {
            if ((slotRights[l - 1] & Ept.W) != 0) {
                caches.insert(l, address, context, slots[l - 1] & -4096L, paths[l]);
            }
        }
        return DONE;
    }

    private int flag(int level, long wanted) {
        long entry = entries[level];
        if ((entry & wanted) == wanted) {
            return DONE;
        }
        if ((slotRights[level] & Ept.W) == 0) {
            stage.refuseUpdate(addresses[level], slotRights[level]);
            return REFUSED;
        }
        if (!memory.compareAndSet64(slots[level], entry, entry | wanted)) {
            return CHANGED;
        }
        clock.charge(Work.WALK_UPDATE);
        if (updates != null) {
            updates.accept(slots[level]);
        }
        entries[level] = entry | wanted;
        return DONE;
    }
}
