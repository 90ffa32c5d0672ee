package org.penumbra.ept;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.function.LongUnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.penumbra.api.mmu.Mmu;
import org.penumbra.api.mmu.MmuContext;
import org.penumbra.api.mmu.MmuFactory;
import org.penumbra.api.mmu.MmuFault;
import org.penumbra.api.mmu.NestedContext;
import org.penumbra.api.mmu.NestedPaging;
import org.penumbra.api.mmu.Resolution;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.EptViolation;
import org.penumbra.api.paging.NestedPageFault;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.TranslationRoot;
import org.penumbra.testkit.fixture.FixtureHost;
import org.penumbra.testkit.reference.AccessRights;
import org.penumbra.testkit.reference.EptWalk;
import org.penumbra.testkit.reference.EptWalker;
import org.penumbra.testkit.reference.NptWalker;
import org.penumbra.testkit.reference.Walk;

/**
 * A guest hypervisor (L1) with tables of its own for its guest (L2), in the format of the design under it: EPT12 and EPT02, or NPT12 and NPT02
 * (APM vol. 2, "Nested Paging"). What the processor would find for L2 is read from EPT02 or NPT02.
 */
abstract class NestedFixture {
    static final int READ = EptViolation.READ;
    static final int WRITE = EptViolation.WRITE;
    static final int FETCH = EptViolation.FETCH;
    /** Answer of {@link #access}: L1 has no memory there. */
    static final long DEVICE = -2;
    private static final long FIRST_TABLE = 2048;
    private static final int MAXPHYADDR = 46;

    final TdpFormat format;
    final EptWalker reference = new EptWalker(MAXPHYADDR, true, false);
    /** Where a walk has led, in either format; the entries it has used are in {@link #steps} with nested tables. */
    final EptWalk walk = new EptWalk();
    final Walk steps = new Walk();
    FixtureHost host;
    Mmu mmu;
    MmuContext l1;
    NestedContext l2;
    Ept12Tables ept12;
    /** The EPTP that L1 has given L2; 0 with nested tables. */
    long eptp12;
    /** What {@link #l2} runs on. */
    TranslationRoot tables12;
    /** The fault that was last served. */
    MmuFault fault;
    /** How a processor tells of the last access that was refused. */
    long told;
    /** Stores of L1 that were emulated. */
    int emulated;

    NestedFixture(TdpFormat format) {
        this.format = format;
        host = new FixtureHost(factory(), 2);
    }

    /** The design under L1. */
    final MmuFactory factory() {
        return format == TdpFormat.NPT ? new NptMmuFactory() : new EptMmuFactory();
    }

    /** L1 with empty tables of {@code levels}. EPT: with accessed and dirty flags if {@code option}; NPT: {@code option} is L1's EFER.NXE. */
    final void start(int levels, boolean option) {
        mmu = factory().create(host);
        l1 = mmu.newContext(host);
        l1.load(PagingState.longMode(0x1000), false);
        l1.root();
        l2 = ((NestedPaging) mmu).newNestedContext(host);
        ept12 = new Ept12Tables(FIRST_TABLE, levels, host::guest64, this::store);
        if (format == TdpFormat.NPT) {
            enter(new TranslationRoot.Nested(ept12.root(), levels, option));
        } else {
            eptp12 = ept12.eptp(option);
            enter(named(eptp12));
        }
    }

    void enter(TranslationRoot tables) {
        tables12 = tables;
        l2.enter(tables);
        l2.root();
    }

    @AfterEach
    void invariantsHold() {
        List<String> violations = new ArrayList<>();
        mmu.audit(host.clock(), violations::add);
        assertThat(violations).isEmpty();
    }

