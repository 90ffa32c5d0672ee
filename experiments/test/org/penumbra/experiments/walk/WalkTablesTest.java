package org.penumbra.experiments.walk;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.paging.PagingMode;

class WalkTablesTest {
    private static Map<Long, Long> words(WalkTables tables) {
        Map<Long, Long> words = new TreeMap<>();
        tables.store(words::put);
        return words;
    }

    @Test
    @DisplayName("T02 two entries of 32-bit paging share 8 bytes and one table")
    void entriesOfFourBytes() {
        WalkTables tables = new WalkTables(PagingMode.BITS_32);
        tables.map(0x0040_2000, 0x180_0000, PageSize.SMALL, true);
        tables.map(0x0040_3000, 0x180_1000, PageSize.SMALL, false);
        assertThat(words(tables)).containsExactlyInAnyOrderEntriesOf(Map.of(0x10_0000L, 0x0010_1007L << 32, 0x10_1008L, 0x0180_1003_0180_0007L));
    }

    @Test
    @DisplayName("T03 a PDPTE of PAE paging is present and nothing else, and is what the register holds")
    void pdptes() {
        WalkTables tables = new WalkTables(PagingMode.PAE);
        tables.map(0xc020_0000L, 0x180_0000, PageSize.LARGE, true);
        assertThat(words(tables)).containsExactlyInAnyOrderEntriesOf(Map.of(0x10_0018L, 0x10_1001L, 0x10_1008L, 0x180_0087L));
        assertThat(tables.pdptes().get(3)).isEqualTo(0x10_1001L);
    }
}
