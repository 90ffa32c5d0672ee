package org.penumbra.hardware.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Label;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.penumbra.api.cpu.Processor;

/**
 * A processor with caches answers as one without, as long as software invalidates each change. Both have their own memory and
 * their own copy of the tables; flags included, the tables are equal in the end.
 */
class CacheTransparencyTest {
    private static final long BASE = 0x40_0000_0000L;
    private static final int PAGES = 6;

    /** @param kind 0 to 7: access; 8: edit the entry and INVLPG; 9: MOV to CR3 */
    record Step(int kind, int page, long frame, long bits) {}

    @Provide
    Arbitrary<List<Step>> steps() {
        Arbitrary<Long> bits = Arbitraries.of(0L, Rig.P, Rig.P | Rig.U, Rig.P | Rig.W, Rig.P | Rig.W | Rig.U, Rig.P | Rig.U | Rig.XD,
                Rig.P | Rig.W | Rig.U | Rig.G, Rig.P | 1L << 45);
        Arbitrary<Long> frames = Arbitraries.longs().between(1, 8).map(n -> n << 12);
        return Combinators.combine(Arbitraries.integers().between(0, 9), Arbitraries.integers().between(0, PAGES - 1), frames, bits)
                .as(Step::new)
                .list()
                .ofMinSize(5)
                .ofMaxSize(60);
    }

    @Label("T11 a processor with caches answers as one without while every change is invalidated")
    @Property(tries = 300)
    void sameAnswers(@ForAll("steps") List<Step> steps, @ForAll boolean ept, @ForAll boolean functional) {
        TestProfile profile = new TestProfile().array("tlb.data.small", 2, 1).array("tlb.second-level", 4, 2);
        Rig cached = new Rig(functional ? profile.functional() : profile);
        Rig plain = new Rig(TestProfile.bare());
        long root = prepare(cached, ept);
        prepare(plain, ept);
        for (Step s : steps) {
            long gva = BASE + (s.page / 2) * 0x20_0000L + (s.page % 2) * 0x1000L;
            if (s.kind < 8) {
                int access = new int[] {Rig.SR, Rig.SW, Rig.SF, Rig.UR, Rig.UW, Rig.UF, Rig.AR, Rig.AW}[s.kind];
                plain.cpu.movToCr4(plain.registers.paging.cr4() ^ 1 << 7);
                plain.cpu.movToCr4(plain.registers.paging.cr4() ^ 1 << 7);
                long expected = plain.use(gva, access);
                assertThat(cached.use(gva, access)).isEqualTo(expected);
                if (expected == Processor.FAULT) {
                    assertThat(cached.cpu.exception().errorCode).isEqualTo(plain.cpu.exception().errorCode);
                }
            } else if (s.kind == 8) {
                for (Rig rig : new Rig[] {cached, plain}) {
                    rig.map(root, gva, s.frame, s.bits);
                    rig.cpu.invlpg(gva);
                }
            } else {
                cached.cpu.movToCr3(root);
                plain.cpu.movToCr3(root);
            }
        }
        for (long a = 0x10_0000; a < 0x14_0000; a += 8) {
            assertThat(cached.memory.load64(a)).isEqualTo(plain.memory.load64(a));
        }
    }

    private static long prepare(Rig rig, boolean ept) {
        long root = rig.longMode();
        rig.cr4(1 << 7);
        for (int i = 0; i < PAGES; i++) {
            rig.map(root, BASE + (i / 2) * 0x20_0000L + (i % 2) * 0x1000L, 0x5000, Rig.P | Rig.W | Rig.U);
        }
        if (ept) {
            rig.eptIdentity(rig.ept(1 << 6), 4 << 20, 1);
            rig.vmcs.vpid = 1;
            rig.enter();
        }
        return root;
    }
}
