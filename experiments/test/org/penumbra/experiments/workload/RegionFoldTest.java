package org.penumbra.experiments.workload;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

@DisplayName("Folding of recorded addresses")
class RegionFoldTest {
    private static final long REGION = RegionFold.REGION;
    private static final long HIGH = 0x7fff_f000_0000L;

    private final RegionFold fold = new RegionFold();

    @Test
    @DisplayName("X03 regions of 4 MiB are placed one after the other, in the order in which a trace touches them, and keep their insides")
    void order() {
        assertThat(fold.addMissing(HIGH + 5, 8)).isZero();
        assertThat(fold.addMissing(HIGH + 100, 8)).isEqualTo(-1);
        assertThat(fold.addMissing(0x1234, 8)).isEqualTo(REGION);
        assertThat(fold.addMissing(HIGH + 3 * REGION, 8)).isEqualTo(2 * REGION);
        assertThat(fold.fold(HIGH + 0x3f_1234)).isEqualTo(0x3f_1234);
        assertThat(fold.fold(0x1238)).isEqualTo(REGION + 0x1238);
        assertThat(fold.fold(HIGH + 3 * REGION + 1)).isEqualTo(2 * REGION + 1);
        assertThat(fold.count()).isEqualTo(3);
    }

    @Test
    @DisplayName("X03 an access that lies in two regions needs both, and is cut where they meet")
    void crossing() {
        long gva = HIGH + REGION - 3;
        assertThat(fold.addMissing(gva, 8)).isZero();
        assertThat(fold.addMissing(gva, 8)).isEqualTo(REGION);
        assertThat(fold.addMissing(gva, 8)).isEqualTo(-1);
        assertThat(RegionFold.inFirst(gva, 8)).isEqualTo(3);
        assertThat(RegionFold.inFirst(gva, 3)).isEqualTo(3);
    }

    @Test
    @DisplayName("X03 whatever comes in whatever order, different addresses stay different, and pages stay whole")
    void injective() {
        SplittableRandom random = new SplittableRandom(4);
        List<Long> regions = new ArrayList<>();
        for (int i = 0; i < 700; i++) {
            regions.add(random.nextLong(1L << 25));
        }
        Map<Long, Long> places = new HashMap<>();
        for (int i = 0; i < 20_000; i++) {
            long region = regions.get(random.nextInt(regions.size()));
            long gva = region * REGION + random.nextLong(REGION);
            fold.addMissing(gva, 1);
            long place = fold.fold(gva);
            assertThat(place % REGION).isEqualTo(gva % REGION);
            assertThat(places.computeIfAbsent(region, r -> place / REGION)).isEqualTo(place / REGION);
        }
        assertThat(places.values()).doesNotHaveDuplicates().hasSize(fold.count()).allMatch(p -> p < fold.count());
    }
}
