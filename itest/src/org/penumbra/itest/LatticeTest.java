package org.penumbra.itest;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Hashtable;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.osgi.framework.BundleContext;
import org.osgi.framework.ServiceRegistration;
import org.osgi.test.common.annotation.InjectBundleContext;
import org.osgi.test.common.annotation.InjectService;
import org.osgi.test.common.service.ServiceAware;
import org.penumbra.api.clock.CostProfile;
import org.penumbra.api.clock.CostProfiles;
import org.penumbra.api.machine.Machine;
import org.penumbra.api.machine.MachineConfig;
import org.penumbra.api.machine.MachineFactory;
import org.penumbra.api.mmu.MmuFactory;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.api.verify.VectorSelection;
import org.penumbra.api.verify.Verification;
import org.penumbra.api.verify.VerificationGuest;
import org.penumbra.api.verify.VerificationReport;

/** A part of the access lattice under every design in every paging mode; the whole of it is {@code penumbra verify lattice}. */
class LatticeTest {
    /** Holds every family but those of entries, in every mode. */
    private static final int BEGINNING = 37_000;

    @InjectBundleContext
    BundleContext context;

    @InjectService(filter = "(machine.kind=vmx)")
    MachineFactory vmx;

    @InjectService(filter = "(machine.kind=bare)")
    MachineFactory bare;

    @InjectService
    CostProfiles profiles;

    @InjectService(filter = "(mmu.name=*)")
    ServiceAware<MmuFactory> mmus;

    @InjectService(filter = "(verification.name=lattice)")
    Verification lattice;

    @ParameterizedTest(name = "{0}, host pages of level {1}")
    @DisplayName("T06 T07 T08 rights, error codes and flags are as specified, in every paging mode, bare and under every design")
    @CsvSource({"'', 1, 40000", "ept, 1, 30000", "ept, 2, 10000", "npt, 1, 20000", "npt, 2, 10000", "shadow, 1, 20000", "shadow, 2, 10000"})
    void agrees(String design, int hostLevel, int sample) {
        for (PagingMode mode : PagingMode.values()) {
            VectorSelection all = selection(design, mode);
            // The first vectors change registers under cached translations, a sample has entries of every kind.
            for (VectorSelection part : List.of(all.from(0, BEGINNING), all.sampled(sample, 1))) {
                VerificationReport report = run(design, hostLevel, part);
                assertThat(report.details()).as("%s under %s", mode.label(), design).isEmpty();
                assertThat(report.disagreements()).isZero();
                assertThat(report.run()).as("%s under %s: %s", mode.label(), design, report.skipped())
                        .isGreaterThan(Math.min(sample, report.vectors()) / 5);
            }
        }
    }

    @Test
    @DisplayName("T06 T07 nothing of the lattice is hidden from a guest on the bare machine")
    void nothingHidden() {
        VerificationReport report = run("", 1, selection("", PagingMode.FOUR_LEVEL).sampled(20_000, 2));
        assertThat(report.skipped().keySet()).isSubsetOf("the page is where no memory is");
    }

    @Test
    @DisplayName("T11 a design that forgets its flushes disagrees with the specification in the lattice")
    void forgetfulDesign() {
        Hashtable<String, Object> properties = new Hashtable<>();
        properties.put(MmuFactory.MMU_NAME, "forgetful");
        properties.put(MmuFactory.MMU_DIMENSIONS, 1);
        ServiceRegistration<MmuFactory> plugin =
                context.registerService(MmuFactory.class, new ForgetfulShadow(mmu("shadow")), properties);
        try {
            VerificationReport report = run("forgetful", 1, selection("shadow", PagingMode.FOUR_LEVEL).from(0, 10_000));
            assertThat(report.disagreements()).isPositive();
            assertThat(report.details().get(0).found()).contains("specification");
        } finally {
            plugin.unregister();
        }
    }

    private VectorSelection selection(String design, PagingMode mode) {
        VectorSelection all = VectorSelection.all(mode, (int) hardware(mode).figure("cpu.maxphyaddr"));
        return design.isEmpty() ? all : all.under(mmu(design)::objection);
    }

    private MmuFactory mmu(String name) {
        return mmus.getTracked().entrySet().stream().filter(e -> name.equals(e.getKey().getProperty(MmuFactory.MMU_NAME)))
                .map(Map.Entry::getValue).findFirst().orElseThrow();
    }

    /** Skylake has no 5-level paging. */
    private CostProfile hardware(PagingMode mode) {
        return Trial.hardware(profiles, mode);
    }

    private VerificationReport run(String design, int hostLevel, VectorSelection selection) {
        VerificationGuest guest = lattice.guest(selection);
        MachineConfig config = new MachineConfig(guest.memoryBytes(), hostLevel, hardware(selection.mode()), design, Map.of(), false, 1, false,
                guest.engine(), MachineConfig.WATCHDOG_MILLIS);
        try (Machine machine = (design.isEmpty() ? bare : vmx).create(config, guest)) {
            Trial.finish(machine);
        }
        return guest.report();
    }
}
