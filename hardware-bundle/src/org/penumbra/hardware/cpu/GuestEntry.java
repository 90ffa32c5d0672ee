package org.penumbra.hardware.cpu;

import static org.penumbra.api.paging.ControlBits.CR0_PE;
import static org.penumbra.api.paging.ControlBits.CR0_PG;

import org.penumbra.api.cpu.GuestException;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.deprivileged.DeprivilegedGuest;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.api.paging.Pdptes;
import org.penumbra.api.svm.Vmcb;
import org.penumbra.api.vmx.Vmcs;
import org.penumbra.hardware.tlb.TranslationUnit;

/** VM entry, VMRUN, and IRET to a guest at CPL 3: what they refuse, load and drop, and the event that they inject. One thread. */
final class GuestEntry {
    private final Running running;
    private final RegisterFile registers;
    private final TranslationUnit unit;
    private final PhysicalMemory memory;
    private final GuestException injected = new GuestException();
    private boolean injecting;

    GuestEntry(Running running, RegisterFile registers, TranslationUnit unit, PhysicalMemory memory) {
        this.running = running;
        this.registers = registers;
        this.unit = unit;
        this.memory = memory;
    }

    void vmEntry(Vmcs next) {
        if (running.inGuest()) {
            throw new IllegalStateException("VM entry while a guest runs: an exit is needed first");
        }
        EntryChecks.check(next, unit.physicalBits());
        EntryChecks.linearBits(next.guestCr4, running.linearBits);
        if (!next.enableEpt && PagingMode.of(next.guestCr0, next.guestCr4, next.guestEfer) == PagingMode.PAE) {
            next.guestPdptes = EntryChecks.pdptes(ControlRegisters.readPdptes(memory, next.guestCr3 & Pdptes.TABLE), unit.physicalBits());
        }
        running.vmcs = next;
        if (next.vpid == 0) {
            unit.invalidations().dropVpid(0);
        }
        running.loadState();
        running.line.awaitWindow(next.interruptWindowExiting || next.nmiWindowExiting);
        inject(next.inject, next.injectExternal, next.injectVector, next.injectErrorCode, next.injectAddress);
        injected.nested = next.injectNested;
        next.inject = false;
    }

    void vmrun(Vmcb next) {
        if (running.inGuest()) {
            throw new IllegalStateException("VMRUN while a guest runs: an exit is needed first");
        }
        if (next.asid == 0) {
            throw new IllegalStateException("VMRUN with ASID 0, which is the host's");
        }
        if (next.nestedPaging && (next.hostCr0 & CR0_PG) == 0) {
            throw new IllegalStateException("VMRUN with nested paging while the host's CR0.PG is 0");
        }
        EntryChecks.linearBits(registers.paging.cr4() | (next.nestedPaging ? next.hostCr4 : 0), running.linearBits);
        running.vmcb = next;
        if (next.tlbControl == Vmcb.TLB_FLUSH_ALL) {
            unit.invalidations().dropAll();
        } else if (next.tlbControl == Vmcb.TLB_FLUSH_ASID) {
            unit.invalidations().dropAsid(next.asid);
        } else if (next.tlbControl == Vmcb.TLB_FLUSH_ASID_BUT_GLOBALS) {
            unit.invalidations().dropAsidButGlobals(next.asid);
        }
        running.loadState();
        running.line.awaitWindow(next.interruptWindow || next.iretIntercept);
        inject(next.inject, next.injectExternal, next.injectVector, next.injectErrorCode, next.injectAddress);
        injected.nested = next.injectNested;
        next.inject = false;
    }

    void enterDeprivileged(DeprivilegedGuest next) {
        if (running.inGuest()) {
            throw new IllegalStateException("IRET to a guest while a guest runs: a trap is needed first");
        }
        if ((next.cr0 & (CR0_PE | CR0_PG)) != (CR0_PE | CR0_PG)) {
            throw new IllegalStateException(String.format("CR0 0x%x: without PE and PG nothing keeps a de-privileged guest in", next.cr0));
        }
        EntryChecks.linearBits(next.cr4, running.linearBits);
        if (next.flush) {
            unit.invalidations().dropVpid(0);
            next.flush = false;
        }
        if (PagingMode.of(next.cr0, next.cr4, next.efer) == PagingMode.PAE) {
            next.pdptes = EntryChecks.pdptes(ControlRegisters.readPdptes(memory, next.cr3 & Pdptes.TABLE), unit.physicalBits());
        }
        running.deprivileged = next;
        running.loadState();
        running.line.awaitWindow(false);
        inject(next.inject, next.injectExternal, next.injectVector, next.injectErrorCode, next.injectAddress);
        next.inject = false;
    }

    private void inject(boolean event, boolean external, int vector, int errorCode, long address) {
        injecting = event;
        if (external) {
            injected.setExternal(vector);
        } else {
            injected.set(vector, errorCode, address);
        }
    }

    GuestException takeInjectedEvent() {
        if (!injecting) {
            return null;
        }
        injecting = false;
        return injected;
    }
}
