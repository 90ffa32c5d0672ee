package {{package}};

import java.util.List;
import org.osgi.service.component.annotations.Component;
import org.penumbra.api.mmu.Mmu;
import org.penumbra.api.mmu.MmuDesign;
import org.penumbra.api.mmu.MmuFactory;
import org.penumbra.api.mmu.MmuHost;

/** Publishes the design under the name {@code {{name}}}. */
@Component
@MmuDesign(name = "{{name}}", dimensions = 2)
public final class {{Name}}MmuFactory implements MmuFactory {
    @Override
    public String description() {
        return "a small EPT: four levels, pages of 4 KiB, one lock";
    }

    @Override
    public List<Setting> settings() {
        return List.of();
    }

    @Override
    public Mmu create(MmuHost host) {
        return new {{Name}}Mmu(host);
    }
}
