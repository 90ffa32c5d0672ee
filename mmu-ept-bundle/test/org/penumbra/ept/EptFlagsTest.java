package org.penumbra.ept;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.mmu.DirtyLogging;
import org.penumbra.api.paging.EptViolation;
import org.penumbra.api.paging.TranslationRoot;

/** What is different under EPT when the processor sets no accessed and dirty flags. */
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
}
