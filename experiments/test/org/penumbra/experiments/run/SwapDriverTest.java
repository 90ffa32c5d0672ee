package org.penumbra.experiments.run;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.experiments.run.SwapFigures.Dirty;
import org.penumbra.experiments.run.SwapFigures.HostEvents;

@DisplayName("A trial of swaps")
class SwapDriverTest {
    private final FakeContainer container = new FakeContainer();
    private final FakeMachine.Behaviour behaviour = container.behaviour("shadow");
    private final Requests request = new Requests().experiment("hot-swap").workloads("fork-heavy").vcpus(1).every(500_000);

    private CampaignResult result;

    private SwapFigures swaps() {
        result = request.run(container);
        assertThat(result.failures()).isEmpty();
        assertThat(container.open).isZero();
        return result.finished().get(1).swaps();
    }

    private List<String> asked(String what) {
        return behaviour.asked.stream().filter(a -> a.startsWith(what)).toList();
    }

    @Test
    @DisplayName("P01 swaps go from each design to the next, with the settings that a person chose, every so many operations")
    void alternates() {
        request.set("ept.large-pages", "off");
        swaps();
        assertThat(asked("swap to")).containsExactly("swap to ept {ept.large-pages=off} at 500000", "swap to shadow {} at 1000000",
                "swap to ept {ept.large-pages=off} at 1500000", "swap to shadow {} at 2000000");
    }

    @Test
    @DisplayName("P01 three designs take turns")
    void threeDesigns() {
        container.mmu("agile");
        request.designs("shadow", "agile", "ept");
        swaps();
        assertThat(asked("swap to")).extracting(a -> a.split(" ")[2]).containsExactly("agile", "ept", "shadow", "agile");
    }

    @Test
    @DisplayName("P01 the first swap can wait until the guest has touched its memory")
    void after() {
        request.after(1_200_000);
        swaps();
        assertThat(asked("swap to")).extracting(a -> a.replaceAll(".* at ", "")).containsExactly("1200000", "1700000", "2200000");
    }

    @Test
    @DisplayName("P01 swaps, their simulated cycles and frames are those that the machine reports")
    void figures() {
        SwapFigures s = swaps();
        assertThat(s.swaps()).isEqualTo(4);
        assertThat(s.cycles()).isEqualTo(10_000);
        assertThat(s.medianCycles()).isEqualTo(2000);
        assertThat(s.medianCyclesTo()).isEqualTo(Map.of("shadow", 2000L, "ept", 1000L));
        assertThat(s.droppedFrames()).isEqualTo(1 + 2 + 3 + 4);
        assertThat(s.rebuiltFrames()).isEqualTo(2 + 3 + 4 + 5);
        assertThat(s.drainedFrames()).isEqualTo(4);
        assertThat(s.plugins()).containsExactlyInAnyOrder("shadow (org.penumbra.shadow 1.2.3)", "ept (org.penumbra.ept 1.2.3)");
        assertThat(result.timings().get(1).pauseNanos()).containsExactly(10L, 20L, 30L, 40L);
        assertThat(result.timings().get(0).pauseNanos()).isEmpty();
    }

    @Test
    @DisplayName("P01 the guest that is left alone stops and is harvested as often, and is neither swapped nor touched by the host")
    void undisturbed() {
        request.hostEvents();
        swaps();
        List<String> all = List.copyOf(behaviour.asked);
        List<String> alone = all.subList(0, all.indexOf("log off") + 1);
        assertThat(alone).containsExactly("log on", "harvest at 1500000", "harvest at 2500000", "log off");
        assertThat(all.subList(alone.size(), all.size())).contains("harvest at 1500000", "harvest at 2500000")
                .anyMatch(a -> a.startsWith("swap out"));
        assertThat(result.finished().get(0).swaps().swaps()).isZero();
        assertThat(result.finished().get(0).swaps().hostEvents()).isEqualTo(HostEvents.NONE);
    }

    @Test
    @DisplayName("P01 each harvest is compared with the frames that were written since the one before")
    void dirty() {
        // Stops 1 to 3: two frames over and over and three anew; stops 4 and 5: the two again and two anew.
        assertThat(swaps().dirty()).isEqualTo(new Dirty(2, 5 + 4, 5 + 4, 0, 0));
    }

