package org.penumbra.ept;

import java.util.List;
import org.osgi.service.component.annotations.Component;
import org.penumbra.api.cpu.VirtualizationExtension;
import org.penumbra.api.mmu.Mmu;
import org.penumbra.api.mmu.MmuFactory;
import org.penumbra.api.mmu.MmuHost;

/** Publishes NPT under the name {@code npt}. */
@Component(property = {MmuFactory.MMU_NAME + "=npt", MmuFactory.MMU_DIMENSIONS + ":Integer=2"})
public final class NptMmuFactory implements MmuFactory {
    @Override
    public String description() {
        return "nested page tables, filled on demand (APM vol. 2, \"Nested Paging\"; Linux KVM's TDP MMU)";
    }

    @Override
    public List<Setting> settings() {
        return TdpSettings.offered(TdpFormat.NPT);
    }

    @Override
    public VirtualizationExtension extension() {
        return VirtualizationExtension.SVM;
    }

    @Override
    public boolean nests() {
        return true;
    }

    @Override
    public Mmu create(MmuHost host) {
        return new TdpMmu(TdpFormat.NPT, host);
    }
}
