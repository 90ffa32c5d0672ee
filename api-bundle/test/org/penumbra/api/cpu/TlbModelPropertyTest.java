package org.penumbra.api.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Label;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;

/** A TLB array against lists in order of last use, under every operation there is. */
class TlbModelPropertyTest {
    private record Entry(long page, int context, long frame, long rights, int allowed) {}

    @Property
    @Label("T09 find, hit, insert, drop, allow and clear are those of a least-recently-used list per set, in two contexts, with every geometry")
    void model(@ForAll @IntRange(min = 1, max = 7) int sets, @ForAll @IntRange(min = 1, max = 5) int ways, @ForAll long seed) {
        Random random = new Random(seed);
        TlbArray tlb = new TlbArray(sets * ways, ways);
        assertThat(tlb.entries()).isEqualTo(sets * ways);
        List<List<Entry>> model = new ArrayList<>();
        for (int i = 0; i < sets; i++) {
            model.add(new ArrayList<>());
        }
        // The highest page numbers that fit a tag, and the lowest.
        long[] bases = {0, (1L << 47) - 32};
        for (int step = 0; step < 300; step++) {
            long page = bases[random.nextInt(2)] + random.nextInt(24);
            int context = random.nextInt(3) * 0x7ffe;
            int other = random.nextInt(3) * 0x7ffe;
            List<Entry> set = model.get((int) Long.remainderUnsigned(page, sets));
            int kind = random.nextInt(26);
            Entry found = find(set, page, context);
            if (found == null) {
                found = find(set, page, other);
            }
            if (kind < 8) {
                if (find(set, page, context) != null && context != other && find(set, page, other) != null) {
                    continue;
                }
                int i = tlb.find(page, context, other);
                assertThat(i >= 0).isEqualTo(found != null);
                if (found != null) {
                    assertThat(tlb.frame(i)).isEqualTo(found.frame);
                    assertThat(tlb.rights(i)).isEqualTo(found.rights);
                    assertThat(tlb.allowed(i)).isEqualTo(found.allowed);
                    for (int access = 0; access < 12; access++) {
                        assertThat(tlb.allows(i, access)).isEqualTo((found.allowed >>> access & 1) != 0);
                    }
                    set.remove(found);
                    set.add(found);
                }
            } else if (kind < 16) {
                Entry e = new Entry(page, context, random.nextLong() & 0x000f_ffff_ffff_f000L, random.nextLong(), random.nextInt(1 << 12));
                if (kind == 8) {
                    TlbArray source = new TlbArray(3, 1);
                    tlb.insert(page, source, source.insert(page, context, e.frame, e.rights, e.allowed));
                }
                int i = kind == 8 ? tlb.find(page, context) : tlb.insert(page, context, e.frame, e.rights, e.allowed);
                assertThat(tlb.rights(i)).isEqualTo(e.rights);
                assertThat(tlb.allowed(i)).isEqualTo(e.allowed);
                assertThat(tlb.frame(i)).isEqualTo(e.frame);
                Entry same = find(set, page, context);
                if (same != null) {
                    set.remove(same);
                } else if (set.size() == ways) {
                    set.remove(0);
                }
                set.add(e);
            } else if (kind < 18) {
                Entry e = find(set, page, context);
                int i = tlb.find(page, context);
                assertThat(i >= 0).isEqualTo(e != null);
                if (e != null) {
                    set.remove(e);
                    if (kind == 16) {
                        tlb.drop(i);
                        tlb.drop(i);
                    } else {
                        tlb.allow(i, 5);
                        set.add(new Entry(e.page, e.context, e.frame, e.rights, 5));
                    }
                }
            } else if (kind >= 20) {
                int global = random.nextBoolean() ? -1 : other;
                int access = random.nextInt(12);
                int i = tlb.hit(page, context, global, access);
                Entry same = find(set, page, context);
                Entry alternative = global < 0 ? null : find(set, page, global);
                if (i == TlbArray.NONE) {
                    assertThat(same).isNull();
                    assertThat(alternative).isNull();
                } else if (i >= 0) {
                    Entry hit = same != null && tlb.tag(i) == (page << TlbArray.CONTEXT_BITS | context) ? same : alternative;
                    assertThat(tlb.frame(i)).isEqualTo(hit.frame);
                    assertThat(hit.allowed >>> access & 1).isEqualTo(1);
                    set.remove(hit);
                    set.add(hit);
                } else {
                    assertThat(i).isEqualTo(TlbArray.ELSEWHERE);
                }
            } else if (random.nextInt(10) == 0) {
                tlb.clear();
                model.forEach(List::clear);
            }
            assertThat(tlb.isEmpty()).isEqualTo(model.stream().allMatch(List::isEmpty));
        }
    }

    private static Entry find(List<Entry> set, long page, int context) {
        for (Entry e : set) {
            if (e.page == page && e.context == context) {
                return e;
            }
        }
        return null;
    }
}
