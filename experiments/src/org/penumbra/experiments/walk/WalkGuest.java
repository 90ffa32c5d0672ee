package org.penumbra.experiments.walk;

import static org.penumbra.api.paging.ControlBits.CR0_PE;
import static org.penumbra.api.paging.ControlBits.CR0_PG;
import static org.penumbra.api.paging.ControlBits.CR0_WP;
import static org.penumbra.api.paging.ControlBits.CR4_LA57;
import static org.penumbra.api.paging.ControlBits.CR4_PAE;
import static org.penumbra.api.paging.ControlBits.CR4_PSE;
import static org.penumbra.api.paging.ControlBits.EFER_NXE;

import org.penumbra.api.cpu.Processor;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.guest.GuestProgram;
import org.penumbra.api.guest.GuestState;
import org.penumbra.api.guest.StepBuffer;
import org.penumbra.api.machine.GuestBoot;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.PageFaultError;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.vmx.ExitReason;
import org.penumbra.api.vmx.ExitRecord;
import org.penumbra.api.vmx.VmxProcessor;
import org.penumbra.experiments.engine.EngineWatcher;

/**
 * A guest that does one operation at a time, as its owner says: an access to one of two pages next to each other, or a VMCALL, at
 * which everything that the processor has cached for the guest is dropped by INVVPID and INVEPT. One thread.
 */
final class WalkGuest implements GuestBoot, GuestProgram, EngineWatcher {
    /** Guest-physical addresses of the page and its neighbour are multiples of the page size, above the tables. */
    private static final long PAGE = 24L << 20;
    private static final long HUGE_PAGE = 1L << 30;

    private final WalkRequest request;
    private final WalkRecorder recorder;
    private Processor cpu;
    private boolean calls;
    private long gva;

    WalkGuest(WalkRequest request, WalkRecorder recorder) {
        this.request = request;
        this.recorder = recorder;
    }

    /** The next operation is an access at {@code address}. */
    void access(long address) {
        calls = false;
        gva = address;
    }

    /** The next operation is the VMCALL. */
    void call() {
        calls = true;
    }

    /** The processor, as soon as there is one. */
    Processor processor() {
        return cpu;
    }

    /** The gpa to which the guest's tables translate {@code address}, which is in one of the two pages. */
    long gpa(long address) {
        if (request.mode() == PagingMode.NONE) {
            return address;
        }
        long bytes = request.page().bytes();
        boolean odd = (address & bytes) != (request.gva() & bytes);
        long first = request.page() == PageSize.HUGE ? HUGE_PAGE : PAGE;
        return first + (odd ? Math.max(bytes, 4096) : 0) + (address & bytes - 1);
    }

    @Override
    public GuestState[] boot(Loader loader, RegisterFile[] vcpus, long memoryBytes) {
        WalkTables tables = new WalkTables(request.mode());
        if (request.mode() != PagingMode.NONE) {
            for (long address : new long[] {request.gva(), request.neighbour()}) {
                long page = gpa(address) & -request.page().bytes();
                tables.map(address, page, request.page(), Access.isUser(request.access()));
            }
            tables.store(loader);
        }
        RegisterFile registers = vcpus[0];
        registers.cpl = Access.isUser(request.access()) ? 3 : 0;
        registers.paging = state(tables);
        return new GuestState[] {new GuestState(this)};
    }

    private PagingState state(WalkTables tables) {
        long paged = CR0_PE | CR0_WP | CR0_PG;
        return switch (request.mode()) {
            case NONE -> new PagingState(CR0_PE, 0, 0, 0, 0, 0);
            case BITS_32 -> new PagingState(paged, WalkTables.ROOT, CR4_PSE, 0, 0, 0);
            case PAE -> new PagingState(paged, WalkTables.ROOT, CR4_PAE, EFER_NXE, 0, 0, tables.pdptes());
            case FOUR_LEVEL -> PagingState.longMode(WalkTables.ROOT);
            case FIVE_LEVEL -> PagingState.longMode(WalkTables.ROOT).withCr4(CR4_PAE | CR4_LA57);
        };
    }

    @Override
    public boolean refill(StepBuffer steps) {
        if (calls) {
            steps.vmcall();
        } else if (Access.isFetch(request.access())) {
            steps.fetch(gva, 1);
        } else if (Access.isWrite(request.access())) {
            steps.store(gva, 1, 1);
        } else {
            steps.load(gva, 1);
        }
        return true;
    }

    @Override
    public void pageFault(long cr2, int errorCode, boolean user, StepBuffer handler) {
        throw new MachineException(String.format("the guest took a page fault at 0x%x (%s), which its tables have no reason for",
                cr2, PageFaultError.describe(errorCode)));
    }

    @Override
    public void interrupt(int vector, StepBuffer handler) {
        throw new MachineException("the guest was interrupted by vector " + vector + ", which no device of it sends");
    }

    @Override
    public void attached(Processor processor) {
        cpu = processor;
        cpu.listen(recorder);
    }

    @Override
    public void exited(ExitRecord exit) {
        if (exit.reason == ExitReason.VMCALL.number()) {
            VmxProcessor root = (VmxProcessor) cpu;
            root.invvpidAll();
            root.inveptAll();
        } else {
            recorder.exited(exit);
        }
    }

    @Override
    public void emulated() {
        recorder.emulated();
    }
}
