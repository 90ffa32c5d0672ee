package org.example.agile;

import java.util.List;
import org.osgi.service.component.annotations.Component;
import org.penumbra.api.mmu.Mmu;
import org.penumbra.api.mmu.MmuDesign;
import org.penumbra.api.mmu.MmuFactory;
import org.penumbra.api.mmu.MmuHost;

/** Publishes the design under the name {@code agile}. */
@Component
@MmuDesign(name = "agile", dimensions = 2)
public final class AgileMmuFactory implements MmuFactory {
    static final String THRESHOLD = "agile.threshold";
    static final String INTERVAL = "agile.interval";
    static final String PAGE_LIMIT = "agile.page-limit";

    @Override
    public String description() {
        return "agile paging: shadow tables above, the guest's own below a switching bit, after Gandhi, Hill and Swift, ISCA 2016";
    }

    @Override
    public List<Setting> settings() {
        return List.of(
                new Setting(THRESHOLD, "2", List.of(), "writes within an interval after which a table of the guest is nested; 0: never"),
                new Setting(INTERVAL, "1000000", List.of(), "simulated cycles; a nested table that was not written for so long is shadowed again"),
                new Setting(PAGE_LIMIT, "0", List.of(), "the most shadow pages; 0: 20 for 1000 frames of the guest, at least 64"));
    }

    @Override
    public Mmu create(MmuHost host) {
        return new AgileMmu(host, number(host, THRESHOLD, 0), number(host, INTERVAL, 1), number(host, PAGE_LIMIT, 0));
    }

    private static int number(MmuHost host, String key, int least) {
        String value = host.setting(key);
        try {
            int number = Integer.parseInt(value);
            if (number >= least) {
                return number;
            }
        } catch (NumberFormatException e) {
            // said below
        }
        throw new IllegalArgumentException(key + " is '" + value + "', and a whole number of at least " + least + " is needed");
    }
}
