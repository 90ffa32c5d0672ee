package org.penumbra.vmx;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import net.jqwik.api.ForAll;
import net.jqwik.api.Label;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.paging.TranslationRoot;

/** Hostile guests under real designs and real hardware, while the host works on their memory and their slots change. */
class IsolationPropertyTest {
    @Property(tries = 40)
    @Label("H04 whatever a guest's tables say, processor and emulator touch only what slots give, under each design, while pages and slots change")
    void guests(@ForAll long seed, @ForAll @IntRange(min = 1, max = 2) int pageLevel) {
        IsolationRig run = new IsolationRig(seed, pageLevel, 400);
        while (run.machine.run(5)) {
            run.disturb();
        }
        assertThat(run.watch.complaints).isEmpty();
        assertThat(run.watch.compared()).as("translations used").isPositive();
        assertThat(run.machine.hotSwap().misconduct()).isEmpty();
        for (long hva = IsolationRig.SECRET; hva < IsolationRig.SECRET + IsolationRig.SECRET_BYTES; hva += 8) {
            assertThat(run.rig.memory.physical().load64(run.reach.hpa(hva))).as("what no slot gives").isEqualTo(IsolationRig.secret(hva));
        }
        assertThat(run.audit()).isEmpty();
        run.machine.close();
        assertThat(run.machine.hotSwap().misconduct()).isEmpty();
    }

    @Property(tries = 60)
    @Label("H04 an entry that leads to a frame of the process, or of another lease, is found by the audit, wherever it stands")
    void foreignEntries(@ForAll long seed, @ForAll @IntRange(min = 1, max = 2) int pageLevel) {
        IsolationRig run = new IsolationRig(seed, pageLevel, 400);
        run.machine.run(1 + run.random.nextInt(100));
        assertThat(run.audit()).isEmpty();
        TranslationRoot root = run.machine.vcpus[0].mmu().root();
        String design = run.machine.hotSwap().design();
        List<Long> entries = new ArrayList<>();
        run.collect(root.register() & 0x000f_ffff_ffff_f000L, 4, design.equals("ept") ? 7 : 1, entries);
        if (entries.isEmpty()) {
            return;
        }
        long at = entries.get(run.random.nextInt(entries.size()));
        long before = run.rig.memory.physical().load64(at);
        long foreign = run.random.nextBoolean()
                ? run.reach.hpa(IsolationRig.SECRET + (run.random.nextLong(64) << 12))
                : run.rig.memory.newLease().allocate(new CycleClock(Rig.SKYLAKE));
        run.rig.memory.physical().store64(at, before & ~0x000f_ffff_ffff_f000L | foreign);
        assertThat(run.audit()).as("isolation at entry 0x%x at 0x%x leads to 0x%x", before, at, foreign).isNotEmpty();
        run.machine.hotSwap().swap(design.equals("shadow") ? "ept" : "shadow", Map.of());
        assertThat(run.machine.hotSwap().misconduct()).isNotEmpty().first().asString().contains(design, "let the guest out");
        run.machine.close();
    }
}
