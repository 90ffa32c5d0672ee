package org.penumbra.itest;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import org.osgi.test.common.annotation.InjectService;
import org.penumbra.api.clock.CostProfile;
import org.penumbra.api.clock.CostProfiles;
import org.penumbra.api.cpu.Msr;
import org.penumbra.api.guest.StepBuffer;
import org.penumbra.api.machine.Machine;
import org.penumbra.api.machine.MachineConfig;
import org.penumbra.api.machine.MachineFactory;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.svm.SvmIntercepts;
import org.penumbra.api.svm.VmcbField;
import org.penumbra.api.vmx.ExitReason;

/** A guest that is a hypervisor by SVM (L1), for the tests of what it sees; one machine a test. */
abstract class SvmHypervisor {
    private static final long MEMORY = 16 << 20;
    static final long VMCB = HypervisorScript.VMCS;
    static final long HSAVE = HypervisorScript.VMXON;
    static final long EFER = HypervisorScript.state().efer() | ControlBits.EFER_SVME;
    /** A nested table that maps nothing, and the tables that it can be the root of. */
    static final long NPT = 0x20_0000;
    static final InnerTables TABLES = new InnerTables(NPT, InnerTables.ALL);
    /** P, R/W and U/S. */
    static final long PWU = InnerTables.ALL;

    @InjectService(filter = "(machine.kind=vmx)")
    MachineFactory vmx;

    @InjectService
    CostProfiles profiles;

    final HypervisorScript l1 = new HypervisorScript();
    Machine running;

    CostProfile zen() {
        return Trial.hardware(profiles, "zen3");
    }

    Machine run() {
        return run("npt", zen(), Map.of());
    }

    Machine run(String design, CostProfile hardware, Map<String, String> settings) {
        MachineConfig config = new MachineConfig(MEMORY, 1, hardware, design, settings, false);
        try (Machine machine = vmx.create(config, l1)) {
            running = machine;
            return Trial.finish(machine);
        }
    }

    HypervisorScript on() {
        return l1.then(s -> {
            s.wrmsr(Msr.IA32_EFER, EFER);
            s.wrmsr(Msr.VM_HSAVE_PA, HSAVE);
        });
    }

    static void put(StepBuffer s, VmcbField field, long value) {
        s.store(VMCB + field.offset(), field.bytes(), value);
    }

    static void vmrun(StepBuffer s) {
        s.svm(ExitReason.VMRUN, VMCB);
    }

    void expect(VmcbField field, long value) {
        l1.then(s -> s.load(VMCB + field.offset(), field.bytes())).then(s -> assertThat(l1.rax()).as("%s", field).isEqualTo(value));
    }

    void expectExit(int code) {
        l1.then(SvmHypervisor::vmrun);
        expect(VmcbField.EXITCODE, code);
    }

    /** A VMCB with which an L2 runs that is in L1's paging state, with ASID 1, and whose VMMCALL ends it. */
    HypervisorScript configured() {
        PagingState host = HypervisorScript.state();
        return on().then(s -> {
            put(s, VmcbField.INTERCEPT_CR, 0);
            put(s, VmcbField.INTERCEPT_MISC2, SvmIntercepts.VMRUN | SvmIntercepts.VMMCALL);
            put(s, VmcbField.ASID, 1);
            put(s, VmcbField.EFER, EFER);
            put(s, VmcbField.CR0, host.cr0());
            put(s, VmcbField.CR3, host.cr3());
            put(s, VmcbField.CR4, host.cr4());
            put(s, VmcbField.RFLAGS, 2);
        });
    }

    HypervisorScript nested() {
        return configured().then(s -> {
            put(s, VmcbField.NP_ENABLE, 1);
            put(s, VmcbField.N_CR3, NPT);
        });
    }
}