    /** L1 stores {@code value} at {@code gpa}, as its processor does by the tables that L1 runs on. */
    void store(long gpa, long value) {
        for (int attempt = 0; attempt < 4; attempt++) {
            if (reach(l1.root(), gpa, WRITE)) {
                host.memory().store64(walk.hpa, value);
                return;
            }
            MmuFault violation = new MmuFault();
            violation.gpa = gpa;
            violation.qualification = told;
            if (l1.resolve(violation) == Resolution.EMULATE) {
                host.guest64(gpa, value);
                mmu.guestTableWritten(gpa, 8, host.clock());
                emulated++;
                return;
            }
        }
        throw new AssertionError(String.format("L1 cannot store at 0x%x", gpa));
    }

    /** The tables that {@code eptp} names. */
    static TranslationRoot named(long eptp) {
        return new TranslationRoot.TwoDimensional(eptp);
    }

    static long eptp(TranslationRoot root) {
        return ((TranslationRoot.TwoDimensional) root).eptp();
    }

    /** The processor's walk of EPT02 or NPT02 for {@code access} of L2 to {@code gpa}; true if it is allowed. */
    boolean walk(long gpa, int access) {
        return reach(l2.root(), gpa, access);
    }

    /** The processor's walk from {@code root}, true if it is allowed; {@link #walk} has where it leads, {@link #told} how a refusal is told. */
    private boolean reach(TranslationRoot root, long gpa, int access) {
        if (format == TdpFormat.NPT) {
            int code = specified(root, gpa, access, host.memory()::load64);
            walk.hpa = steps.gpa;
            walk.level = steps.level;
            told = code | NestedPageFault.FINAL_ADDRESS;
            assertThat(code == AccessRights.ALLOWED || (code & NestedPageFault.RESERVED) == 0).as("what L0 has made is well-formed").isTrue();
            return code == AccessRights.ALLOWED;
        }
        reference.walk(eptp(root), gpa, access, true, host.memory()::load64, walk);
        assertThat(walk.outcome).as("what L0 has made is well-formed").isNotEqualTo(EptWalk.Outcome.MISCONFIGURATION);
        told = walk.qualification | EptViolation.LINEAR_VALID | EptViolation.FINAL_ACCESS;
        return walk.allowed();
    }

    /** Bits 4:0 of EXITINFO1 for {@code access} to {@code gpa} by nested {@code tables} in {@code memory}, or ALLOWED. */
    int specified(TranslationRoot tables, long gpa, int access, LongUnaryOperator memory) {
        TranslationRoot.Nested npt = (TranslationRoot.Nested) tables;
        long cr4 = ControlBits.CR4_PAE | (npt.levels() == 5 ? ControlBits.CR4_LA57 : 0);
        long efer = ControlBits.EFER_LMA | ControlBits.EFER_LME | (npt.noExecute() ? ControlBits.EFER_NXE : 0);
        int operation = access == WRITE ? Access.WRITE : access == FETCH ? Access.FETCH : Access.READ;
        return new NptWalker(MAXPHYADDR, npt.nCr3(), cr4, efer).walk(gpa, operation, memory, steps);
    }

    /**
     * L2 accesses {@code gpa}: the hpa that it reaches, {@link #DEVICE}, or −1 if L1 is to be told, in {@link #fault}. Violations that concern L0 alone are
     * served meanwhile.
     */
    long access(long gpa, int access) {
        for (int attempt = 0; attempt < 4; attempt++) {
            if (walk(gpa, access)) {
                return walk.hpa;
            }
            fault = new MmuFault();
            fault.gpa = gpa;
            fault.qualification = told;
            Resolution resolution = l2.resolve(fault);
            if (resolution == Resolution.INJECT) {
                assertThat(fault.nested).isTrue();
                return -1;
            }
            if (resolution == Resolution.MMIO) {
                return DEVICE;
            }
            assertThat(resolution).isEqualTo(Resolution.RETRY);
        }
        throw new AssertionError(String.format("no end of violations at 0x%x", gpa));
    }

    /** hpa of {@code gpa} of L1. */
    static long hpa(long gpa) {
        return gpa + (FixtureHost.OFFSET << 12);
    }
}
