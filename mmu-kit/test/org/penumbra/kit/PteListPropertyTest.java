package org.penumbra.kit;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Label;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;

class PteListPropertyTest {
    @Property
    @Label("S06 a pte list holds what was added and not removed")
    void pteList(@ForAll @Size(max = 60) List<@IntRange(min = 1, max = 12) Integer> steps) {
        PteList list = new PteList();
        List<Long> model = new ArrayList<>();
        for (int step : steps) {
            long address = step * 8L;
            if (model.contains(address)) {
                assertThat(list.remove(address)).isTrue();
                model.remove(address);
            } else {
                assertThat(list.remove(address)).isFalse();
                list.add(address);
                model.add(address);
            }
        }
        List<Long> seen = new ArrayList<>();
        for (int i = 0; i < list.size(); i++) {
            seen.add(list.get(i));
        }
        assertThat(seen).containsExactlyInAnyOrderElementsOf(model);
    }
}
