package org.penumbra.hardware.walk;

import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.cpu.TlbArray;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.EptViolation;
import org.penumbra.api.vmx.ExitReason;

/**
 * The second dimension: gpa to hpa through EPT, with a nested TLB of guest-physical mappings in front of the walk. Used for every
 * entry of the guest's tables and for the translated address itself. Results are in the fields. One thread.
 */
public final class EptStage {
    /** Kinds that need R, W, X, by operation. */
    private static final int READS = kinds(Access.READ);
    private static final int WRITES = kinds(Access.WRITE);
    private static final int FETCHES = kinds(Access.FETCH);

    private final Walker walker;
    private final TlbArray nested;
    private final StructureCaches structures;
    private int context;
    private boolean flags;

    /** hpa of the last translated address. */
    public long hpa;
    /** Combined R, W, X of its translation, as entries have them; W only if a write needs no dirty flag to be set. */
    public long rights;
    /** Size of its page as a power of two. */
    public int shift;

    /** Of the last refusal: why. */
    public ExitReason reason;
    /** Of the last refusal: the gpa that was refused. */
    public long refused;
    /** Of the last refusal: bits 5:0 and 8 of the exit qualification of an EPT violation; 0 for a misconfiguration. */
    public long qualification;

    /**
     * @param nested the nested TLB, or null
     * @param structures guest-physical paging-structure-cache entries
     */
    public EptStage(Format format, PhysicalMemory memory, CycleClock clock, TlbArray nested, StructureCaches structures) {
        this.nested = nested;
        this.structures = structures;
        walker = new Walker(format, memory, clock, EptStage::allowed, null, structures, null);
    }

    /** Sets the EPT pointer; {@code nestedContext} tags its guest-physical mappings. */
    public void load(long eptp, int nestedContext) {
        context = nestedContext;
        flags = (eptp & Ept.EPTP_FLAGS) != 0;
        walker.load(eptp, nestedContext, 0, flags, false);
    }

    /** Memory references to EPT entries so far. */
    public long references() {
        return walker.references;
    }

    /** The hpa of {@code gpa}, to which a linear address was translated, for an access of kind {@code access}; −1 if refused. */
    public long page(long gpa, int access) {
        int op = access & 3;
        return translate(gpa, op, 1L << op | EptViolation.FINAL_ACCESS);
    }

    /** True if the processor's own accesses to guest tables count as writes: accessed and dirty flags for EPT are on. */
    boolean countsAsWrite() {
        return flags;
    }

    /**
     * The hpa of {@code gpa}, where an entry of a guest table is; −1 if refused. With accessed and dirty flags for EPT the
     * access counts as a write (SDM vol. 3, "Accessed and Dirty Flags for EPT").
     */
    long entry(long gpa) {
        return flags
                ? translate(gpa, Access.WRITE, EptViolation.READ | EptViolation.WRITE)
                : translate(gpa, Access.READ, EptViolation.READ);
    }

    /**
     * The walker wants to set a flag in the guest entry at {@code gpa} whose translation has {@code had}, without W. Whether
     * bit 0 accompanies bit 1 for such a locked access is left to the implementation (footnote to SDM vol. 3, "Exit Qualification
     * for EPT Violations"); here it does.
     */
    void refuseUpdate(long gpa, long had) {
        violation(gpa, EptViolation.READ | EptViolation.WRITE, had);
    }

    /** Drops the guest-physical mappings that would be used for {@code gpa}. */
    public void drop(long gpa) {
        for (int s = 12; nested != null && s <= 30; s += 9) {
            int i = nested.find(PageTag.of(gpa, s), context);
            if (i >= 0) {
                nested.drop(i);
            }
        }
        structures.dropUsed(gpa, context);
    }

    private long translate(long gpa, int op, long cause) {
        for (int s = 12; nested != null && s <= 30; s += 9) {
            int i = nested.find(PageTag.of(gpa, s), context);
            if (i >= 0) {
                if ((nested.allowed[i] >>> op & 1) != 0) {
                    return found(nested.frame[i], nested.rights[i], s, gpa);
                }
                nested.drop(i);
            }
        }
        int result = walker.walk(gpa, op);
        if (result != Walker.DONE) {
            if (result == Walker.MALFORMED) {
                refuse(ExitReason.EPT_MISCONFIG, gpa, 0);
            } else {
                violation(gpa, cause, walker.rights);
            }
            return -1;
        }
        long now = walker.rights & (Ept.R | Ept.W | Ept.X);
        if (flags && (walker.rights & Ept.D) == 0) {
            now &= ~Ept.W;
        }
        if (nested != null) {
            nested.insert(PageTag.of(gpa, walker.shift), context, walker.page, now, allowed(now));
        }
        return found(walker.page, now, walker.shift, gpa);
    }

    private long found(long frame, long combined, int size, long gpa) {
        rights = combined;
        shift = size;
        hpa = frame | gpa & (1L << size) - 1;
        return hpa;
    }

    private void violation(long gpa, long cause, long had) {
        refuse(ExitReason.EPT_VIOLATION, gpa, cause | (had & (Ept.R | Ept.W | Ept.X)) << 3);
    }

    private void refuse(ExitReason why, long gpa, long bits) {
        reason = why;
        refused = gpa;
        qualification = bits;
    }

    /** The {@link Access} kinds that {@code rights} permit. */
    static int allowed(long rights) {
        return ((rights & Ept.R) != 0 ? READS : 0) | ((rights & Ept.W) != 0 ? WRITES : 0) | ((rights & Ept.X) != 0 ? FETCHES : 0);
    }

    private static int kinds(int operation) {
        return 0x1111 << operation;
    }
}
