package org.penumbra.api.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.paging.Access;

class TlbArrayTest {
    @Test
    @DisplayName("T09 entries of another context do not match")
    void contexts() {
        TlbArray tlb = new TlbArray(8, 2);
        tlb.insert(5, 1, 0x1000, 0, 0);
        assertThat(tlb.find(5, 2)).isEqualTo(-1);
        assertThat(tlb.find(5, 1)).isNotEqualTo(-1);
        tlb.drop(tlb.find(5, 1));
        assertThat(tlb.find(5, 1)).isEqualTo(-1);
    }

    @Test
    @DisplayName("T09 pages whose numbers end alike are told apart, whichever of them is dropped or gives way")
    void alike() {
        TlbArray tlb = new TlbArray(16, 16);
        for (long k = 0; k < 20; k++) {
            tlb.insert(k << 12, 1, k << 20, 0, 0);
        }
        for (long dropped : new long[] {10, 19, 4}) {
            tlb.drop(tlb.find(dropped << 12, 1));
        }
        for (long k = 0; k < 20; k++) {
            int i = tlb.find(k << 12, 1);
            boolean gone = k < 4 || k == 4 || k == 10 || k == 19;
            assertThat(i < 0).as("page %d", k).isEqualTo(gone);
            assertThat(gone || tlb.frame(i) == k << 20).isTrue();
        }
    }

    @Test
    @DisplayName("T09 a look-up that wants a hit finds what begins its chain and allows the access, and says whether another place has to be asked")
    void hit() {
        TlbArray tlb = new TlbArray(8, 2);
        int i = tlb.insert(5, 1, 0x1000, 0, 1 << Access.READ);
        assertThat(tlb.hit(5, 1, -1, Access.READ)).isEqualTo(i);
        assertThat(tlb.hit(5, 2, 1, Access.READ)).as("global").isEqualTo(i);
        assertThat(tlb.hit(5, 1, -1, Access.WRITE)).as("not allowed").isEqualTo(TlbArray.ELSEWHERE);
        assertThat(tlb.hit(5, 2, -1, Access.READ)).as("another context").isEqualTo(TlbArray.ELSEWHERE);
        assertThat(tlb.hit(6, 1, -1, Access.READ)).isEqualTo(TlbArray.NONE);
        tlb.drop(i);
        assertThat(tlb.hit(5, 1, -1, Access.READ)).isEqualTo(TlbArray.NONE);
    }

    @Test
    @DisplayName("T09 a geometry that does not divide is refused")
    void geometry() {
        assertThatThrownBy(() -> new TlbArray(10, 4)).hasMessageContaining("multiple of ways");
    }

    @Test
    @DisplayName("T09 a first-level hit needs the access kind's right; globals match through their own context")
    void firstLevel() {
        FirstLevelTlb tlb = new FirstLevelTlb(new TlbArray(16, 4), new TlbArray(8, 4), null);
        tlb.context = 1;
        tlb.small.insert(FirstLevelTlb.page(0x7000, 12), 1, 0x9000, 0, 1 << Access.READ);
        assertThat(tlb.lookup(0x7123, Access.READ)).isEqualTo(0x9123);
        assertThat(tlb.lookup(0x7123, Access.WRITE)).isEqualTo(FirstLevelTlb.MISS);
        assertThat(tlb.lookup(0x7123 | 1L << 60, Access.READ)).as("not canonical").isEqualTo(FirstLevelTlb.MISS);
        tlb.large.insert(FirstLevelTlb.page(0xffff_8880_0020_0000L, 21), 2, 0x40_0000, 0, 1 << Access.READ);
        assertThat(tlb.lookup(0xffff_8880_0021_2345L, Access.READ)).isEqualTo(FirstLevelTlb.MISS);
        tlb.globalContext = 2;
        assertThat(tlb.lookup(0xffff_8880_0021_2345L, Access.READ)).isEqualTo(0x41_2345);
    }

    @Test
    @DisplayName("T09 1 GiB pages are looked up in an array of their own, if there is one")
    void huge() {
        FirstLevelTlb tlb = new FirstLevelTlb(new TlbArray(16, 4), new TlbArray(8, 4), new TlbArray(4, 4));
        tlb.huge.insert(FirstLevelTlb.page(0xffff_8880_4000_0000L, 30), 0, 0x8000_0000L, 0, 1 << Access.READ);
        assertThat(tlb.lookup(0xffff_8880_7edc_ba98L, Access.READ)).isEqualTo(0xbedc_ba98L);
        assertThat(tlb.lookup(0xffff_8880_7edc_ba98L, Access.WRITE)).isEqualTo(FirstLevelTlb.MISS);
        assertThat(tlb.lookup(0xffff_8880_8000_0000L, Access.READ)).isEqualTo(FirstLevelTlb.MISS);
        tlb.large.insert(FirstLevelTlb.page(0xffff_8880_4020_0000L, 21), 0, 0x20_0000, 0, 1 << Access.READ);
        assertThat(tlb.lookup(0xffff_8880_4020_0008L, Access.READ)).as("a smaller page first").isEqualTo(0x20_0008);
        assertThat(tlb.lookup(0xffff_8880_4040_0008L, Access.READ)).as("and then the larger").isEqualTo(0x8040_0008L);
    }
}
