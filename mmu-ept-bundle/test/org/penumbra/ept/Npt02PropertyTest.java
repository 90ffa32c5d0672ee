package org.penumbra.ept;

import static org.assertj.core.api.Assertions.assertThat;
import static org.penumbra.ept.Npt12Bits.*;

import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Label;
import net.jqwik.api.Property;
import org.penumbra.api.paging.NestedPageFault;
import org.penumbra.testkit.fixture.FixtureHost;
import org.penumbra.testkit.reference.AccessRights;

/** NPT02 against the specification: what L2 reaches is what NPT12 says, once L1 has done what it must. */
class Npt02PropertyTest extends Tables02Property {
    private static final long[] BITS = {0, P, P | W, P | U, P | U | NX, P | W | U, P | W | U, P | W | U | NX, W | U};

    Npt02PropertyTest() {
        super(TdpFormat.NPT);
    }

    @Property(tries = 40)
    @Label("N04 N05 after any entries, flushes and host events, in any order, an access of L2 ends as NPT12 says")
    void asNpt12Says(@ForAll long seed) {
        random = new Random(seed);
        host = new FixtureHost(factory(), 1 + random.nextInt(2)).with("npt.levels", random.nextBoolean() ? "4" : "5");
        start(4 + random.nextInt(2), random.nextInt(4) != 0);
        rounds();
    }

    @Override
    long anyBits() {
        long reserved = random.nextInt(20) == 0 ? 1L << 48 : 0;
        return BITS[random.nextInt(BITS.length)] | reserved;
    }

    @Override
    void check(long gpa, int access) {
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
}
