package org.penumbra.vmx;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.penumbra.api.clock.Work;
import org.penumbra.api.cpu.GuestException;
import org.penumbra.api.cpu.GuestOperation;
import org.penumbra.api.cpu.HostProcessor;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.api.vmx.ExitReason;
import org.penumbra.api.vmx.ExitRecord;
import org.penumbra.hardware.cpu.LogicalProcessorFactory;
import org.penumbra.testkit.fixture.FlatProfile;

/** What a monitor makes of the traps of a guest without VMX. */
class DeprivilegedVcpuTest {
    private static final long EMULATION = 70;

    private final RegisterFile registers = new RegisterFile();
    private final HostProcessor processor = new LogicalProcessorFactory().create(
            new FlatProfile(Map.of(Work.EMULATION.key(), EMULATION)), new PhysicalMemory(1 << 20), registers, null, null);
    private final DeprivilegedVcpu monitor = new DeprivilegedVcpu(processor);
    private final GuestOperation operation = new GuestOperation();
    private final ExitRecord trap = new ExitRecord();

    private void decode(int vector, GuestOperation.Kind kind) {
        trap.start(ExitReason.EXCEPTION_NMI, 0);
        trap.vector = vector;
        operation.kind = kind;
        monitor.decode(trap, operation, registers);
    }

    @ParameterizedTest
    @CsvSource({
        "13, MOV_TO_CR0, CR_ACCESS, 0", "13, MOV_TO_CR3, CR_ACCESS, 3", "13, MOV_TO_CR4, CR_ACCESS, 4", "13, INVLPG, INVLPG, 4096",
        "13, INVPCID, INVPCID, 0", "13, HLT, HLT, 0", "13, OUT, IO_INSTRUCTION, 15990784", "13, WRMSR, MSR_WRITE, 0", "6, VMCALL, VMCALL, 0"
    })
    @DisplayName("S20 a privileged operation of the guest's kernel is decoded, for a price, into the exit that it is under VMX")
    void decoded(int vector, GuestOperation.Kind kind, ExitReason reason, long qualification) {
        operation.gva = 0x1000;
        operation.port = 0xf4;
        operation.width = 1;
        decode(vector, kind);
        assertThat(trap.reason).isEqualTo(reason.number());
        assertThat(trap.qualification).isEqualTo(qualification);
        assertThat(processor.cycles().total()).isEqualTo(EMULATION);
    }

    @Test
    @DisplayName("S20 what a user program attempts stays a #GP, which is the guest's own, and so does a load from no canonical address")
    void refused() {
        registers.cpl = 3;
        decode(GuestException.GP, GuestOperation.Kind.MOV_TO_CR3);
        assertThat(trap.reason).isEqualTo(ExitReason.EXCEPTION_NMI.number());
        registers.cpl = 0;
        decode(GuestException.GP, GuestOperation.Kind.LOAD);
        assertThat(trap.reason).isEqualTo(ExitReason.EXCEPTION_NMI.number());
        assertThat(trap.vector).isEqualTo(GuestException.GP);
        assertThat(processor.cycles().total()).isZero();
    }

    @Test
    @DisplayName("S20 a page fault and a change of privilege need no decoding")
    void others() {
        decode(GuestException.PF, GuestOperation.Kind.STORE);
        decode(GuestException.GP, GuestOperation.Kind.CHANGE_PRIVILEGE);
        assertThat(trap.reason).isEqualTo(ExitReason.EXCEPTION_NMI.number());
        assertThat(processor.cycles().total()).isZero();
    }
}