    @Test
    @DisplayName("P01 a frame that a swap forgets is missed, one that nobody wrote is extra")
    void missedAndExtra() {
        behaviour.swapForgetsDirty = true;
        behaviour.extraDirty = 7;
        Dirty dirty = swaps().dirty();
        assertThat(dirty.missed()).isPositive();
        assertThat(dirty.extra()).isEqualTo(2 * 7);
        assertThat(dirty.frames()).isEqualTo(dirty.recorded() - dirty.missed() + dirty.extra());
        assertThat(Agreement.violations(result.finished())).singleElement().asString()
                .isEqualTo("fork-heavy under shadow+ept: the dirty log missed " + dirty.missed() + " of " + dirty.recorded() + " written frames");
    }

    @Test
    @DisplayName("P01 an unchecked run harvests and has nothing to compare with")
    void unchecked() {
        request.unchecked();
        behaviour.swapForgetsDirty = true;
        Dirty dirty = swaps().dirty();
        assertThat(dirty.frames()).isPositive();
        assertThat(dirty.recorded() + dirty.missed() + dirty.extra()).isZero();
    }

    @Test
    @DisplayName("P01 host events strike frames that the guest uses, the same ones for the same seed, and only those that took place count")
    void hostEvents() {
        request.hostEvents();
        SwapFigures s = swaps();
        List<String> events = behaviour.asked.stream().filter(a -> a.matches("(swap out|migrate|merge|collapse|split|age) .*")).toList();
        assertThat(events).isNotEmpty().allMatch(a -> a.matches("(swap out|migrate|merge|collapse|split|age)( (8|9|1[6-9]|2[0-9]))+"));
        assertThat(s.hostEvents().swappedOut()).isEqualTo(events.stream().filter(a -> a.matches("swap out .*[02468]")).count());
        assertThat(s.hostEvents().migrated()).isEqualTo(events.stream().filter(a -> a.matches("migrate .*[13579]")).count());
        assertThat(s.hostEvents().collapsed()).isPositive().isEqualTo(asked("collapse").size());
        assertThat(s.hostEvents().split()).isPositive().isEqualTo(asked("split").size());
        assertThat(s.hostEvents().young()).isPositive().isEqualTo(asked("age").size());
        assertThat(s.hostEvents().merged()).isPositive().isLessThan(asked("merge").size());
        FakeContainer other = new FakeContainer();
        request.run(other);
        assertThat(other.behaviour("shadow").asked).isEqualTo(behaviour.asked);
    }

    @Test
    @DisplayName("P01 misconduct and broken invariants are told once, and are violations")
    void violations() {
        behaviour.audit = List.of("root 0x5000 is no table", "lease of 3 frames is not empty");
        behaviour.misconduct = List.of("shadow (x 1): late write");
        assertThat(swaps().violations()).containsExactly("root 0x5000 is no table", "lease of 3 frames is not empty", "shadow (x 1): late write");
        assertThat(Agreement.violations(result.finished())).contains("fork-heavy under shadow+ept: root 0x5000 is no table");
    }

    @Test
    @DisplayName("P01 a guest that loses operations or leaves another memory is no equal of the one left alone")
    void disagreement() {
        behaviour.lostBySwap = 2;
        behaviour.memoryChangedBySwap = 1;
        swaps();
        assertThat(Agreement.violations(result.finished())).hasSize(2)
                .anyMatch(v -> v.contains("2499992 operations") && v.contains("under shadow+ept, but 2500000 operations"))
                .contains("the guest of fork-heavy (seed 1) left another memory behind under shadow+ept than under shadow");
    }

    @Test
    @DisplayName("P01 guests on different numbers of vCPUs are not compared with one another")
    void vcpus() {
        request.vcpus(1, 2);
        container.behaviour("shadow").perVcpu = 100;
        swaps();
        assertThat(result.finished()).extracting(TrialResult::operations).containsExactly(2_500_100L, 2_500_100L, 2_500_200L, 2_500_200L);
        assertThat(Agreement.violations(result.finished())).isEmpty();
    }

    @Test
    @DisplayName("P01 an interrupt between two swaps ends the trial and closes the machine")
    void interrupt() {
        boolean[] stop = new boolean[1];
        behaviour.atBatch = () -> stop[0] = asked("swap to").size() == 2;
        result = new Campaign(container.registry, request.plan(container)).run(new CampaignListener() {}, () -> stop[0]);
        assertThat(result.interrupted()).isTrue();
        assertThat(result.finished()).hasSize(1);
        assertThat(asked("swap to")).hasSize(3);
        assertThat(container.open).isZero();
    }
}
