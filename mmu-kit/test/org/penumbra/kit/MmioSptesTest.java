package org.penumbra.kit;

import static org.assertj.core.api.Assertions.assertThat;

import net.jqwik.api.ForAll;
import net.jqwik.api.Label;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.LongRange;
import org.penumbra.api.memory.GuestMemory;

class MmioSptesTest {
    private static final long RESERVED = 1L << 51;

    private static MmioSptes of(int bits) {
        return new MmioSptes(1 | RESERVED, 1 | RESERVED, 6, bits);
    }

    @Property
    @Label("S13 an MMIO spte gives back its gfn and rights, whatever the width of addresses")
    void roundTrip(@ForAll @IntRange(min = 36, max = 51) int bits, @ForAll long anyGfn, @ForAll @IntRange(max = 3) int rights,
            @ForAll @LongRange(min = 0, max = 1L << 40) long generation) {
        long gfn = anyGfn & (1L << bits - 12) - 1;
        long spte = of(bits).make(gfn, rights << 1, generation);
        assertThat(of(bits).is(spte)).isTrue();
        assertThat(of(bits).gfn(spte)).isEqualTo(gfn);
        assertThat(of(bits).rights(spte)).isEqualTo(rights << 1);
    }

    @Property
    @Label("S13 an MMIO spte is current under its own generation, and under no other of the 2^19 that it can tell apart, nor while slots change")
    void generations(@ForAll @LongRange(min = 0, max = 1L << 40) long generation, @ForAll @LongRange(min = 1, max = (1L << 19) - 1) long steps) {
        long spte = of(46).make(0xfee00, 6, generation);
        assertThat(of(46).current(spte, generation)).isTrue();
        assertThat(of(46).current(spte, generation + steps)).isFalse();
        assertThat(of(46).current(spte, generation | GuestMemory.UPDATING)).isFalse();
        assertThat(of(46).current(spte, generation + (1L << 19))).as("this is why all of them go when it wraps around").isTrue();
    }

    @Property
    @Label("S24 the address in an MMIO spte has the top 5 physical address bits set: no cacheable memory is there")
    void leadsNowhere(@ForAll @IntRange(min = 36, max = 46) int bits, @ForAll long anyGfn) {
        long spte = of(bits).make(anyGfn & (1L << bits - 12) - 1, 6, 3);
        assertThat(spte >>> bits - 5 & 31).isEqualTo(31);
        assertThat(of(bits).leadsNowhere(spte)).isTrue();
        assertThat(of(bits).leadsNowhere(spte & ~(1L << bits - 1))).isFalse();
    }
}
