package org.penumbra.hardware.cache;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.penumbra.testkit.fixture.FlatProfile;

class DataCachesTest {
    /** Sets × ways: L1 2 × 2, L2 4 × 2, LLC 4 × 4. */
    private static final Map<String, Long> SMALL = Map.of("data-cache.model", 1L, "data-cache.l1.bytes", 4 * 64L, "data-cache.l1.ways", 2L,
            "data-cache.l2.bytes", 8 * 64L, "data-cache.l2.ways", 2L, "data-cache.llc.bytes", 16 * 64L, "data-cache.llc.ways", 4L);

    private static DataCaches caches(boolean victim) {
        return caches(victim, 2);
    }

    /** @param ways of the L1, in 2 sets */
    private static DataCaches caches(boolean victim, long ways) {
        Map<String, Long> figures = new HashMap<>(SMALL);
        figures.put("data-cache.l1.bytes", 2 * ways * 64);
        figures.put("data-cache.l1.ways", ways);
        figures.put("data-cache.llc.victim", victim ? 1L : 0L);
        return DataCaches.of(new FlatProfile(figures));
    }

    private static List<Integer> lines(DataCaches caches, int... lines) {
        List<Integer> levels = new ArrayList<>();
        for (int line : lines) {
            levels.add(caches.reference(line * 64L));
        }
        return levels;
    }

    @Test
    @DisplayName("T15 data-cache.model 0 switches the model off")
    void off() {
        assertThat(DataCaches.of(new FlatProfile(Map.of("data-cache.model", 0L)))).isNull();
    }

    @Test
    @DisplayName("T15 the first reference of a line goes to memory, each later one to any of its 64 bytes to the L1")
    void line() {
        DataCaches caches = caches(false);
        assertThat(caches.reference(0x1000)).isEqualTo(DataCaches.MEMORY);
        assertThat(caches.reference(0x1038)).isEqualTo(DataCaches.L1);
        assertThat(caches.reference(0x1040)).isEqualTo(DataCaches.MEMORY);
        assertThat(caches.reference(0x1000)).isEqualTo(DataCaches.L1);
        assertThat(caches.reference(0xF_FFFF_FFFF_F000L)).isEqualTo(DataCaches.MEMORY);
        assertThat(caches.reference(0xF_FFFF_FFFF_F03FL)).isEqualTo(DataCaches.L1);
    }

    @Test
    @DisplayName("T15 a set keeps the lines that were used last: a hit makes a line the last one to go")
    void leastRecentlyUsed() {
        DataCaches caches = caches(false);
        // lines 0, 2, 6 share a set of the L1; 0 and 2, 6 lie in different sets of the L2
        assertThat(lines(caches, 0, 2, 0, 6, 0)).endsWith(DataCaches.MEMORY, DataCaches.L1);
        assertThat(lines(caches, 2)).containsExactly(DataCaches.L2);
    }

    @Test
    @DisplayName("T15 what the L1 has lost the L2 has, what both have lost the LLC has")
    void levels() {
        DataCaches caches = caches(false);
        assertThat(lines(caches, 0, 4, 8)).containsOnly(DataCaches.MEMORY);
        assertThat(lines(caches, 0)).containsExactly(DataCaches.LLC);
        assertThat(lines(caches, 4, 8)).containsExactly(DataCaches.LLC, DataCaches.LLC);
        assertThat(lines(caches, 2, 6, 4)).containsExactly(DataCaches.MEMORY, DataCaches.MEMORY, DataCaches.L2);
    }

    @Test
    @DisplayName("T15 a line that an inclusive LLC drops is in no other cache, however often the L1 served it")
    void inclusive() {
        DataCaches caches = caches(false);
        // one set of the LLC: 0, 4, 8, 12 fill it; hits in the L1 do not reach the LLC, so 0 is its oldest line
        lines(caches, 0, 4, 0, 8, 0, 12, 0);
        assertThat(lines(caches, 0)).containsExactly(DataCaches.L1);
        lines(caches, 16);
        assertThat(lines(caches, 0)).containsExactly(DataCaches.MEMORY);
    }

    @Test
    @DisplayName("T15 a victim LLC holds what the L2 evicted, and gives it back: together they hold the lines of both")
    void victim() {
        DataCaches caches = caches(true);
        // one set each of L2 (2 ways) and LLC (4 ways): six lines fit
        assertThat(lines(caches, 0, 4, 8, 12, 16, 20)).containsOnly(DataCaches.MEMORY);
        assertThat(lines(caches, 0, 4, 8, 12, 16, 20)).containsOnly(DataCaches.LLC);
        lines(caches, 24);
        assertThat(lines(caches, 0)).containsExactly(DataCaches.MEMORY);
    }

