package org.penumbra.hardware.walk;

import java.util.function.LongConsumer;
import org.penumbra.api.cpu.WalkListener;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.Pdptes;

/**
 * The page walk, for every format and every dimension: each paging mode and each form of EPT and NPT is a {@link Format} of it. If
 * there is a stage below, the address of each entry goes through it first.
 *
 * <p>Accessed and dirty flags are set when the walk has found a translation that allows the access, from the root down, each by
 * compare-and-set; if an entry has changed meanwhile, the walk begins anew. A walk that ends in a fault sets none: whether
 * entries used before the fault are flagged is model-specific. Results are in the fields. Allocates nothing; one thread.
 *
 * <p>One class although it is long: the usual way and the general one are the same walk, with the same registers and results.
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
    /** A dirty flag had to be set and logged, and the page-modification log is full: the flag is not set. */
    public static final int LOG_FULL = 5;
    /** A flag had to be set in the table that {@link #walkFrom} was given, and may not be. */
    static final int KEPT = 6;
    private static final int CHANGED = 7;
    private static final int MOST_LEVELS = 5;
    /** Entries of a walk of 5 levels over a stage of 5 levels, but for the last, and for those that translate what that says. */
    private static final int MOST_ENTRIES = MOST_LEVELS * (MOST_LEVELS + 1) - 1;
    private static final int REGIONS = 256;

    private final PhysicalMemory memory;
    private final WalkMeter meter;
    private final GuestRights rule;
    private final SecondStage below;
    private final StructureCaches caches;
    private final LongConsumer updates;
    private final ModificationLog log;
    private final boolean nested;
    private final long[] addresses = new long[MOST_LEVELS + 1];
    private final long[] slots = new long[MOST_LEVELS + 1];
    private final long[] slotRights = new long[MOST_LEVELS + 1];
    private final long[] entries = new long[MOST_LEVELS + 1];
    private final long[] paths = new long[MOST_LEVELS + 1];
    private final Step[] steps = new Step[MOST_LEVELS + 1];
    /** By the low bits of the number of a region; of the current format. */
    private final Path[] regions = new Path[REGIONS];

    private Format format;
    private long root;
    private Pdptes registers;
    private int context;
    private long reserved;
    private boolean flags;
    private SecondStage stage;
    /** Where {@link #straight} begins; null if it may not be tried. */
    private Step start;
    /** Paging-structure caches are there and want to be filled. */
    private final boolean fills;
    /** Changes whenever the same entries may mean something else, in these tables and in those below. */
    private int reading;
    private int readingBelow;
    /** The level of the entry that the walk was told of by {@link #walkFrom}, 0 for none; the table and the rights that it leads to. */
    private int from;
    private long fromTable;
    private long fromPath;
    private boolean fromFlags;
    /** A bit per level of the last walk whose entry was not a usual one. */
    private int unusual;

    /** Rights combined along the path, bits of the leaf included; of the entries seen so far if the walk failed. */
    public long rights;
    /** First byte of the page, in the address space below. */
    public long page;
    /** Page size as a power of two. */
    public int shift;
    /** The entry at which the last walk ended that did not succeed, or that met an unusual entry. */
    long last;
    /** The level of {@link #last}, and the rights combined over the entries above it. */
    int lastLevel;
    long above;
    /** Memory references to entries of this walker's tables since it was made. */
    public long references;

    /**
     * @param rule which accesses rights allow; null if {@link #walk(long, int, long)} says what is needed
     * @param below what translates the addresses that entries hold, when it is switched on; null for a walker that is the second stage
     * @param caches paging-structure caches
     * @param updates told the address of each entry that the walk writes, or reads in a way that counts as a write; or null
     */
    public Walker(PhysicalMemory memory, WalkMeter meter, GuestRights rule, SecondStage below, StructureCaches caches, LongConsumer updates) {
        this(memory, meter, rule, below, caches, updates, null);
    }

    /** @param log told of each dirty flag, before and after; or null */
    Walker(PhysicalMemory memory, WalkMeter meter, GuestRights rule, SecondStage below, StructureCaches caches, LongConsumer updates,
            ModificationLog log) {
        this.memory = memory;
        this.meter = meter;
        this.rule = rule;
        this.below = below;
        this.caches = caches;
        this.updates = updates;
        this.log = log;
        this.nested = below == null;
        this.fills = !caches.isNone();
        for (int level = 1; level <= MOST_LEVELS; level++) {
            steps[level] = new Step(level, steps[level - 1], memory);
        }
        for (int i = 0; i < REGIONS; i++) {
            regions[i] = new Path(nested ? MOST_LEVELS - 1 : MOST_ENTRIES);
        }
    }

    /**
     * Sets what the following walks work with.
     *
     * @param tables the format of the tables
     * @param rootTable address of the top table, in the address space below
     * @param topRegisters registers that hold the entries above the top table, instead of {@code rootTable}; or null
     * @param cacheContext context of paging-structure-cache entries
     * @param alsoReserved entry bits that are reserved now, besides those of the format
     * @param setFlags maintain accessed and dirty flags
     * @param throughBelow walk through the stage below
     */
    public void load(Format tables, long rootTable, Pdptes topRegisters, int cacheContext, long alsoReserved, boolean setFlags,
            boolean throughBelow) {
        int asBelow = throughBelow ? below.reading() : 0;
        if (tables != format || alsoReserved != reserved || setFlags != flags || asBelow != readingBelow) {
            for (Path path : regions) {
                path.forget();
            }
            reading++;
        }
        readingBelow = asBelow;
        format = tables;
        root = rootTable;
        registers = topRegisters;
        context = cacheContext;
        reserved = alsoReserved;
        flags = setFlags;
        stage = throughBelow ? below : null;
        boolean plain = tables.regular && !fills && registers == null && (stage == null || updates == null && stage.isPlain());
        start = plain ? steps[tables.levels()] : null;
        for (int level = 1; level <= tables.levels(); level++) {
            steps[level].load(tables, alsoReserved, setFlags);
        }
    }

    /** Has {@code cacheContext} tag paging-structure-cache entries from now on. */
    void tag(int cacheContext) {
        context = cacheContext;
    }

    /** The format of the tables. */
    public Format format() {
        return format;
    }

    /** Walks for {@code address}; {@code access} is an {@link Access} kind. */
    public int walk(long address, int access) {
        return walk(address, access, 0);
    }

    /** Like {@link #walk(long, int)}; the walk is denied, too, unless it finds all bits of {@code needed} in the combined rights. */
    public int walk(long address, int access, long needed) {
        if (start != null && meter.listener == null && straight(address, access, needed)) {
            return DONE;
        }
        return general(address, access, needed);
    }

    private int general(long address, int access, long needed) {
        int result;
        do {
            result = attempt(address, access, needed);
        } while (result == CHANGED);
        return result;
    }

    /**
     * Walks for {@code address}, without asking caches, from the table at {@code table} on, in the memory below everything, to which an entry of
     * {@code level} leads that nobody needs to read.
     *
     * @param path rights of the entries that were left out, as {@link #rights} has them
     * @param mayFlag flags may be set in that table; {@link #KEPT} if one has to and may not
     */
    int walkFrom(int level, long table, long path, boolean mayFlag, long address, int access) {
        from = level;
        fromTable = table;
        fromPath = path;
        fromFlags = mayFlag;
        try {
            return general(address, access, 0);
        } finally {
            from = 0;
        }
    }

    /**
     * The walk as it is most of the time: nothing is cached, nobody watches, and usual entries lead down to one that maps a page, allows the
     * access, and is a usual one but perhaps for its flags. If it meets anything else the answer is false, and nothing is done.
     */
    private boolean straight(long address, int access, long needed) {
        Path path = regions[(int) (address >>> Path.REGION) & REGIONS - 1];
        SecondStage through = stage;
        if (!path.leads(root, through == null ? 0 : through.root(), address)
                && !path.follow(memory, meter, format, start, root, address, through)) {
            return false;
        }
        Step at = path.step;
        long slot = path.slot(address);
        long entry = path.entry(slot);
        long combined = combined(path.rights, entry);
        if (!mapsUsually(at, entry, combined, access, needed)) {
            entry = flagged(at, slot, entry, path.rights, access, needed);
            if (entry == 0) {
                if (at.lower != null) {
                    // Where the path ends now may be a table after the walk that sees to it.
                    path.forget();
                }
                return false;
            }
            combined = combined(path.rights, entry);
        }
        rights = rule == null ? combined : withPat(combined, at.level, entry);
        shift = at.shift;
        page = entry & at.pageBits;
        references += path.length + 1;
        if (through != null) {
            through.count(path.lengthBelow);
        }
        if (meter.seesEach()) {
            meter.read(path.lines);
            meter.readAt(slot);
        } else {
            meter.read(path.length + path.lengthBelow + 1);
        }
        return true;
    }

    /** The rights of a page that {@code entry} maps, if the entries above grant {@code granted}. */
    private long combined(long granted, long entry) {
        Format f = format;
        return granted & (entry ^ f.inverted) | entry & f.leaf;
    }

    /** Whether {@code entry} of the level {@code at} is a usual one that maps a page, allows the access, and needs no flag for it. */
    private boolean mapsUsually(Step at, long entry, long combined, int access, long needed) {
        return (entry & at.pageMask) == at.page && !(flags && Access.isWrite(access) && (entry & format.dirty) == 0)
                && allows(combined, access, needed);
    }

    /**
     * The {@code entry} at {@code slot} with the flags that it lacks to be a usual one, now in memory, too; 0, and nothing is done, if that is
     * not all it lacks, if the flag is not this walker's alone to set, or if another processor has changed the entry.
     */
    private long flagged(Step at, long slot, long entry, long granted, int access, long needed) {
        if (!flags || log != null || stage != null && !stage.countsAsWrite()) {
            return 0;
        }
        long with = entry | format.accessed | (Access.isWrite(access) ? format.dirty : 0);
        if (!mapsUsually(at, with, combined(granted, with), access, needed) || !memory.compareAndSet64(slot, entry, with)) {
            return 0;
        }
        meter.wrote();
        if (updates != null) {
            updates.accept(slot);
        }
        return with;
    }

    /** True if this walker takes the straight way wherever it can, so that {@link #follow} may answer for its walks. */
    boolean isPlain() {
        return start != null;
    }

    /** Changes whenever the same entries may mean something else. */
    int reading() {
        return reading;
    }

    /** The address of the top table. */
    long root() {
        return root;
    }

    /**
     * Appends to {@code path} what a walk for {@code address} reads, and answers where it leads; −1 if that is not a walk by usual entries
     * to one that maps a page and allows the access.
     */
    long follow(Path path, long address, int access, long needed) {
        long table = root;
        long granted = format.path;
        Step at = start;
        while (true) {
            long slot = at.slot(table, address);
            long[] frame = memory.frame(slot);
            long entry = PhysicalMemory.word(frame, slot);
            path.append(meter, frame, slot, entry);
            if (at.lower == null || (entry & at.tableMask) != at.table) {
                return mapsUsually(at, entry, combined(granted, entry), access, needed)
                        ? entry & at.pageBits | address & (1L << at.shift) - 1 : -1;
            }
            granted &= entry ^ format.inverted;
            table = entry & format.address;
            at = at.lower;
        }
    }

    private boolean allows(long combined, int access, long needed) {
        return rule == null ? (combined & needed) == needed : (rule.allowed(combined) >>> access & 1) != 0;
    }

    private static long withPat(long combined, int level, long leaf) {
        return combined | (level == 1 ? leaf : leaf >>> 5) & Paging.PAT;
    }

    private int attempt(long address, int access, long needed) {
        Format f = format;
        int cached = from != 0 ? from : caches.find(address, context, f);
        int top = f.levels();
        long table = root;
        long path = f.path;
        if (from != 0) {
            top = from - 1;
            table = fromTable;
            path = fromPath;
        } else if (cached != 0) {
            top = cached - 1;
            table = caches.table;
            path = caches.rights;
            if (meter.listener != null) {
                meter.listener.served(nested ? WalkListener.Cache.NESTED_PAGING_STRUCTURE_CACHE : WalkListener.Cache.PAGING_STRUCTURE_CACHE,
                        address, cached, table);
            }
        } else if (registers != null) {
            long pdpte = registers.of(address);
            if ((pdpte & Paging.P) == 0) {
                rights = 0;
                return NOT_PRESENT;
            }
            table = pdpte & f.address;
        }
        boolean each = meter.seesEach();
        unusual = 0;
        for (Step step = steps[top]; ; step = step.lower) {
            int level = step.level;
            long slot = table + ((address >>> step.shift & step.index) << f.entryShift);
            long at = slot;
            long had = from == 0 || fromFlags ? SecondStage.ALL : SecondStage.ALL & ~SecondStage.W;
            if (stage != null && (cached == 0 || level < top)) {
                slot = stage.entry(slot);
                if (slot < 0) {
                    return ended(REFUSED, top - level, each);
                }
                had = stage.rights;
                if (updates != null && stage.countsAsWrite()) {
                    updates.accept(slot);
                }
            }
            long entry = step.lower == null ? memory.load64(slot) : PhysicalMemory.word(step.frame(slot), slot);
            if (f.entryShift == 2) {
                entry = entry >>> ((slot & 4) << 3) & 0xffff_ffffL;
            }
            if (each) {
                see(f, level, at, slot, entry);
            }
            long before = path;
            path &= (entry | step.implied) ^ f.inverted;
            if (fills) {
                slots[level] = slot;
                slotRights[level] = had;
                paths[level] = path;
            }
            if ((entry & step.tableMask) == step.table) {
                table = entry & f.address;
                continue;
            }
            addresses[level] = at;
            slots[level] = slot;
            slotRights[level] = had;
            entries[level] = entry;
            unusual |= 1 << level;
            last = entry;
            lastLevel = level;
            above = before;
            rights = path;
            if ((entry & f.present) == 0) {
                return ended(NOT_PRESENT, top - level + 1, each);
            }
            boolean isPage = f.isPage(level, entry);
            if ((entry & reserved) != 0 || f.malformed(level, entry, isPage)) {
                return ended(MALFORMED, top - level + 1, each);
            }
            if (isPage) {
                return ended(finish(f, address, access, needed, top, level), top - level + 1, each);
            }
            table = entry & f.address;
        }
    }

    private int ended(int result, int read, boolean seen) {
        references += read;
        if (!seen) {
            meter.read(read);
        }
        return result;
    }

    private void see(Format f, int level, long at, long slot, long entry) {
        int served = meter.readAt(slot);
        if (meter.listener != null) {
            meter.listener.referenced(f, nested, level, at, slot, entry, served);
        }
    }

    /** The walk has come to the entry that maps the page, at {@code level}; the rights combined down to it are in {@link #rights}. */
    private int finish(Format f, long address, int access, long needed, int top, int level) {
        long path = rights;
        long leaf = entries[level];
        rights = path | leaf & f.leaf;
        if (!allows(rights, access, needed)) {
            return DENIED;
        }
        if (flags) {
            boolean write = Access.isWrite(access);
            if ((path & f.accessed) == 0 || write && (leaf & f.dirty) == 0) {
                for (int l = top; l >= level; l--) {
                    // A usual entry has its flag.
                    int result = (unusual >>> l & 1) == 0 ? DONE : flag(f, address, l, write && l == level);
                    if (result != DONE) {
                        return result;
                    }
                }
                leaf = entries[level];
                rights |= leaf & f.leaf;
            }
        }
        if (rule != null) {
            rights = withPat(rights, level, leaf);
        }
        shift = f.shift[level];
        page = f.page(level, leaf);
        if (fills && from != 0 && fromFlags) {
            caches.insert(from, address, context, f, fromTable, fromPath);
        }
        for (int l = fills ? top : level; l > level; l--) {
            if ((slotRights[l - 1] & SecondStage.W) != 0) {
                caches.insert(l, address, context, f, slots[l - 1] & -4096L, flags ? paths[l] | f.accessed : paths[l]);
            }
        }
        return DONE;
    }

    private int flag(Format f, long address, int level, boolean dirty) {
        long entry = entries[level];
        long wanted = dirty ? f.accessed | f.dirty : f.accessed & ~f.implied[level];
        if ((entry & wanted) == wanted) {
            return DONE;
        }
        if ((slotRights[level] & SecondStage.W) == 0) {
            if (level == from - 1) {
                return KEPT;
            }
            return stage.update(addresses[level]) < 0 ? REFUSED : CHANGED;
        }
        // A flag of either kind needs room, and a dirty flag takes it (SDM vol. 3, "Page-Modification Logging").
        if (log != null && log.full()) {
            return LOG_FULL;
        }
        long slot = slots[level];
        boolean done;
        if (f.entryShift == 2) {
            // The other entry of the 8 bytes may change at the same time, which is no reason to walk again.
            int at = (int) (slot & 4) << 3;
            long both = memory.load64(slot);
            done = (both >>> at & 0xffff_ffffL) == entry && memory.compareAndSet64(slot, both, both | wanted << at);
        } else {
            done = memory.compareAndSet64(slot, entry, entry | wanted);
        }
        if (!done) {
            return CHANGED;
        }
        meter.wrote();
        if (dirty && (entry & f.dirty) == 0 && log != null) {
            log.append(address);
        }
        if (updates != null) {
            updates.accept(slot);
        }
        entries[level] = entry | wanted;
        if (meter.listener != null) {
            meter.listener.updated(f, nested, level, slot, entries[level]);
        }
        return DONE;
    }
}
