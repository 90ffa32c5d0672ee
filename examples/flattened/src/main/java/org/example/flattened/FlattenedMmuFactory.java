package org.example.flattened;

import java.util.List;
import org.osgi.service.component.annotations.Component;
import org.penumbra.api.mmu.Mmu;
import org.penumbra.api.mmu.MmuDesign;
import org.penumbra.api.mmu.MmuFactory;
import org.penumbra.api.mmu.MmuHost;

/** Publishes the design under the name {@code flattened}. */
@Component
@MmuDesign(name = "flattened", dimensions = 2)
public final class FlattenedMmuFactory implements MmuFactory {
    @Override
    public String description() {
        return "a flattened second dimension: two levels of 2 MiB tables, after Park et al., ASPLOS 2022";
    }

    @Override
    public List<Setting> settings() {
        return List.of();
    }

    @Override
    public Mmu create(MmuHost host) {
        return new FlattenedMmu(host);
    }
}
