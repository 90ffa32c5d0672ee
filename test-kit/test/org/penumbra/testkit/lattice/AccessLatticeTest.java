package org.penumbra.testkit.lattice;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.penumbra.api.cpu.ExecutionEngine;
import org.penumbra.api.cpu.MemoryPort;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.guest.GuestState;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.api.verify.VectorSelection;
import org.penumbra.api.verify.VerificationGuest;
import org.penumbra.api.verify.VerificationReport;
import org.penumbra.testkit.lattice.FaultyProcessor.Fault;
import org.penumbra.testkit.script.ScriptEngineFactory;

/** The lattice itself: it agrees with a processor that keeps the rules, and finds out one that does not. */
class AccessLatticeTest {
    private static final int SAMPLE = 20_000;
    /** Holds every family but those of entries, in 4-level paging. */
    private static final int BEGINNING = 37_000;
    private final AccessLattice lattice = new AccessLattice();

    @ParameterizedTest(name = "{0}")
    @EnumSource(PagingMode.class)
    @DisplayName("T06 T07 T08 a processor that does what the specification says agrees in every vector")
    void agrees(PagingMode mode) {
        VerificationReport report = run(Fault.NONE, all(mode).sampled(SAMPLE, 1));
        assertThat(report.details()).isEmpty();
        assertThat(report.disagreements()).isZero();
        assertThat(report.run()).isGreaterThan(Math.min(report.vectors(), SAMPLE) * 9 / 10);
        assertThat(report.skipped().keySet()).isSubsetOf("the page is where no memory is");
    }

    @ParameterizedTest(name = "{0}")
    @EnumSource(value = Fault.class, mode = EnumSource.Mode.EXCLUDE, names = {"NONE", "READS_PDPTES_FROM_MEMORY", "LOADS_RESERVED_PDPTES"})
    @DisplayName("T06 T07 T08 a processor that breaks one rule is found out in 4-level paging")
    void found(Fault fault) {
        // The first vectors change registers under cached translations, a sample has entries of every kind.
        VerificationReport first = run(fault, all(PagingMode.FOUR_LEVEL).from(0, BEGINNING));
        VerificationReport report = run(fault, all(PagingMode.FOUR_LEVEL).sampled(SAMPLE / 2, 1));
        assertThat(first.disagreements() + report.disagreements()).isPositive();
    }

    @ParameterizedTest(name = "{0}")
    @EnumSource(names = {"READS_PDPTES_FROM_MEMORY", "LOADS_RESERVED_PDPTES", "IGNORES_WP", "FORGETS_DIRTY", "FORGETS_INVLPG"})
    @DisplayName("T03 a processor that breaks one rule is found out in PAE paging")
    void foundInPae(Fault fault) {
        VectorSelection pae = all(PagingMode.PAE);
        // The PDPTEs' vectors are among the first.
        VectorSelection part = fault.name().contains("PDPTES") ? pae.from(0, SAMPLE) : pae.sampled(SAMPLE, 1);
        assertThat(run(fault, part).disagreements()).isPositive();
        assertThat(run(Fault.NONE, part).disagreements()).isZero();
    }

    @ParameterizedTest(name = "{0}")
    @EnumSource(names = {"FORGETS_DIRTY", "FORGETS_ACCESSED_ABOVE", "IGNORES_SMEP", "CLOBBERS_NEIGHBOUR"})
    @DisplayName("T02 a processor that breaks one rule is found out in 32-bit paging")
    void foundIn32Bit(Fault fault) {
        assertThat(run(fault, all(PagingMode.BITS_32).sampled(SAMPLE, 1)).disagreements()).isPositive();
    }

    @Test
    @DisplayName("a vector that disagreed disagrees again when it is run alone")
    void reproducible() {
        VerificationReport report = run(Fault.IGNORES_SMAP, all(PagingMode.FOUR_LEVEL).sampled(SAMPLE, 1));
        VerificationReport.Disagreement first = report.details().get(0);
        VerificationReport alone = run(Fault.IGNORES_SMAP, all(PagingMode.FOUR_LEVEL).from(first.vector(), 1));
        assertThat(alone.run()).isEqualTo(1);
        assertThat(alone.details()).containsExactly(first);
        assertThat(first.situation()).contains("SMAP 1");
        assertThat(first.found()).contains("no fault; specification: #PF 0x");
    }

    @Test
    @DisplayName("vectors that an MMU cannot run are skipped and counted, with its reason")
    void objections() {
        VectorSelection selection = all(PagingMode.BITS_32)
                .under(state -> state.has0(ControlBits.CR0_WP) ? "" : "wants WP");
        VerificationReport report = run(Fault.NONE, selection);
        assertThat(report.skipped().get("wants WP")).isEqualTo(report.vectors() / 2);
        long elsewhere = report.skipped().get("the page is where no memory is");
        assertThat(report.run()).isEqualTo(report.vectors() / 2 - elsewhere);
        assertThat(report.disagreements()).isZero();
    }

    @Test
    @DisplayName("4-level and 5-level paging have more than 10 million vectors")
    void sizes() {
        assertThat(lattice.vectors(PagingMode.FOUR_LEVEL, 46)).isGreaterThan(10_000_000);
        assertThat(lattice.vectors(PagingMode.FIVE_LEVEL, 52)).isGreaterThan(10_000_000);
    }

    @Test
    @DisplayName("equal seeds choose equal vectors, and a number beyond the last is refused")
    void selections() {
        assertThat(run(Fault.FORGETS_DIRTY, all(PagingMode.PAE).sampled(2_000, 5)))
                .isEqualTo(run(Fault.FORGETS_DIRTY, all(PagingMode.PAE).sampled(2_000, 5)));
        assertThatThrownBy(() -> lattice.guest(all(PagingMode.NONE).from(1L << 40, 1)))
                .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("numbered from 0");
    }

    private static VectorSelection all(PagingMode mode) {
        return VectorSelection.all(mode, FaultyProcessor.MAXPHYADDR);
    }

    private VerificationReport run(Fault fault, VectorSelection selection) {
        VerificationGuest guest = lattice.guest(selection);
        PhysicalMemory memory = new PhysicalMemory(guest.memoryBytes());
        FaultyProcessor cpu = new FaultyProcessor(fault, memory);
        GuestState state = guest.boot(memory::store64, new RegisterFile[] {cpu.registers()}, memory.bytes())[0];
        ExecutionEngine engine = new ScriptEngineFactory().create(state);
        engine.attach(cpu, new MemoryPort(cpu, 0), 0);
        while (engine.run(100_000) == ExecutionEngine.Stop.BUDGET) {
            // Until the last vector.
        }
        return guest.report();
    }
}
