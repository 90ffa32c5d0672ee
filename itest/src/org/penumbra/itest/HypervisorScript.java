package org.penumbra.itest;

import java.util.ArrayDeque;
import java.util.List;
import java.util.Queue;
import java.util.function.Consumer;
import org.penumbra.api.cpu.Msr;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.guest.GuestProgram;
import org.penumbra.api.guest.GuestState;
import org.penumbra.api.guest.StepBuffer;
import org.penumbra.api.machine.GuestBoot;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.vmx.VmcsRegion;

/** A guest in long mode whose memory is mapped where it is, and that does at CPL 0 what a test says, batch after batch. */
final class HypervisorScript implements GuestBoot, GuestProgram {
    static final long VMXON = 0x10_0000;
    static final long VMCS = 0x10_1000;

    private static final long PML4 = 0x1000;
    private static final long PDPT = 0x2000;
    private static final long PD = 0x3000;

    private final Queue<Consumer<StepBuffer>> batches = new ArrayDeque<>();
    private RegisterFile registers;
    private GuestState inner;
    /** Vectors of the interrupts that it was given; null if it has no handler. */
    private List<Integer> interrupts;

    /** Adds a batch; what it does first sees what the batch before has left. */
    HypervisorScript then(Consumer<StepBuffer> batch) {
        batches.add(batch);
        return this;
    }

    /** {@code guest} is what the VMCS at {@link #VMCS} enters. */
    HypervisorScript runs(GuestState guest) {
        inner = guest;
        return this;
    }

    /** It has a handler that ends each interrupt and writes it down. */
    HypervisorScript handles(List<Integer> vectors) {
        interrupts = vectors;
        return this;
    }

    /** RAX, as the last batch has left it. */
    long rax() {
        return registers.gpr[RegisterFile.RAX];
    }

    /** CF and ZF, as the last VMX instruction has left them. */
    long status() {
        return registers.rflags & (ControlBits.RFLAGS_CF | ControlBits.RFLAGS_ZF);
    }

    static PagingState state() {
        return PagingState.longMode(PML4);
    }

    @Override
    public GuestState[] boot(Loader loader, RegisterFile[] vcpus, long memoryBytes) {
        registers = vcpus[0];
        registers.paging = state();
        loader.store64(PML4, PDPT | 3);
        loader.store64(PDPT, PD | 3);
        for (long i = 0; i < memoryBytes >> 21; i++) {
            loader.store64(PD + 8 * i, i << 21 | 0x83);
        }
        loader.store64(VMXON, VmcsRegion.REVISION);
        loader.store64(VMCS, VmcsRegion.REVISION);
        GuestState guest = new GuestState(this);
        if (inner != null) {
            guest.guests.put(VMCS, inner);
        }
        return new GuestState[] {guest};
    }

    @Override
    public boolean refill(StepBuffer steps) {
        Consumer<StepBuffer> batch = batches.poll();
        if (batch == null) {
            return false;
        }
        batch.accept(steps);
        return true;
    }

    @Override
    public void pageFault(long cr2, int errorCode, boolean user, StepBuffer handler) {
        throw new IllegalStateException("a page fault at 0x" + Long.toHexString(cr2));
    }

    @Override
    public void interrupt(int vector, StepBuffer handler) {
        if (interrupts == null) {
            throw new IllegalStateException("interrupt " + vector);
        }
        interrupts.add(vector);
        handler.wrmsr(Msr.X2APIC_EOI, 0);
    }
}
