package org.penumbra.api.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Label;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;

class TlbReplacementPropertyTest {
    @Property
    @Label("T09 replacement is least recently used within a set, for any number of sets and ways")
    void leastRecentlyUsed(
            @ForAll @IntRange(min = 1, max = 7) int sets,
            @ForAll @IntRange(min = 1, max = 5) int ways,
            @ForAll @Size(max = 200) List<@IntRange(max = 30) Integer> pages) {
        TlbArray tlb = new TlbArray(sets * ways, ways);
        List<List<Integer>> model = new ArrayList<>();
        for (int i = 0; i < sets; i++) {
            model.add(new ArrayList<>());
        }
        for (int page : pages) {
            List<Integer> set = model.get(page % sets);
            int found = tlb.find(page, 3);
            assertThat(found >= 0).as("page %d of %s", page, set).isEqualTo(set.contains(page));
            if (found >= 0) {
                set.remove((Integer) page);
            } else {
                tlb.insert(page, 3, page * 4096L, 0, 0);
                if (set.size() == ways) {
                    set.remove(0);
                }
            }
            set.add(page);
        }
    }
}
