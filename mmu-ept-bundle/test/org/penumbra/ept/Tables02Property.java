package org.penumbra.ept;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** Edits of L1's tables, invalidations and host events in any order, in either format. */
abstract class Tables02Property extends NestedFixture {
    /** Frames that L1 has. */
    static final long FRAMES = 4096;
    private static final long[] BASES = {0, 0x40_0000_0000L, 0x40_0020_0000L, 0x7f_ffe0_0000L};
    private static final int ROUNDS = 300;

    Random random;

    Tables02Property(TdpFormat format) {
        super(format);
    }

    /** Any bits of an entry of L1's that maps a page, now and then reserved ones. */
    abstract long anyBits();

    /** L2's {@code access} to {@code gpa} ends as L1's tables say. */
    abstract void check(long gpa, int access);

    /** What else L1 may do before it invalidates. */
    void between() {}

    final void rounds() {
        for (int n = 0; n < ROUNDS; n++) {
            edit();
            if (random.nextInt(4) == 0) {
                long gfn = random.nextInt(1024);
                host.hostEvent();
                mmu.hostRangeChanged(gfn, 1, host.clock());
            }
            between();
            l2.invalidateTables(random.nextBoolean(), tables12);
            for (int i = 0; i < 6; i++) {
                check(address(), 1 << random.nextInt(3));
            }
            if (n % 20 == 0) {
                List<String> violations = new ArrayList<>();
                mmu.audit(host.clock(), violations::add);
                assertThat(violations).as("after round %d", n).isEmpty();
            }
        }
    }

    /** What L1 has at {@code gpa}, −1 where it has no memory. */
    final long guest(long gpa) {
        return gpa >>> 12 < FRAMES ? host.guest64(gpa) : -1;
    }

    private long address() {
        return BASES[random.nextInt(BASES.length)] + ((long) random.nextInt(4) << 12);
    }

    /** An entry of any level, mostly of the lowest two, gets any bits. */
    private void edit() {
        long gpa = address();
        int level = random.nextInt(6) == 0 ? 3 : 1 + random.nextInt(2);
        for (int above = 3; ept12.entryAt(gpa, level) < 0 && above > level; above--) {
            long at = ept12.entryAt(gpa, above);
            if (at >= 0) {
                store(at, 0);
            }
        }
        long gfn = level == 1 ? random.nextInt(1024) : level == 2 ? 512L * random.nextInt(3) : 0;
        ept12.map(gpa, gfn, level, anyBits());
    }
}
