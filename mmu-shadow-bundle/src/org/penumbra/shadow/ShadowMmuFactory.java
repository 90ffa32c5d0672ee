package org.penumbra.shadow;

import java.util.List;
import org.osgi.service.component.annotations.Component;
import org.penumbra.api.mmu.Mmu;
import org.penumbra.api.mmu.MmuFactory;
import org.penumbra.api.mmu.MmuHost;
import org.penumbra.api.paging.PagingState;
import org.penumbra.kit.shadow.ShadowPaging;

/** Publishes shadow paging under the name {@code shadow}. */
@Component(property = {MmuFactory.MMU_NAME + "=shadow", MmuFactory.MMU_DIMENSIONS + ":Integer=1"})
public final class ShadowMmuFactory implements MmuFactory {
    @Override
    public String description() {
        return "shadow paging as in Linux KVM (Documentation/virt/kvm/x86/mmu.rst)";
    }

    @Override
    public List<Setting> settings() {
        return ShadowSettings.ALL;
    }

    @Override
    public Mmu create(MmuHost host) {
        return new ShadowPaging(host, ShadowSettings.options(host));
    }

    @Override
    public String objection(PagingState state) {
        return ShadowPaging.objectionTo(state);
    }
}
