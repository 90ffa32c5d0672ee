package org.penumbra.itest;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import java.util.TreeSet;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.osgi.test.common.annotation.InjectService;
import org.penumbra.api.clock.CostProfiles;
import org.penumbra.api.experiment.Workload;
import org.penumbra.api.machine.Machine;
import org.penumbra.api.machine.MachineFactory;
import org.penumbra.api.machine.MemorySlots;
import org.penumbra.api.memory.MemorySlot;

/** User space changes the memory slots of a guest that runs, and the guest does what it does alone. */
class SlotsTest {
    private static final String[] DESIGNS = {"ept", "shadow", "npt"};
    private static final long MEMORY = 256L << 20;
    /** Where the slots that the guest's memory is cut into meet: no multiple of 2 MiB. */
    private static final long CUT = (5L << 20) + 0x3000;
    private static final long ALIAS = 1L << 32;

    @InjectService(filter = "(machine.kind=vmx)")
    MachineFactory vmx;

    @InjectService
    CostProfiles profiles;

    @InjectService(filter = "(workload.name=fork-heavy)")
    Workload forks;

    @ParameterizedTest(name = "{0} first, host pages level {1}, {2} vCPUs")
    @DisplayName("H01 slots cut, joined, aliased, moved, logged and deleted under a guest whose MMUs are swapped: every translation allowed, every write of a logged slot logged")
    @CsvSource({"shadow,1,1", "ept,2,1", "shadow,2,4"})
    void unnoticed(String first, int hostLevel, int vcpus) {
        Machine still = Trial.finish(Trial.machine(vmx, Trial.skylake(profiles), forks, first, hostLevel, vcpus));
        Machine machine = Trial.machine(vmx, Trial.skylake(profiles), forks, first, hostLevel, vcpus);
        MemorySlots slots = machine.memorySlots();
        TreeSet<Long> logged = new TreeSet<>();
        long frames = 0;
        int rounds = 0;
        while (machine.run(3_000)) {
            switch (rounds++ % 6) {
                case 0:
                    slots.set(0, 0, 0, 0, 0);
                    slots.set(0, MemorySlot.LOG_DIRTY_PAGES, 0, CUT, 0);
                    slots.set(1, 0, CUT, MEMORY - CUT, CUT);
                    slots.set(2, 0, ALIAS + 0x1000, 4 << 20, 1 << 20);
                    break;
                case 1:
                    // A slot that logs begins with every frame clean; what was written since is in its log, and nothing else.
                    machine.checker().takeWritten(gfn -> { });
                    slots.harvest(0, gfn -> { });
                    break;
                case 2:
                    TreeSet<Long> written = new TreeSet<>();
                    machine.checker().takeWritten(written::add);
                    logged.clear();
                    slots.harvest(0, logged::add);
                    assertThat(logged).isEqualTo(written.headSet(CUT >>> 12));
                    frames += logged.size();
                    slots.set(2, 0, 3 * ALIAS, 4 << 20, 1 << 20);
                    break;
                case 3:
                    slots.set(0, 0, 0, CUT, 0);
                    slots.set(1, MemorySlot.LOG_DIRTY_PAGES, CUT, MEMORY - CUT, CUT);
                    machine.hotSwap().swap(DESIGNS[rounds / 6 % DESIGNS.length], Map.of());
                    break;
                case 4:
                    slots.set(2, 0, 0, 0, 0);
                    slots.set(1, 0, 0, 0, 0);
                    slots.set(0, 0, 0, 0, 0);
                    slots.set(0, 0, 0, MEMORY, 0);
                    break;
                default:
                    machine.hotSwap().audit(problem -> assertThat(problem).isNull());
            }
        }
        assertThat(frames).as("written frames in all harvests").isPositive();
        assertThat(slots.generation()).isGreaterThan(rounds);
        assertThat(machine.hotSwap().misconduct()).isEmpty();
        assertThat(machine.checker().complaints()).isEmpty();
        assertThat(machine.checker().wrong()).isZero();
        assertThat(machine.operations()).isEqualTo(still.operations());
        assertThat(machine.guestDigest()).isEqualTo(still.guestDigest());
        for (MemorySlot slot : slots.all()) {
            if (slot.baseGfn() << 12 >= MEMORY) {
                slots.set(slot.id(), 0, 0, 0, 0);
            }
        }
        assertThat(machine.memoryDigest()).isEqualTo(still.memoryDigest());
        machine.close();
        still.close();
    }
}
