package org.penumbra.vmx;

import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.ToIntFunction;
import org.penumbra.api.cpu.GuestException;
import org.penumbra.api.cpu.GuestOperation;
import org.penumbra.api.cpu.GuestOperation.Kind;
import org.penumbra.api.cpu.MemoryHooks;
import org.penumbra.api.cpu.Outcome;
import org.penumbra.api.cpu.Processor;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.guest.GuestState;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.vmx.ExitReason;
import org.penumbra.api.vmx.VmcsField;

/** A guest hypervisor and its guest, each a list of operations; one that faults is noted and skipped. Values that are read are kept in order. */
final class TwoGuestsEngine extends StepwiseEngine {
    final List<Long> read = new ArrayList<>();
    private final Map<GuestState, List<Operation>> scripts = new IdentityHashMap<>();
    private GuestState state;

    /** @param describe what a hypervisor sees of it */
    private record Operation(Consumer<GuestOperation> describe, ToIntFunction<Processor> run, Consumer<Processor> retire) {}

    TwoGuestsEngine(GuestState l1) {
        state = l1;
    }

    private TwoGuestsEngine add(GuestState guest, Consumer<GuestOperation> describe, ToIntFunction<Processor> run, Consumer<Processor> retire) {
        scripts.computeIfAbsent(guest, key -> new ArrayList<>()).add(new Operation(describe, run, retire));
        return this;
    }

    /** {@code guest} does {@code run}, of kind {@code kind} with {@code value}. */
    TwoGuestsEngine then(GuestState guest, Kind kind, long value, ToIntFunction<Processor> run) {
        return add(guest, op -> {
            op.kind = kind;
            op.value = value;
            op.gva = value;
            op.width = 4;
        }, run, processor -> { });
    }

    TwoGuestsEngine vmx(GuestState guest, ExitReason instruction, int field, long value) {
        return add(guest, op -> {
            op.kind = Kind.VMX;
            op.function = instruction.number();
            op.field = field;
            op.value = value;
        }, processor -> {
            int outcome = processor.vmx(instruction.number(), field, value);
            if (outcome == Outcome.DONE && instruction == ExitReason.VMREAD) {
                processor.registers().gpr[RegisterFile.RAX] = processor.vmread();
            }
            return outcome;
        }, processor -> {
            if (instruction == ExitReason.VMREAD) {
                read.add(processor.registers().gpr[RegisterFile.RAX]);
            }
        });
    }

    TwoGuestsEngine vmwrite(GuestState guest, VmcsField field, long value) {
        return vmx(guest, ExitReason.VMWRITE, field.encoding(), value);
    }

    /** {@code l1} goes into VMX operation, and makes a VMCS12 current by which host and guest have the paging of {@code state}. */
    void useVmcs12(GuestState l1, PagingState state, long vmxonRegion, long vmcs12) {
        long cr4 = state.cr4() | ControlBits.CR4_VMXE;
        then(l1, Kind.MOV_TO_CR4, cr4, cpu -> cpu.movToCr4(cr4));
        vmx(l1, ExitReason.VMXON, 0, vmxonRegion).vmx(l1, ExitReason.VMCLEAR, 0, vmcs12).vmx(l1, ExitReason.VMPTRLD, 0, vmcs12);
        vmwrite(l1, VmcsField.HOST_CR0, state.cr0()).vmwrite(l1, VmcsField.HOST_CR3, state.cr3()).vmwrite(l1, VmcsField.HOST_CR4, cr4);
        vmwrite(l1, VmcsField.GUEST_CR0, state.cr0()).vmwrite(l1, VmcsField.GUEST_CR3, state.cr3()).vmwrite(l1, VmcsField.GUEST_CR4, state.cr4());
    }

    /** A load or store of 8 bytes at {@code gva}; what is loaded is kept. */
    TwoGuestsEngine access(GuestState guest, Kind kind, long gva, long value) {
        return add(guest, op -> {
            op.kind = kind;
            op.gva = gva;
            op.width = 8;
            op.value = value;
        }, processor -> kind == Kind.STORE ? port.store(gva, 8, value, processor.registers().access(Access.WRITE))
                : port.load(gva, 8, processor.registers().access(Access.READ)), processor -> { });
    }

    @Override
    public void switchTo(GuestState other) {
        state = other;
    }

    /** Which of the two runs. */
    GuestState runs() {
        return state;
    }

    private List<Operation> script() {
        return scripts.getOrDefault(state, List.of());
    }

    @Override
    boolean ended() {
        return state.next >= script().size();
    }

    @Override
    int execute() {
        return script().get(state.next).run.applyAsInt(cpu);
    }

    @Override
    void deliver(GuestException e) {
        delivered.add(e.vector + " " + e.errorCode);
        if (!e.external) {
            state.next++;
        }
    }

    @Override
    void retire() {
        script().get(state.next).retire.accept(cpu);
        state.next++;
        cpu.guestTime().retire(1);
    }

    @Override
    public GuestOperation operation() {
        GuestOperation exposed = new GuestOperation();
        script().get(state.next).describe.accept(exposed);
        return exposed;
    }

    @Override
    public boolean complete(MemoryHooks hooks) {
        GuestOperation op = operation();
        if (!hooks.prepare(op.gva, op.width, op.kind == Kind.STORE ? Access.WRITE : Access.READ)) {
            return false;
        }
        if (op.kind == Kind.STORE) {
            hooks.store(op.gva, op.width, op.value);
        }
        retire();
        return true;
    }
}
