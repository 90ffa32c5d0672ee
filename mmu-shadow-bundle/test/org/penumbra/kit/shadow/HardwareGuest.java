package org.penumbra.kit.shadow;

import static org.assertj.core.api.Assertions.assertThat;

import org.penumbra.api.clock.CostProfile;
import org.penumbra.api.cpu.GuestException;
import org.penumbra.api.cpu.Outcome;
import org.penumbra.api.cpu.Processor;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.api.mmu.ControlDemand;
import org.penumbra.api.mmu.Mmu;
import org.penumbra.api.mmu.MmuContext;
import org.penumbra.api.mmu.MmuFault;
import org.penumbra.api.mmu.Resolution;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.TranslationRoot;
import org.penumbra.api.vmx.ExitReason;
import org.penumbra.api.vmx.Vmcs;
import org.penumbra.api.vmx.VmxProcessor;
import org.penumbra.hardware.cpu.LogicalProcessorFactory;
import org.penumbra.hardware.profile.JsonCostProfiles;
import org.penumbra.shadow.ShadowMmuFactory;
import org.penumbra.testkit.fixture.FixtureHost;

/**
 * A guest under shadow paging on the simulated processor, driven access by access; and the same guest with the same tables on a
 * processor of its own, which says what is right.
 */
final class HardwareGuest {
    /** Frames that hold guest tables, and are copied for the native run. */
    static final long FIRST_TABLE = 16;
    static final long TABLES_END = 144;

    private static final LogicalProcessorFactory PROCESSORS = new LogicalProcessorFactory();
    /** A processor that has 5-level paging. */
    private static final CostProfile ICELAKE =
            new JsonCostProfiles().all().stream().filter(p -> p.name().equals("icelake-server")).findFirst().orElseThrow();
    private static final int MOST_EXITS = 12;

    final FixtureHost host;
    final Mmu mmu;
    PagingState state;
    /** As large as the guest, since a 4 MiB page is taken for a table once the guest clears CR4.PSE. */
    private final PhysicalMemory copy = new PhysicalMemory(16 << 20);
    private final RegisterFile registers = new RegisterFile();
    private final Vmcs vmcs = new Vmcs();
    private final VmxProcessor cpu;
    private final MmuContext context;
    private final ControlDemand demand;
    private boolean inGuest;

    HardwareGuest(FixtureHost host) {
        this.host = host;
        host.flushesTo(this::flushAll, this::flushPage);
        cpu = PROCESSORS.create(ICELAKE, host.memory(), registers, null, null);
        mmu = new ShadowMmuFactory().create(host);
        context = mmu.newContext(host);
        demand = mmu.controlDemand();
        vmcs.vpid = 1;
        vmcs.exceptionBitmap = 1 << GuestException.PF;
    }

    /** Takes the vCPU out of the guest, as an interrupt would. */
    void leave() {
        if (inGuest) {
            cpu.interruptLine().raise();
            assertThat(cpu.interrupted()).isEqualTo(Outcome.EXIT);
            inGuest = false;
        }
    }

    private void flushAll() {
        leave();
        cpu.invvpidContext(vmcs.vpid);
    }

    private void flushPage(long gva) {
        leave();
        cpu.invvpidAddress(vmcs.vpid, gva);
    }

    /** The guest loaded {@code next} into its registers. */
    void load(PagingState next) {
        leave();
        state = next;
        registers.paging = next;
        context.load(next, false);
    }

    /** The guest executed INVLPG. */
    void invlpg(long gva) {
        leave();
        context.invalidatePage(gva);
    }

    private void enter() {
        if (inGuest) {
            return;
        }
        vmcs.guestCr0 = state.cr0() | demand.forcedCr0();
        vmcs.guestCr4 = state.cr4() | demand.forcedCr4();
        vmcs.guestEfer = state.efer() | demand.forcedEfer();
        if (!state.has0(ControlBits.CR0_PG)) {
            vmcs.guestCr4 &= ~(ControlBits.CR4_SMEP | ControlBits.CR4_SMAP);
            vmcs.guestEfer &= ~ControlBits.EFER_LME;
        }
        vmcs.guestCr3 = ((TranslationRoot.OneDimensional) context.root()).cr3();
        cpu.vmEntry(vmcs);
        inGuest = true;
    }

    /** What an access came to: a gpa, a page fault's error code, or that the hypervisor has to do it. */
    record Result(long gpa, int errorCode, boolean emulated) {
        static Result fault(int errorCode) {
            return new Result(-1, errorCode, false);
        }

        Result withoutWay() {
            return new Result(gpa, errorCode, false);
        }
    }

    /** The guest accesses {@code gva}. */
    Result access(long gva, int access) {
        for (int exits = 0; exits < MOST_EXITS; exits++) {
            enter();
            long hpa = cpu.translate(gva, access);
            if (hpa >= 0) {
                return new Result(hpa - (FixtureHost.OFFSET << 12), 0, false);
            }
            assertThat(hpa).isEqualTo(Processor.EXIT);
            inGuest = false;
            assertThat(cpu.exit().reason).isEqualTo(ExitReason.EXCEPTION_NMI.number());
            MmuFault fault = new MmuFault();
            fault.gva = cpu.exit().qualification;
            fault.access = cpu.exit().access;
            fault.errorCode = cpu.exit().errorCode;
            Resolution resolution = context.resolve(fault);
            if (resolution == Resolution.INJECT) {
                return Result.fault(fault.errorCode);
            }
            if (resolution != Resolution.RETRY) {
                long gpa = context.gvaToGpa(state, gva, access, fault);
                return gpa == MmuContext.FAULT ? Result.fault(fault.errorCode) : new Result(gpa, 0, true);
            }
        }
        throw new AssertionError(String.format("no progress at 0x%x", gva));
    }

    /** What the same access comes to on a processor whose TLB is empty, walking a copy of the tables. */
    Result natively(long gva, int access) {
        for (long gpa = FIRST_TABLE << 12; gpa < TABLES_END << 12; gpa += 8) {
            copy.store64(gpa, host.guest64(gpa));
        }
        RegisterFile own = new RegisterFile();
        own.paging = state;
        Processor bare = PROCESSORS.create(ICELAKE, copy, own, null, null);
        long gpa = bare.translate(gva, access);
        return gpa >= 0 ? new Result(gpa, 0, false) : Result.fault(bare.exception().errorCode);
    }

    /** After an allowed access: the accessed and dirty bits of both runs agree. */
    void sameFlags() {
        for (long gpa = FIRST_TABLE << 12; gpa < TABLES_END << 12; gpa += 8) {
            if (copy.load64(gpa) != host.guest64(gpa)) {
                throw new AssertionError(String.format("entry at 0x%x is 0x%x, natively 0x%x", gpa, host.guest64(gpa), copy.load64(gpa)));
            }
        }
    }
}
