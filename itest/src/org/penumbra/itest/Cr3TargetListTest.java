package org.penumbra.itest;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.osgi.test.common.annotation.InjectService;
import org.osgi.test.common.service.ServiceAware;
import org.penumbra.api.clock.CostProfiles;
import org.penumbra.api.experiment.Workload;
import org.penumbra.api.machine.Machine;
import org.penumbra.api.machine.MachineConfig;
import org.penumbra.api.machine.MachineFactory;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.api.vmx.ExitReason;

/** A paravirtual guest that loads shadow roots by itself, each translation compared with the specification. */
class Cr3TargetListTest {
    private static final long MEMORY = 256 << 20;
    private static final Map<String, String> ON = Map.of("shadow.cr3-target-list", "on");

    @InjectService(filter = "(machine.kind=vmx)")
    MachineFactory vmx;

    @InjectService
    CostProfiles profiles;

    @InjectService(filter = "(workload.name=*)")
    ServiceAware<Workload> workloads;

    private Machine machine(String name, int vcpus, Map<String, String> settings) {
        MachineConfig config = new MachineConfig(MEMORY, 1, Trial.skylake(profiles), "shadow", settings, true).withVcpus(vcpus, false);
        return vmx.create(config, Trial.workload(workloads, name).prepare(1, PagingMode.FOUR_LEVEL));
    }

    private static long crAccesses(Machine machine) {
        return machine.exits().rows().stream().filter(r -> r.reason() == ExitReason.CR_ACCESS).mapToLong(r -> r.samples()).sum();
    }

    private static void assertAllowed(Machine machine) {
        assertThat(machine.checker().complaints()).isEmpty();
        assertThat(machine.checker().compared()).isGreaterThan(machine.operations() / 4);
    }

    @ParameterizedTest(name = "{0} on {1} vCPUs")
    @DisplayName("S21 a guest that loads its shadow roots by itself runs as before, hardly exits for CR3, and each translation is allowed")
    @CsvSource({"cr3-slots-2, 1", "cr3-slots-4, 1", "cr3-slots-4, 2"})
    void loadsRoots(String name, int vcpus) {
        Machine without = Trial.finish(machine(name, vcpus, Map.of()));
        Machine with = Trial.finish(machine(name, vcpus, ON));
        assertAllowed(with);
        assertThat(with.operations()).isEqualTo(without.operations());
        assertThat(with.guestDigest()).isEqualTo(without.guestDigest());
        assertThat(with.memoryDigest()).isEqualTo(without.memoryDigest());
        assertThat(crAccesses(with)).isLessThan(crAccesses(without) / 20);
        with.close();
        without.close();
    }

    @ParameterizedTest(name = "on {0} vCPUs")
    @DisplayName("S21 P01 a swap takes the roots of the MMU that goes out of the guest's slots")
    @CsvSource({"1", "2"})
    void swapped(int vcpus) {
        Machine still = Trial.finish(machine("cr3-slots-4", vcpus, Map.of()));
        Machine machine = machine("cr3-slots-4", vcpus, ON);
        int swaps = 0;
        while (machine.run(7_000)) {
            boolean away = swaps++ % 2 == 0;
            machine.hotSwap().swap(away ? swaps % 4 == 1 ? "ept" : "npt" : "shadow", away ? Map.of() : ON);
            machine.hotSwap().audit(problem -> assertThat(problem).isNull());
        }
        assertThat(swaps).isGreaterThan(50);
        assertThat(machine.hotSwap().misconduct()).isEmpty();
        assertAllowed(machine);
        assertThat(machine.operations()).isEqualTo(still.operations());
        assertThat(machine.guestDigest()).isEqualTo(still.guestDigest());
        assertThat(machine.memoryDigest()).isEqualTo(still.memoryDigest());
        machine.close();
        still.close();
    }
}
