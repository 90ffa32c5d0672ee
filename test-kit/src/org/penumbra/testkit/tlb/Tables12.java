package org.penumbra.testkit.tlb;

import java.util.function.LongUnaryOperator;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.EptViolation;
import org.penumbra.api.paging.TranslationRoot;

/**
 * Tables of a guest that is a hypervisor, by which the guest-physical addresses of its guests (ngpa) become its own (gpa): EPT12 or NPT12, from
 * one root on. What their entries mean, and the reference walk of them. One object stands for one root, so that roots are compared as objects.
 * One thread.
 *
 * <p>An access, and the rights that an entry gives, are a set of {@link EptViolation#READ}, {@code WRITE} and {@code FETCH}, in both formats.
 */
abstract class Tables12 {
    /** Of a refusal: an EPT misconfiguration, which has no exit qualification. */
    static final int MISCONFIGURED = -1;
    /** A refusal that no tables can be the reason of. */
    static final int IMPOSSIBLE = -2;
    /** All rights. */
    static final int RIGHTS = EptViolation.READ | EptViolation.WRITE | EptViolation.FETCH;

    /** gpa of the top table. */
    final long top;
    final int levels;
    final EntryKind kind;
    /** The processor keeps accessed and dirty flags in these tables. */
    final boolean flags;
    final long accessed;
    final long dirty;

    Tables12(long top, int levels, EntryKind kind, boolean flags, long accessed, long dirty) {
        this.top = top;
        this.levels = levels;
        this.kind = kind;
        this.flags = flags;
        this.accessed = accessed;
        this.dirty = dirty;
    }

    /** The tables at {@code root}, of a processor with {@code maxPhyAddr} address bits. */
    static Tables12 at(TranslationRoot root, int maxPhyAddr) {
        if (root instanceof TranslationRoot.TwoDimensional ept) {
            return new Ept12Tables(ept.eptp(), maxPhyAddr);
        }
        if (root instanceof TranslationRoot.Nested npt) {
            return new Npt12Tables(npt, maxPhyAddr);
        }
        throw new IllegalArgumentException("no tables of a guest hypervisor: " + root);
    }

    /** What an access to an entry of the guest's guest's own tables is to {@code tables}; an access of no kind without such. */
    static int ofTable(Tables12 tables) {
        return tables == null ? 0 : tables.flags ? EptViolation.READ | EptViolation.WRITE : EptViolation.READ;
    }

    /** What an access of kind {@code access}, a set of bits of {@link Access}, is to any of them. */
    static int of(int access) {
        return Access.isWrite(access) ? EptViolation.WRITE : Access.isFetch(access) ? EptViolation.FETCH : EptViolation.READ;
    }

    /**
     * True if what is cached by {@code other} is cached by these as well: of EPT, if the EP4TA is the same, bits 51:12 of the EPTP, whatever its
     * other bits; nested tables have no tag but the ASID.
     */
    abstract boolean sharesWith(Tables12 other);

    /** False if {@code ngpa} has more bits than the tables translate. */
    final boolean hold(long ngpa) {
        return ngpa >>> 12 + 9 * levels == 0;
    }

    /** Where the entry for {@code ngpa} lies in the table at {@code table} of {@code level}. */
    static long entryAt(long table, long ngpa, int level) {
        return table + 8 * (ngpa >>> 12 + 9 * (level - 1) & 511);
    }

    /** The address of the table that {@code entry} names. */
    static long table(long entry) {
        return entry & 0x000f_ffff_ffff_f000L;
    }

    abstract boolean isLeaf(long entry, int level);

    /** True if the processor refuses {@code entry}, present at {@code level}, whatever the access. */
    abstract boolean malformed(long entry, int level);

    /** The rights that {@code entry} gives; a walk gives those that all its entries give. */
    abstract int rights(long entry);

    /** The access that a refusal was of, which was reported as {@code code}. */
    abstract int access(long code);

    /** Why it was refused; one of the next three, or {@link #IMPOSSIBLE}. */
    abstract int refusal(long code);

    /** The refusal because an entry is not present; because it is malformed; because of the rights of the walk. */
    abstract int notPresent();

    abstract int malformed();

    abstract int forbidden(int rights);

    /** In words, what was reported as {@code code}. */
    abstract String describe(long code);

    /** The manual's name of entries. */
    abstract String entryName();

    /** Walks; true if {@code access} to {@code ngpa} is allowed. What follows is about the last walk. */
    abstract boolean walk(long ngpa, int access, LongUnaryOperator memory);

    /** The level of the last entry that the walk has read; the one above the top at its beginning. */
    abstract int lowest();

    abstract long entry(int level);

    /** What the entry of an allowed access holds once it was made. */
    abstract long entryAfter(int level, boolean write);

    /** Where an allowed walk leads. */
    abstract long gpa();

    /** Why a walk was refused. */
    abstract int refused();
}
