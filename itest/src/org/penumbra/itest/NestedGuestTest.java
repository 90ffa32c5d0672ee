package org.penumbra.itest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.osgi.test.common.annotation.InjectService;
import org.osgi.test.common.service.ServiceAware;
import org.penumbra.api.clock.CostProfiles;
import org.penumbra.api.experiment.Workload;
import org.penumbra.api.guest.GuestState;
import org.penumbra.api.machine.GuestBoot;
import org.penumbra.api.machine.Machine;
import org.penumbra.api.machine.MachineConfig;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.machine.MachineFactory;
import org.penumbra.api.paging.PagingMode;

/** A whole guest under a hypervisor that is a guest itself. */
class NestedGuestTest {
    private static final long MEMORY = 256 << 20;
    /** Operations between two swaps. */
    private static final long EVERY = 800;
    /** What the guest hypervisor keeps for itself of so much memory. */
    private static final long INNER = MEMORY - (9 << 20) & -(2 << 20);

    @InjectService(filter = "(machine.kind=vmx)")
    MachineFactory vmx;

    @InjectService
    CostProfiles profiles;

    @InjectService(filter = "(workload.name=*)")
    ServiceAware<Workload> workloads;

    private GuestState booted;

    private GuestBoot guest(String workload, PagingMode mode) {
        GuestBoot boot = Trial.workload(workloads, workload).prepare(1, mode);
        return (loader, registers, bytes) -> {
            GuestState[] states = boot.boot(loader, registers, bytes);
            booted = states[0];
            return states;
        };
    }

    /** The design by which L0 gives the hypervisor of {@code workload} the extension that it needs. */
    private static String designOf(String workload) {
        return workload.startsWith("nested-npt") || workload.startsWith("nested-svm") ? "npt" : "ept";
    }

    private MachineConfig config(String design, int hostLevel, long memory, PagingMode mode) {
        return config(design, hostLevel, memory, mode, true);
    }

    private MachineConfig config(String design, int hostLevel, long memory, PagingMode mode, boolean check) {
        return new MachineConfig(memory, hostLevel, Trial.hardware(profiles, mode), design, Map.of(), check);
    }

    private static void checked(Machine machine) {
        assertThat(machine.checker().complaints()).isEmpty();
        assertThat(machine.checker().compared()).isGreaterThan(machine.operations() / 4);
    }

    private long digestOfInner() {
        return booted.guests.values().iterator().next().digest;
    }

    private long digest(String workload, PagingMode mode) {
        try (Machine machine = vmx.create(config("ept", 1, INNER, mode), guest(workload, mode))) {
            Trial.finish(machine);
        }
        return booted.digest;
    }

    @ParameterizedTest(name = "{0}, {1}")
    @CsvSource({
        "nested-ept, BITS_32", "nested-ept, PAE", "nested-ept, FOUR_LEVEL", "nested-ept, FIVE_LEVEL", "nested-ept-log, FOUR_LEVEL",
        "nested-npt, BITS_32", "nested-npt, PAE", "nested-npt, FOUR_LEVEL", "nested-npt, FIVE_LEVEL", "nested-npt-2m, FOUR_LEVEL"
    })
    @DisplayName("N03 N04 N06 N07 a guest's guest on EPT or nested tables of its hypervisor loads what it loads under no more than one hypervisor, and on EPT tables every translation is allowed, in each paging mode")
    void sameAsAlone(String kind, PagingMode mode) {
        try (Machine machine = vmx.create(config(designOf(kind), 1, MEMORY, mode, kind.startsWith("nested-ept")), guest(kind + ":fork-heavy", mode))) {
            Trial.finish(machine);
            List<String> violations = new ArrayList<>();
            machine.hotSwap().audit(violations::add);
            assertThat(violations).isEmpty();
            assertThat(machine.counters().get("nested_exits")).isGreaterThan(1000);
            if (machine.checker() != null) {
                checked(machine);
            }
        }
        assertThat(digestOfInner()).isEqualTo(digest("fork-heavy", mode));
    }

    @ParameterizedTest(name = "L0 with {0}")
    @CsvSource({"shadow, nested-shadow", "ept, nested-shadow", "npt, nested-svm-shadow"})
    @DisplayName("N01 N02 N04 N07 a guest's guest on shadow tables of its hypervisor loads what it loads alone, and every translation is allowed")
    void shadowed(String design, String kind) {
        try (Machine machine = vmx.create(config(design, 1, MEMORY, PagingMode.FOUR_LEVEL), guest(kind + ":fork-heavy", PagingMode.FOUR_LEVEL))) {
            Trial.finish(machine);
            List<String> violations = new ArrayList<>();
            machine.hotSwap().audit(violations::add);
            assertThat(violations).isEmpty();
            checked(machine);
        }
        assertThat(digestOfInner()).isEqualTo(digest("fork-heavy", PagingMode.FOUR_LEVEL));
    }

