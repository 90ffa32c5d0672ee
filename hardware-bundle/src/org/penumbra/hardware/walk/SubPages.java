package org.penumbra.hardware.walk;

import org.penumbra.api.cpu.TlbArray;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.api.vmx.Vmcs;

/**
 * Which of the naturally aligned 128 bytes of a page may be written although its EPT PTE refuses writes: SDM vol. 3, "Sub-Page Write
 * Permissions". The sub-page permission table has four levels, which guest-physical address bits 47:39, 38:30, 29:21 and 20:12 index:
 *
 * <pre>
 *  levels 4 to 2   bit  0       valid; clear: an SPPT miss
 *                  M−1:12       address of the next table
 *                  others       reserved: an SPPT misconfiguration
 *  level 1         bit  2i      bytes from 128 i on may be written
 *                  bit  2i + 1  reserved
 * </pre>
 *
 * The vectors of level 1 are cached as guest-physical mappings are, and dropped with them. One thread.
 */
public final class SubPages {
    /** The write may be made. */
    static final int PERMITTED = 0;
    /** It may not: an EPT violation. */
    static final int DENIED = 1;
    /** The table has no vector for the page. A reason of {@link SecondStage}, beside those of {@link Walker}. */
    public static final int MISS = 16;
    /** A reserved bit is set on the way. A reason of {@link SecondStage}, too. */
    public static final int MISCONFIGURED = 17;
    /** In an EPT PTE: its page has sub-page permissions. */
    static final long SPP = 1L << 61;

    private static final int LEVELS = 4;
    private static final int WIDTH = 48;
    private static final long VALID = 1;
    private static final long ODD = 0xaaaa_aaaa_aaaa_aaaaL;

    private final PhysicalMemory memory;
    private final WalkMeter meter;
    private final TlbArray vectors;
    private final long address;
    private Vmcs vmcs;
    /** Memory references so far. */
    long references;

    /**
     * @param vectors where vectors are cached
     * @param maxPhysicalBits MAXPHYADDR
     */
    SubPages(PhysicalMemory memory, WalkMeter meter, TlbArray vectors, int maxPhysicalBits) {
        this.memory = memory;
        this.meter = meter;
        this.vectors = vectors;
        this.address = Format.bits(maxPhysicalBits - 1, 12);
    }

    /** Permits what the table of {@code now} permits; null for nothing. */
    public void use(Vmcs now) {
        vmcs = now != null && now.subPageWrites ? now : null;
    }

    boolean on() {
        return vmcs != null;
    }

    /** Whether a write to {@code gpa}, which is eligible, may be made: one of the four answers above. */
    int permission(long gpa, int context) {
        if (gpa >>> WIDTH != 0) {
            return DENIED;
        }
        int i = vectors.find(gpa >>> 12, context);
        long vector;
        if (i >= 0) {
            vector = vectors.rights(i);
        } else {
            long table = vmcs.spptp;
            for (int level = LEVELS; level > 1; level--) {
                long entry = read(table, gpa, level);
                if ((entry & VALID) == 0) {
                    return MISS;
                }
                if ((entry & ~address) != VALID) {
                    return MISCONFIGURED;
                }
                table = entry & address;
            }
            vector = read(table, gpa, 1);
            if ((vector & ODD) != 0) {
                return MISCONFIGURED;
            }
            vectors.insert(gpa >>> 12, context, 0, vector, 0);
        }
        return (vector >>> 2 * (gpa >>> 7 & 31) & 1) != 0 ? PERMITTED : DENIED;
    }

    private long read(long table, long gpa, int level) {
        long slot = table + (gpa >>> 3 + 9 * level & 511) * 8;
        references++;
        if (meter.seesEach()) {
            meter.readAt(slot);
        } else {
            meter.read(1);
        }
        return memory.load64(slot);
    }

    /** Drops what is cached for {@code gpa}. */
    void drop(long gpa, int context) {
        int i = vectors.isEmpty() ? -1 : vectors.find(gpa >>> 12, context);
        if (i >= 0) {
            vectors.drop(i);
        }
    }
}
