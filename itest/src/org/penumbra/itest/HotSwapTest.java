package org.penumbra.itest;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import java.util.TreeSet;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.osgi.test.common.annotation.InjectService;
import org.osgi.test.common.service.ServiceAware;
import org.penumbra.api.clock.CostProfile;
import org.penumbra.api.clock.CostProfiles;
import org.penumbra.api.experiment.Workload;
import org.penumbra.api.machine.Machine;
import org.penumbra.api.machine.MachineFactory;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.api.vmx.ExitReason;

/** MMUs replaced under a guest that must not notice. */
class HotSwapTest {
    private static final String[] DESIGNS = {"ept", "shadow", "npt"};

    @InjectService(filter = "(machine.kind=vmx)")
    MachineFactory vmx;

    @InjectService
    CostProfiles profiles;

    @InjectService(filter = "(workload.name=*)")
    ServiceAware<Workload> workloads;

    @ParameterizedTest(name = "{4}: {0} on {2} vCPUs, every {1} operations, host pages of level {3}")
    @DisplayName("P01 T01 T02 T03 T04 T05 MMUs replaced under a guest: no translation wrong, no access lost or repeated, no dirty frame missed, equal memory")
    @CsvSource({
        "fork-heavy, 5000, 1, 1, FOUR_LEVEL", "fork-heavy, 5000, 1, 2, FOUR_LEVEL", "mmap-churn, 3000, 1, 1, FOUR_LEVEL",
        "trace:sqlite, 10000, 1, 1, FOUR_LEVEL", "fork-heavy, 20000, 4, 1, FOUR_LEVEL",
        "trace:sqlite, 20000, 1, 1, NONE", "fork-heavy, 20000, 1, 2, BITS_32", "fork-heavy, 20000, 2, 1, PAE",
        "fork-heavy, 20000, 1, 1, FIVE_LEVEL"
    })
    void unnoticed(String name, long every, int vcpus, int hostLevel, PagingMode mode) {
        CostProfile hardware = Trial.hardware(profiles, mode);
        Workload workload = Trial.workload(workloads, name);
        Machine still = Trial.finish(Trial.machine(vmx, hardware, workload, "shadow", hostLevel, vcpus, mode));
        Machine machine = Trial.machine(vmx, hardware, workload, "shadow", hostLevel, vcpus, mode);
        machine.dirtyLog().start();
        TreeSet<Long> logged = new TreeSet<>();
        TreeSet<Long> written = new TreeSet<>();
        int swaps = 0;
        while (machine.run(every)) {
            machine.hotSwap().swap(DESIGNS[swaps++ % DESIGNS.length], Map.of());
            if (swaps % 3 == 0) {
                compareDirty(machine, logged, written);
                machine.hotSwap().audit(problem -> assertThat(problem).isNull());
            }
        }
        compareDirty(machine, logged, written);
        assertThat(swaps).isGreaterThan(50);
        assertThat(machine.exits().rows()).as("each swap gets the processor out of the guest once, if it is in it")
                .anyMatch(row -> row.reason() == ExitReason.EXTERNAL_INTERRUPT);
        assertThat(machine.hotSwap().misconduct()).isEmpty();
        assertThat(machine.checker().complaints()).isEmpty();
        assertThat(machine.checker().wrong()).isZero();
        assertThat(machine.checker().compared()).isGreaterThan(machine.operations() / 4);
        assertThat(machine.operations()).isEqualTo(still.operations());
        assertThat(machine.guestDigest()).isEqualTo(still.guestDigest());
        assertThat(machine.memoryDigest()).isEqualTo(still.memoryDigest());
        machine.close();
        still.close();
    }

    private static void compareDirty(Machine machine, TreeSet<Long> logged, TreeSet<Long> written) {
        logged.clear();
        written.clear();
        machine.dirtyLog().harvest(logged::add);
        machine.checker().takeWritten(written::add);
        assertThat(logged).isEqualTo(written);
    }
}
