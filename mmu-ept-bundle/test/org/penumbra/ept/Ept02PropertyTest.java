package org.penumbra.ept;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Label;
import net.jqwik.api.Property;
import org.penumbra.testkit.fixture.FixtureHost;
import org.penumbra.testkit.reference.EptWalk;

/** EPT02 against the specification: what L2 reaches is what EPT12 says, once L1 has done what it must. */
class Ept02PropertyTest extends Tables02Property {
    private static final long[] BITS = {0, 1, 3, 4, 5, 7, 2, 6, 7, 7, 7};

    private boolean flags;
    private final EptWalk spec = new EptWalk();

    Ept02PropertyTest() {
        super(TdpFormat.EPT);
    }

    @Property(tries = 40)
    @Label("N03 N05 N06 after any entries, INVEPTs and host events, in any order, an access of L2 ends as EPT12 says")
    void asEpt12Says(@ForAll long seed) {
        random = new Random(seed);
        host = new FixtureHost(factory(), 1 + random.nextInt(2));
        flags = random.nextBoolean();
        start(4 + random.nextInt(2), flags);
        rounds();
    }

    @Override
    void between() {
        if (random.nextInt(8) == 0) {
            l2.enter(random.nextBoolean() ? tables12 : named(ept12.eptp(!flags)));
            l2.enter(tables12);
        }
    }

    @Override
    long anyBits() {
        long types = random.nextInt(10) == 0 ? (long) random.nextInt(8) << 3 : Ept12Tables.WB;
        long reserved = random.nextInt(20) == 0 ? 1L << 48 : 0;
        return BITS[random.nextInt(BITS.length)] | types | reserved;
    }

    @Override
    void check(long gpa, int access) {
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

    /** With flags, every entry that was used is accessed, and of a write the last one dirty. */
    private void flagged(int access) {
        for (int level = spec.top; level >= spec.level; level--) {
            assertThat(guest(spec.entryHpa(level))).as("level %d", level).isEqualTo(spec.entryAfter(level, access == WRITE));
        }
    }
}
