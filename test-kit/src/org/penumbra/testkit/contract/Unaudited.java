package org.penumbra.testkit.contract;

import java.util.List;
import org.penumbra.api.cpu.VirtualizationExtension;
import org.penumbra.api.mmu.Mmu;
import org.penumbra.api.mmu.MmuFactory;
import org.penumbra.api.mmu.MmuHost;
import org.penumbra.api.paging.PagingState;

/** A design whose own audit says nothing: what is found then is found without its help. */
final class Unaudited implements MmuFactory {
    private final MmuFactory design;

    Unaudited(MmuFactory design) {
        this.design = design;
    }

    @Override
    public String description() {
        return design.description();
    }

    @Override
    public List<Setting> settings() {
        return design.settings();
    }

    @Override
    public VirtualizationExtension extension() {
        return design.extension();
    }

    @Override
    public String objection(PagingState state) {
        return design.objection(state);
    }

    @Override
    public Mmu create(MmuHost host) {
        Mmu real = design.create(host);
        return Probe.like(Mmu.class, real, (proxy, method, arguments) ->
                method.getName().equals("audit") ? null : Probe.call(real, method, arguments));
    }
}
