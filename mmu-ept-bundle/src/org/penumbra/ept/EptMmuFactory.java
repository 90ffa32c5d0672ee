package org.penumbra.ept;

import java.util.List;
import org.osgi.service.component.annotations.Component;
import org.penumbra.api.mmu.Mmu;
import org.penumbra.api.mmu.MmuFactory;
import org.penumbra.api.mmu.MmuHost;

/** Publishes EPT under the name {@code ept}. */
@Component(property = {MmuFactory.MMU_NAME + "=ept", MmuFactory.MMU_DIMENSIONS + ":Integer=2"})
public final class EptMmuFactory implements MmuFactory {
    @Override
    public String description() {
        return "extended page tables, filled on demand (SDM vol. 3, \"The Extended Page Table Mechanism (EPT)\"; Linux KVM's TDP MMU)";
    }

    @Override
    public List<Setting> settings() {
        return TdpSettings.offered(TdpFormat.EPT);
    }

    @Override
    public boolean nests() {
        return true;
    }

    @Override
    public Mmu create(MmuHost host) {
        return new TdpMmu(TdpFormat.EPT, host);
    }
}
