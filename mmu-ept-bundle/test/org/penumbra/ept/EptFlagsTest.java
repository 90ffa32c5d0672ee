package org.penumbra.ept;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.mmu.DirtyLogging;
import org.penumbra.api.mmu.PageAgeing;
import org.penumbra.api.paging.EptViolation;
import org.penumbra.api.paging.TranslationRoot;

/** EPT with and without the accessed and dirty flags that a processor sets. */
class EptFlagsTest extends TdpFixture {
    @Override
    TdpFormat format() {
        return TdpFormat.EPT;
    }

    @Test
    @DisplayName("E05 accessed and dirty flags are asked for in bit 6 of the EPTP, unless switched off")
    void accessedDirty() {
        start();
        // SDM vol. 3, "Extended-Page-Table Pointer": memory type 6, page-walk length 4 − 1 in bits 5:3.
        assertThat(((TranslationRoot.TwoDimensional) context.root()).eptp() & 0xfff).isEqualTo(6 | 3 << 3 | 1 << 6);
        host = host(1, TdpSettings.ACCESSED_DIRTY, "off");
        start();
        assertThat(((TranslationRoot.TwoDimensional) context.root()).eptp() & 0xfff).isEqualTo(6 | 3 << 3);
    }

    @Test
    @DisplayName("E06 by write protection: the first write to a frame is a violation that marks it, and again after the harvest")
    void dirtyByProtection() {
        host = host(1, TdpSettings.ACCESSED_DIRTY, "off");
        start();
        violate(0x5000, EptViolation.WRITE);
        DirtyLogging log = (DirtyLogging) mmu;
        host.logging(true);
        log.startDirtyLog(host.clock());
        assertThat(TdpFormat.writable(leaf(0x5000))).isFalse();
        violate(0x6000, EptViolation.READ);
        assertThat(TdpFormat.writable(leaf(0x6000))).isFalse();
        violate(0x5000, EptViolation.WRITE);
        assertThat(TdpFormat.writable(leaf(0x5000))).isTrue();
        assertThat(host.takeDirty()).containsExactly(5L);
        log.rearmDirty(5, host.clock());
        assertThat(TdpFormat.writable(leaf(0x5000))).isFalse();
    }

    @Test
    @DisplayName("E05 E09 ageing takes the accessed flag of a leaf that was used, and tells once that it was; what is mapped stays mapped")
    void ageingByFlags() {
        start();
        violate(0x5000, EptViolation.READ);
        long accessed = TdpFormat.EPT.accessed;
        host.memory().store64(leafAt(0x5000), leaf(0x5000) | accessed);
        PageAgeing ageing = (PageAgeing) mmu;
        assertThat(ageing.testAge(5, 1, host.clock())).isTrue();
        assertThat(ageing.age(5, 1, host.clock())).isTrue();
        assertThat(leaf(0x5000) & accessed).isZero();
        assertThat(TdpFormat.EPT.present(leaf(0x5000))).isTrue();
        assertThat(ageing.testAge(5, 1, host.clock())).isFalse();
        assertThat(ageing.age(5, 1, host.clock())).isFalse();
    }

    @Test
    @DisplayName("E05 E09 without accessed flags ageing takes the leaf itself: the next access is a violation, after which the frame is young again")
    void ageingWithoutFlags() {
        host = host(1, TdpSettings.ACCESSED_DIRTY, "off");
        start();
        violate(0x5000, EptViolation.READ);
        PageAgeing ageing = (PageAgeing) mmu;
        assertThat(ageing.testAge(5, 1, host.clock())).isTrue();
        host.takeFlushes();
        assertThat(ageing.age(5, 1, host.clock())).isTrue();
        assertThat(host.takeFlushes()).as("flushes").isPositive();
        assertThat(TdpFormat.EPT.present(leaf(0x5000))).isFalse();
        assertThat(ageing.testAge(5, 1, host.clock())).isFalse();
        assertThat(ageing.age(5, 1, host.clock())).isFalse();
        violate(0x5000, EptViolation.READ);
        assertThat(ageing.testAge(5, 1, host.clock())).isTrue();
    }
}
