package org.penumbra.itest;

import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.function.Consumer;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.mmu.ControlDemand;
import org.penumbra.api.mmu.Mmu;
import org.penumbra.api.mmu.MmuContext;
import org.penumbra.api.mmu.MmuContextHost;
import org.penumbra.api.mmu.MmuFactory;
import org.penumbra.api.mmu.MmuFault;
import org.penumbra.api.mmu.MmuHost;
import org.penumbra.api.mmu.Resolution;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.TranslationRoot;

/** A design that maps nothing, and whose audit takes as long as a test wants. */
record SlowAudit(CountDownLatch inside, CountDownLatch go) implements MmuFactory, Mmu, MmuContext {
    @Override
    public String description() {
        return "takes its time";
    }

    @Override
    public List<Setting> settings() {
        return List.of();
    }

    @Override
    public Mmu create(MmuHost host) {
        return this;
    }

    @Override
    public ControlDemand controlDemand() {
        return ControlDemand.NONE;
    }

    @Override
    public MmuContext newContext(MmuContextHost host) {
        return this;
    }

    @Override
    public void guestTableWritten(long gpa, int bytes, CycleClock clock) {}

    @Override
    public void writeProtect(long gfn, CycleClock clock) {}

    @Override
    public void hostRangeChanged(long gfn, long frames, CycleClock clock) {}

    @Override
    public void audit(CycleClock clock, Consumer<String> violations) {
        inside.countDown();
        try {
            go.await();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    @Override
    public void load(PagingState state, boolean keepPcid) {}

    @Override
    public TranslationRoot root() {
        throw new IllegalStateException("no guest runs under this");
    }

    @Override
    public Resolution resolve(MmuFault fault) {
        return Resolution.RETRY;
    }

    @Override
    public void invalidatePage(long gva) {}

    @Override
    public void invalidatePcid(int type, int pcid, long gva) {}

    @Override
    public long gvaToGpa(PagingState state, long gva, int access, MmuFault fault) {
        return FAULT;
    }

    @Override
    public void close() {}
}
