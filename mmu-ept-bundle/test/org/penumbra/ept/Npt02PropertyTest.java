package org.penumbra.ept;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Label;
import net.jqwik.api.Property;
import org.penumbra.api.paging.NestedPageFault;
import org.penumbra.testkit.fixture.FixtureHost;
import org.penumbra.testkit.reference.AccessRights;

/** NPT02 against the specification: what L2 reaches is what NPT12 says, once L1 has done what it must. */
class Npt02PropertyTest extends NestedNptFixture {
    private static final long[] BASES = {0, 0x40_0000_0000L, 0x40_0020_0000L, 0x7f_ffe0_0000L};
    private static final long[] BITS = {0, P, P | W, P | U, P | U | NX, P | W | U, P | W | U, P | W | U | NX, W | U};
    private static final long FRAMES = 4096;

    private Random random;

    @Property(tries = 40)
    @Label("N04 N05 after any entries, flushes and host events, in any order, an access of L2 ends as NPT12 says")
    void asNpt12Says(@ForAll long seed) {
        random = new Random(seed);
        host = new FixtureHost(factory(), 1 + random.nextInt(2)).with("npt.levels", random.nextBoolean() ? "4" : "5");
        start(4 + random.nextInt(2), random.nextInt(4) != 0);
        for (int n = 0; n < 300; n++) {
            edit();
            if (random.nextInt(4) == 0) {
                long gfn = random.nextInt(1024);
                host.hostEvent();
                mmu.hostRangeChanged(gfn, 1, host.clock());
            }
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

    private long address() {
        return BASES[random.nextInt(BASES.length)] + ((long) random.nextInt(4) << 12);
    }

    /** An entry of any level, mostly of the lowest two, gets any rights, now and then a reserved bit. */
    private void edit() {
        long gpa = address();
        int level = random.nextInt(6) == 0 ? 3 : 1 + random.nextInt(2);
        for (int above = 3; ept12.entryAt(gpa, level) < 0 && above > level; above--) {
            long at = ept12.entryAt(gpa, above);
            if (at >= 0) {
                store(at, 0);
            }
        }
        long reserved = random.nextInt(20) == 0 ? 1L << 48 : 0;
        long gfn = level == 1 ? random.nextInt(1024) : level == 2 ? 512L * random.nextInt(3) : 0;
        ept12.map(gpa, gfn, level, BITS[random.nextInt(BITS.length)] | reserved);
    }

    private void check(long gpa, int access) {
        long reached = access(gpa, access);
        // What it set in NPT12 changes nothing about the outcome.
        int code = specified(tables12, gpa, access, this::guest);
        if (code == AccessRights.ALLOWED) {
            assertThat(reached).as("0x%x, access %d", gpa, access).isEqualTo(steps.gpa >>> 12 < FRAMES ? hpa(steps.gpa) : DEVICE);
            assertThat(steps.flagsSet(access == WRITE)).as("flags for 0x%x, access %d", gpa, access).isTrue();
            return;
        }
        assertThat(reached).as("0x%x, access %d: NPT12 refuses", gpa, access).isEqualTo(-1);
        assertThat(fault.qualification).as("0x%x, access %d", gpa, access).isEqualTo(code | NestedPageFault.FINAL_ADDRESS);
    }

    private long guest(long gpa) {
        return gpa >>> 12 < FRAMES ? host.guest64(gpa) : -1;
    }
}
