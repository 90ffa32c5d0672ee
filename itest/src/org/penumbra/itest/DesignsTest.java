package org.penumbra.itest;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.osgi.test.common.annotation.InjectService;
import org.osgi.test.common.service.ServiceAware;
import org.penumbra.api.clock.CostProfiles;
import org.penumbra.api.experiment.Workload;
import org.penumbra.api.machine.Machine;
import org.penumbra.api.machine.MachineFactory;
import org.penumbra.api.observe.TranslationChecker;
import org.penumbra.api.vmx.ExitReason;

/** Whole guests under every design, each translation compared with the specification. */
class DesignsTest {
    private static final Map<String, ExitReason> USUAL_EXIT = Map.of(
            "shadow", ExitReason.EXCEPTION_NMI, "ept", ExitReason.EPT_VIOLATION, "npt", ExitReason.NPF);

    @InjectService(filter = "(machine.kind=vmx)")
    MachineFactory vmx;

    @InjectService(filter = "(machine.kind=bare)")
    MachineFactory bare;

    @InjectService
    CostProfiles profiles;

    @InjectService(filter = "(workload.name=*)")
    ServiceAware<Workload> workloads;

    @ParameterizedTest(name = "{0}")
    @DisplayName("X12 a guest runs alike without a hypervisor, under shadow paging, EPT and NPT, and every translation is allowed")
    @ValueSource(strings = {"fork-heavy", "many-processes", "mmap-churn", "page-ageing", "trace:sqlite"})
    void sameGuest(String name) {
        Workload workload = Trial.workload(workloads, name);
        Machine natively = Trial.finish(Trial.machine(bare, Trial.skylake(profiles), workload, ""));
        assertAllowed(natively);
        for (String design : USUAL_EXIT.keySet()) {
            for (int hostLevel = 1; hostLevel <= 2; hostLevel++) {
                Machine virtual = Trial.finish(Trial.machine(vmx, Trial.skylake(profiles), workload, design, hostLevel));
                assertAllowed(virtual);
                assertThat(virtual.operations()).as("operations under %s", design).isEqualTo(natively.operations());
                assertThat(virtual.guestDigest()).as("digest under %s", design).isEqualTo(natively.guestDigest());
                assertThat(virtual.exitCode()).isZero();
                assertThat(virtual.exits().rows()).anyMatch(row -> row.reason() == USUAL_EXIT.get(design));
                virtual.close();
            }
        }
        natively.close();
    }

    @ParameterizedTest(name = "{0}")
    @DisplayName("S08 translations that an aged page leaves behind are used, stale and legal, under every design")
    @ValueSource(strings = {"shadow", "ept", "npt"})
    void staleAndLegal(String design) {
        Machine machine = Trial.finish(Trial.machine(vmx, Trial.skylake(profiles), Trial.workload(workloads, "page-ageing"), design));
        assertAllowed(machine);
        assertThat(machine.checker().stale()).isPositive();
        machine.close();
    }

    private static void assertAllowed(Machine machine) {
        TranslationChecker checker = machine.checker();
        assertThat(checker.complaints()).isEmpty();
        assertThat(checker.wrong()).isZero();
        assertThat(checker.compared()).isGreaterThan(machine.operations() / 4);
    }
}
