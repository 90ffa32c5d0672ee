package org.penumbra.itest;

import java.util.List;
import java.util.function.Consumer;
import org.penumbra.api.cpu.Msr;
import org.penumbra.api.guest.GuestProgram;
import org.penumbra.api.guest.StepBuffer;

/** A guest of a guest (L2) that does one batch, and calls its hypervisor then. */
final class InnerGuest implements GuestProgram {
    private final Consumer<StepBuffer> first;
    private int batch;
    private String faults = "";
    /** Vectors of the interrupts that it was given; null if it has no handler. */
    private List<Integer> interrupts;

    InnerGuest(Consumer<StepBuffer> first) {
        this.first = first;
    }

    /** It has a handler that ends each interrupt and writes it down. */
    InnerGuest handles(List<Integer> vectors) {
        interrupts = vectors;
        return this;
    }

    /** Page faults that it was given: CR2 in hexadecimal, and the error code. */
    String faults() {
        return faults;
    }

    @Override
    public boolean refill(StepBuffer steps) {
        if (batch++ == 0) {
            first.accept(steps);
        } else {
            steps.vmcall();
        }
        return true;
    }

    @Override
    public void pageFault(long cr2, int errorCode, boolean user, StepBuffer handler) {
        faults += Long.toHexString(cr2) + " " + errorCode;
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
