package org.penumbra.hardware.walk;

import org.penumbra.api.cpu.WalkListener;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.api.paging.LinearWalker;

/**
 * Walks that begin in the tables of a design, whose entries a {@link LinearWalker} reads, and end there or go over to the guest's tables and a
 * {@link Walker} of two dimensions. Paging-structure caches hold entries of both kinds of tables, apart from one another; those of the guest's,
 * which are always the lower ones, are looked for first. Allocates nothing; one thread.
 */
public final class LinearWalk implements LinearWalker.Meaning {
    private static final int INDEX = 511;
    private static final int HIGHEST_PAGE = 3;
    private static final long TYPE_WRITE_BACK = 6 << 4;

    private enum Kind { NOTHING, TABLE, PAGE, GUEST_TABLE, MALFORMED }

    private final PhysicalMemory memory;
    private final WalkMeter meter;
    private final GuestRights rule;
    private final Walker guest;
    private final StructureCaches caches;
    private LinearWalker reader;
    private long top;
    private int context;
    private int guestContext;

    private Kind kind;
    private long target;
    private long granted;
    private boolean flags;

    /** The last walk ended in the design's tables; if not, the rest is the guest's walker's. */
    public boolean ended;
    /** Raw rights of the page that was found, or was not to be used. */
    public long rights;
    /** hpa of its first byte. */
    public long page;
    /** Its size as a power of two. */
    public int shift;
    /** References to the design's tables so far. */
    public long references;

    public LinearWalk(PhysicalMemory memory, WalkMeter meter, GuestRights rule, Walker guest, StructureCaches caches) {
        this.memory = memory;
        this.meter = meter;
        this.rule = rule;
        this.guest = guest;
        this.caches = caches;
    }

    /** Walks begin in the table at {@code table}, whose entries {@code by} reads. */
    public void load(LinearWalker by, long table) {
        reader = by;
        top = table;
    }

    /** Lets go of what {@link #load} set. */
    public void forget() {
        reader = null;
    }

    /** True between {@link #load} and {@link #forget}. */
    public boolean isLoaded() {
        return reader != null;
    }

    /** What tags paging-structure-cache entries of the guest's tables and of the design's. */
    public void tag(int ofGuest, int ofDesign) {
        guestContext = ofGuest;
        context = ofDesign;
    }

    /** What tags those of the design's tables. */
    public int context() {
        return context;
    }

    /** Walks for {@code gva}; a result of {@link Walker}. */
    public int walk(long gva, int access) {
        ended = false;
        Format f = guest.format();
        if (caches.find(gva, guestContext, f) != 0) {
            return guest.walk(gva, access);
        }
        int cached = caches.find(gva, context, f);
        int level = cached == 0 ? f.levels() : cached - 1;
        long table = cached == 0 ? top : caches.table;
        if (cached != 0 && meter.listener != null) {
            meter.listener.served(WalkListener.Cache.PAGING_STRUCTURE_CACHE, gva, cached, table);
        }
        for (; ; level--) {
            read(level, table + 8 * (gva >>> f.shift[level] & INDEX));
            if (level == 1 || kind != Kind.TABLE) {
                break;
            }
            table = target;
            caches.insert(level, gva, context, f, table, 0);
        }
        if (level > 1 && kind == Kind.GUEST_TABLE) {
            int result = guest.walkFrom(level, target, f.path & (raw() | Paging.A), flags, gva, access);
            ended = result == Walker.KEPT;
            rights = 0;
            return ended ? Walker.NOT_PRESENT : result;
        }
        ended = true;
        rights = 0;
        return kind == Kind.NOTHING ? Walker.NOT_PRESENT : kind == Kind.PAGE ? found(f, level, access) : Walker.MALFORMED;
    }

    private int found(Format f, int level, int access) {
        shift = f.shift[level];
        page = target;
        if (level > HIGHEST_PAGE || (page & (1L << shift) - 1) != 0) {
            return Walker.MALFORMED;
        }
        rights = raw() | granted & Paging.G | Paging.D | (SecondStage.ALL | TYPE_WRITE_BACK) << GuestRights.STAGE_SHIFT;
        return (rule.allowed(rights) >>> access & 1) != 0 ? Walker.DONE : Walker.DENIED;
    }

    /** The rights that the reader gave, as {@link GuestRights} has them. */
    private long raw() {
        return granted & (Paging.RW | Paging.US) | ~granted & Paging.XD;
    }

    private void read(int level, long slot) {
        references++;
        long entry = memory.load64(slot);
        int served = meter.readAt(slot);
        if (meter.listener != null) {
            meter.listener.referenced(reader.format(), false, level, slot, slot, entry, served);
        }
        kind = Kind.NOTHING;
        try {
            reader.read(level, entry, this);
        } catch (RuntimeException e) {
            // The same to whoever watches: an entry that nobody can read.
            kind = Kind.MALFORMED;
        }
    }

    private void means(Kind what, long hpa) {
        kind = (hpa & 0xfff) == 0 ? what : Kind.MALFORMED;
        target = hpa;
    }

    @Override
    public void table(long hpa) {
        means(Kind.TABLE, hpa);
    }

    @Override
    public void page(long hpa, long pageRights) {
        means(Kind.PAGE, hpa);
        granted = pageRights;
    }

    @Override
    public void guestTable(long hpa, long pathRights, boolean mayFlag) {
        means(Kind.GUEST_TABLE, hpa);
        granted = pathRights;
        flags = mayFlag;
    }
}
