package org.penumbra.vmx;

import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.mmu.MmuContextHost;
import org.penumbra.vmx.memory.Fence;

/** What a vCPU gives the context of one MMU, as long as the fence is open. */
record ContextServices(VirtualCpu cpu, Fence fence) implements MmuContextHost {
    @Override
    public int vcpu() {
        return cpu.id();
    }

    @Override
    public CycleClock clock() {
        return cpu.clock();
    }

    @Override
    public void flushPage(long gva) {
        fence.check();
        cpu.flushes().page(gva);
    }

    @Override
    public void flushAll() {
        fence.check();
        cpu.flushes().all(cpu.clock());
    }

    @Override
    public void flushButGlobals() {
        fence.check();
        cpu.flushes().butGlobals();
    }

    @Override
    public boolean mayLog12() {
        return cpu.nested().mayLog();
    }

    @Override
    public void log12(long gpa) {
        fence.check();
        cpu.nested().log(gpa);
    }
}