    @Test
    @DisplayName("E05 N01 N02 P01 L2 on shadow tables of its hypervisor does not notice thousands of swaps between shadow paging and EPT below it")
    void replacedBelowShadows() {
        try (Machine machine = vmx.create(config("ept", 2, MEMORY, PagingMode.FOUR_LEVEL), guest("nested-shadow:fork-heavy", PagingMode.FOUR_LEVEL))) {
            int swaps = 0;
            while (machine.run(EVERY)) {
                machine.hotSwap().swap(swaps++ % 2 == 0 ? "shadow" : "ept", Map.of());
            }
            assertThat(swaps).isGreaterThan(2_000);
            assertThat(machine.hotSwap().misconduct()).isEmpty();
            checked(machine);
        }
        assertThat(digestOfInner()).isEqualTo(digest("fork-heavy", PagingMode.FOUR_LEVEL));
    }

    @ParameterizedTest(name = "{0}")
    @ValueSource(strings = {"nested-ept:fork-heavy", "nested-ept-log:fork-heavy", "nested-ept-2m:fork-heavy"})
    @DisplayName("E05 N03 N06 P01 L2 on EPT tables of its hypervisor does not notice that the MMU below is replaced thousands of times while it runs")
    void replaced(String workload) {
        try (Machine machine = vmx.create(config("ept", 2, MEMORY, PagingMode.FOUR_LEVEL), guest(workload, PagingMode.FOUR_LEVEL))) {
            int swaps = 0;
            while (machine.run(EVERY)) {
                machine.hotSwap().swap("ept", Map.of("ept.accessed-dirty", swaps % 2 == 0 ? "off" : "on", "ept.large-pages", swaps % 3 == 0 ? "off" : "on"));
                swaps++;
            }
            assertThat(swaps).isGreaterThan(2_000);
            assertThat(machine.hotSwap().misconduct()).isEmpty();
            checked(machine);
        }
        assertThat(digestOfInner()).isEqualTo(digest("fork-heavy", PagingMode.FOUR_LEVEL));
    }

    @ParameterizedTest(name = "{0} to {1} with {2}")
    @CsvSource({"nested-shadow:fork-heavy, npt, large-pages=on", "nested-ept:fork-heavy, npt, large-pages=on",
        "nested-shadow:fork-heavy, shadow, deprivileged=on"})
    @DisplayName("N07 P01 while L1 is in VMX operation a design under which a guest has no VMX is refused, and the guest goes on")
    void refusedWithoutVmx(String workload, String design, String setting) {
        String[] s = setting.split("=");
        try (Machine machine = vmx.create(config("ept", 1, MEMORY, PagingMode.FOUR_LEVEL), guest(workload, PagingMode.FOUR_LEVEL))) {
            machine.run(100_000);
            assertThatThrownBy(() -> machine.hotSwap().swap(design, Map.of(design + "." + s[0], s[1])))
                    .isInstanceOf(MachineException.class).hasMessageMatching(".*(no VMX|no nested paging).*");
            Trial.finish(machine);
            checked(machine);
        }
        assertThat(digestOfInner()).isEqualTo(digest("fork-heavy", PagingMode.FOUR_LEVEL));
    }

    @ParameterizedTest(name = "{0}")
    @ValueSource(strings = {"nested-npt:fork-heavy", "nested-npt-2m:fork-heavy", "nested-svm-shadow:fork-heavy"})
    @DisplayName("N04 L2 under SVM does not notice that NPT under its hypervisor is replaced while it runs, nor another design be refused")
    void replacedUnderSvm(String workload) {
        try (Machine machine = vmx.create(config("npt", 2, MEMORY, PagingMode.FOUR_LEVEL, false), guest(workload, PagingMode.FOUR_LEVEL))) {
            int swaps = 0;
            while (machine.run(20_000)) {
                machine.hotSwap().swap("npt", Map.of("npt.large-pages", swaps++ % 2 == 0 ? "off" : "on"));
                assertThatThrownBy(() -> machine.hotSwap().swap("ept", Map.of()))
                        .isInstanceOf(MachineException.class).hasMessageContaining("SVM enabled");
                if (swaps % 8 == 0) {
                    List<String> violations = new ArrayList<>();
                    machine.hotSwap().audit(violations::add);
                    assertThat(violations).as("audit while L2 runs").isEmpty();
                }
            }
            assertThat(swaps).isGreaterThan(20);
        }
        assertThat(digestOfInner()).isEqualTo(digest("fork-heavy", PagingMode.FOUR_LEVEL));
    }

    @Test
    @DisplayName("N03 while L2 runs on EPT tables of its hypervisor a design without nested paging is refused, and the guest goes on")
    void refused() {
        try (Machine machine = vmx.create(config("ept", 1, MEMORY, PagingMode.FOUR_LEVEL), guest("nested-ept:fork-heavy", PagingMode.FOUR_LEVEL))) {
            machine.run(100_000);
            List<String> violations = new ArrayList<>();
            machine.hotSwap().audit(violations::add);
            assertThat(violations).as("audit while L2 runs").isEmpty();
            assertThatThrownBy(() -> machine.hotSwap().swap("shadow", Map.of()))
                    .isInstanceOf(MachineException.class).hasMessageContaining("nested paging");
            Trial.finish(machine);
        }
        assertThat(digestOfInner()).isEqualTo(digest("fork-heavy", PagingMode.FOUR_LEVEL));
    }
}
