package org.penumbra.ept;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Label;
import net.jqwik.api.Property;
import org.penumbra.testkit.fixture.FixtureHost;
import org.penumbra.testkit.reference.EptWalk;

/** EPT02 against the specification: what L2 reaches is what EPT12 says, once L1 has done what it must. */
class Ept02PropertyTest extends NestedFixture {
    private static final long[] BASES = {0, 0x40_0000_0000L, 0x40_0020_0000L, 0x7f_ffe0_0000L};
    private static final long[] BITS = {0, 1, 3, 4, 5, 7, 2, 6, 7, 7, 7};

    private static final long FRAMES = 4096;

    private Random random;
    private final EptWalk spec = new EptWalk();

    @Property(tries = 40)
    @Label("N03 N05 N06 after any entries, INVEPTs and host events, in any order, an access of L2 ends as EPT12 says")
    void asEpt12Says(@ForAll long seed) {
        random = new Random(seed);
        host = new FixtureHost(new EptMmuFactory(), 1 + random.nextInt(2));
        boolean flags = random.nextBoolean();
        start(4 + random.nextInt(2), flags);
        for (int n = 0; n < 300; n++) {
            edit();
            if (random.nextInt(4) == 0) {
                long gfn = random.nextInt(1024);
                host.hostEvent();
                mmu.hostRangeChanged(gfn, 1, host.clock());
            }
            if (random.nextInt(8) == 0) {
                l2.enter(named(random.nextBoolean() ? eptp12 : ept12.eptp(!flags)));
                l2.enter(named(eptp12));
            }
            l2.invalidateTables(random.nextBoolean(), named(eptp12));
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

    private long address() {
        return BASES[random.nextInt(BASES.length)] + ((long) random.nextInt(4) << 12);
    }

    /** An entry of any level, mostly of the lowest two, gets any rights, any type, now and then a reserved bit. */
    private void edit() {
        long gpa = address();
        int level = random.nextInt(6) == 0 ? 3 : 1 + random.nextInt(2);
        if (ept12.entryAt(gpa, level) < 0) {
            for (int above = 3; above > level; above--) {
                long at = ept12.entryAt(gpa, above);
                if (at >= 0) {
                    store(at, 0);
                }
            }
        }
        long types = random.nextInt(10) == 0 ? (long) random.nextInt(8) << 3 : Ept12Tables.WB;
        long reserved = random.nextInt(20) == 0 ? 1L << 48 : 0;
        long gfn = level == 1 ? random.nextInt(1024) : level == 2 ? 512L * random.nextInt(3) : 0;
        ept12.map(gpa, gfn, level, BITS[random.nextInt(BITS.length)] | types | reserved);
    }

    private void check(long gpa, int access) {
        long before = access(gpa, access);
        // What it set in EPT12 changes nothing about the outcome.
        reference.walk(eptp12, gpa, access, true, this::guest, spec);
        if (spec.allowed()) {
            assertThat(before).as("0x%x, access %d", gpa, access).isEqualTo(spec.hpa >>> 12 < FRAMES ? hpa(spec.hpa) : DEVICE);
            flagged(access);
            return;
        }
        assertThat(before).as("0x%x, access %d: EPT12 refuses", gpa, access).isEqualTo(-1);
        assertThat(fault.misconfigured).isEqualTo(spec.outcome == EptWalk.Outcome.MISCONFIGURATION);
        if (!fault.misconfigured) {
            assertThat(fault.qualification & 0x3f).as("0x%x, access %d", gpa, access).isEqualTo(spec.qualification);
        }
    }

    private long guest(long gpa) {
        return gpa >>> 12 < FRAMES ? host.guest64(gpa) : -1;
    }

    /** With flags, every entry that was used is accessed, and of a write the last one dirty. */
    private void flagged(int access) {
        for (int level = spec.top; level >= spec.level; level--) {
            assertThat(guest(spec.entryHpa(level))).as("level %d", level).isEqualTo(spec.entryAfter(level, access == WRITE));
        }
    }
}