    @ParameterizedTest(name = "T15 victim {0}: random references of {1} lines as a model of lists serves them")
    @CsvSource({"false, 10", "false, 40", "true, 10", "true, 40", "true, 200"})
    void asTheModel(boolean victim, int span) {
        Map<String, Long> odd = new HashMap<>(SMALL);
        odd.putAll(Map.of("data-cache.l2.bytes", 9 * 64L, "data-cache.l2.ways", 3L, "data-cache.llc.bytes", 35 * 64L, "data-cache.llc.ways", 7L,
                "data-cache.llc.victim", victim ? 1L : 0L));
        DataCaches caches = DataCaches.of(new FlatProfile(odd));
        ListModel model = new ListModel(victim);
        Random random = new Random(span);
        for (int i = 0; i < 20_000; i++) {
            long line = random.nextInt(span);
            assertThat(caches.reference(line * 64 + random.nextInt(64))).as("reference %d of line %d", i, line).isEqualTo(model.reference(line));
        }
    }

    /** The same caches as lists of lines, the most recent first, a list a set. */
    private static final class ListModel {
        private final boolean victim;
        private final Map<String, List<Long>> sets = new HashMap<>();

        ListModel(boolean victim) {
            this.victim = victim;
        }

        private List<Long> set(String level, long line) {
            int count = level.equals("l1") ? 2 : level.equals("l2") ? 3 : 5;
            return sets.computeIfAbsent(level + line % count, k -> new ArrayList<>());
        }

        private Long put(String level, long line) {
            int ways = level.equals("l1") ? 2 : level.equals("l2") ? 3 : 7;
            List<Long> set = set(level, line);
            set.remove(line);
            set.add(0, line);
            return set.size() > ways ? set.remove(ways) : null;
        }

        int reference(long line) {
            boolean l1 = set("l1", line).contains(line);
            put("l1", line);
            if (l1) {
                return DataCaches.L1;
            }
            if (set("l2", line).contains(line)) {
                put("l2", line);
                return DataCaches.L2;
            }
            boolean llc = set("llc", line).contains(line);
            if (victim) {
                set("llc", line).remove(line);
                Long evicted = put("l2", line);
                if (evicted != null) {
                    put("llc", evicted);
                }
            } else {
                put("l2", line);
                Long evicted = put("llc", line);
                if (evicted != null) {
                    set("l2", evicted).remove(evicted);
                    set("l1", evicted).remove(evicted);
                }
            }
            return llc ? DataCaches.LLC : DataCaches.MEMORY;
        }
    }

    @ParameterizedTest(name = "victim {0}, L1 of {1} ways")
    @CsvSource({"false, 2", "true, 2", "false, 4", "true, 4"})
    @DisplayName("T15 a sequence of lines is read as if one after the other, whatever was read before")
    void sequences(boolean victim, long ways) {
        DataCaches whole = caches(victim, ways);
        DataCaches single = caches(victim, ways);
        Random random = new Random(7);
        List<LineSequence> sequences = new ArrayList<>();
        List<int[]> contents = new ArrayList<>();
        for (int i = 0; i < 40; i++) {
            int[] lines = random.ints(i % 2 == 0 ? i % 5 : i, 0, i % 3 == 0 ? 24 : 8).toArray();
            LineSequence sequence = new LineSequence(lines.length);
            for (int line : lines) {
                whole.append(sequence, line * 64L);
            }
            sequences.add(sequence);
            contents.add(lines);
        }
        int last = 0;
        for (int step = 0; step < 100_000; step++) {
            if (random.nextInt(4) == 0) {
                long hpa = random.nextInt(24) * 64L;
                assertThat(whole.reference(hpa)).isEqualTo(single.reference(hpa));
            }
            // The same one again, often: then nothing moves.
            last = random.nextBoolean() ? last : random.nextInt(sequences.size());
            long[] served = new long[DataCaches.MEMORY + 1];
            whole.reference(sequences.get(last), served);
            long[] expected = new long[served.length];
            for (int level : lines(single, contents.get(last))) {
                expected[level]++;
            }
            assertThat(served).isEqualTo(expected);
        }
    }
}
