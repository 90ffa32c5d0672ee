package org.penumbra.vmx;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.penumbra.api.cpu.Msr;
import org.penumbra.api.cpu.Segments;
import org.penumbra.api.memory.GuestMemory;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.TranslationRoot;
import org.penumbra.api.svm.Vmcb;
import org.penumbra.api.svm.VmcbField;
import org.penumbra.ept.NptMmuFactory;
import org.penumbra.testkit.fixture.FixtureHost;

/** VMCB12 in memory: APM vol. 2, appendix "Layout of VMCB", "Intercept Operation". */
class SvmControlsTest {
    private static final long VMCB = 0x1000;
    private static final long IOPM = 0x10000;
    private static final long MSRPM = 0x14000;

    private final FixtureHost host = new FixtureHost(new NptMmuFactory(), 1);
    private final GuestMemory memory = host.guestMemory(host.clock());
    private final Vmcb12 vmcb = new Vmcb12(VMCB, memory, host::guest64);

    private SvmControls controls() {
        vmcb.set(VmcbField.IOPM_BASE_PA, IOPM);
        vmcb.set(VmcbField.MSRPM_BASE_PA, MSRPM);
        return new SvmControls(vmcb);
    }

    @ParameterizedTest(name = "{0} bit {1}: exit code {2}")
    @CsvSource({
        "INTERCEPT_CR, 0, 0x0", "INTERCEPT_CR, 3, 0x3", "INTERCEPT_CR, 16, 0x10", "INTERCEPT_CR, 20, 0x14", "INTERCEPT_EXCEPTION, 14, 0x4e",
        "INTERCEPT_MISC1, 0, 0x60", "INTERCEPT_MISC1, 18, 0x72", "INTERCEPT_MISC1, 24, 0x78", "INTERCEPT_MISC1, 25, 0x79", "INTERCEPT_MISC1, 26, 0x7a",
        "INTERCEPT_MISC1, 27, 0x7b", "INTERCEPT_MISC1, 28, 0x7c", "INTERCEPT_MISC1, 31, 0x7f", "INTERCEPT_MISC2, 0, 0x80", "INTERCEPT_MISC2, 1, 0x81",
        "INTERCEPT_MISC2, 2, 0x82", "INTERCEPT_MISC2, 3, 0x83", "INTERCEPT_MISC2, 4, 0x84", "INTERCEPT_MISC2, 5, 0x85", "INTERCEPT_MISC3, 2, 0xa2"
    })
    @DisplayName("V13 each intercept bit stands for one exit code, and for no other")
    void bits(VmcbField word, int bit, String code) {
        vmcb.set(word, 1L << bit);
        SvmControls c = controls();
        for (int other = -1; other <= Vmcb.VMEXIT_NPF; other++) {
            assertThat(c.intercepts(other)).as("code 0x%x", other).isEqualTo(other == Integer.decode(code));
        }
    }

    @Test
    @DisplayName("V13 the I/O permission map has a bit a port, and one of any byte of an access intercepts it")
    void ports() {
        host.guest64(IOPM + 0x78, 1L << 0x3f8 % 64);
        SvmControls c = controls();
        assertThat(c.interceptsPort(0x3f8, 1, memory)).isTrue();
        assertThat(c.interceptsPort(0x3f7, 1, memory)).isFalse();
        assertThat(c.interceptsPort(0x3f7, 2, memory)).isTrue();
        assertThat(c.interceptsPort(0x3f9, 4, memory)).isFalse();
        vmcb.set(VmcbField.IOPM_BASE_PA, 1L << 40);
        assertThat(new SvmControls(vmcb).interceptsPort(0x80, 1, memory)).as("where no memory is the map is all ones").isTrue();
    }

    @ParameterizedTest(name = "MSR {0}: byte {1}, bits {2} and up")
    @CsvSource({"0x10, 0x4, 0", "0x277, 0x9d, 6", "0xc0000080, 0x820, 0", "0xc0010117, 0x1045, 6"})
    @DisplayName("V13 the MSR permission map has two bits an MSR, for reads and writes, in three ranges; another MSR is intercepted")
    void msrs(String msr, String at, int bit) {
        int number = (int) (long) Long.decode(msr);
        long word = MSRPM + (Long.decode(at) & -8L);
        int shift = (int) (Long.decode(at) & 7) * 8 + bit;
        for (boolean write : new boolean[] {false, true}) {
            host.guest64(word, 1L << shift + (write ? 1 : 0));
            assertThat(controls().interceptsMsr(number, write, memory)).isTrue();
            assertThat(controls().interceptsMsr(number, !write, memory)).isFalse();
        }
        assertThat(controls().interceptsMsr(0x4000_0000, false, memory)).isTrue();
        assertThat(controls().interceptsMsr(Msr.IA32_STAR, false, memory)).isFalse();
    }

    @Test
    @DisplayName("N04 nested tables have the format of L1's own paging: 5 levels with CR4.LA57, bit 63 by EFER.NXE; without NP_ENABLE there are none")
    void tables() {
        PagingState l1 = PagingState.longMode(0x1000);
        assertThat(controls().tables(l1)).isNull();
        vmcb.set(VmcbField.NP_ENABLE, 1);
        vmcb.set(VmcbField.N_CR3, 0x5018);
        assertThat(controls().tables(l1)).isEqualTo(new TranslationRoot.Nested(0x5000, 4, true));
        PagingState five = l1.withCr4(l1.cr4() | ControlBits.CR4_LA57).withEfer(ControlBits.EFER_LME | ControlBits.EFER_LMA);
        assertThat(controls().tables(five)).isEqualTo(new TranslationRoot.Nested(0x5000, 5, false));
    }

    @Test
    @DisplayName("V13 a segment register goes to a VMCB and back unchanged: attributes in 12 bits, P = 0 for one that is unusable")
    void segments() {
        Segments from = new Segments();
        from.set(Segments.CS, 0x10, 0, 0xffff_ffffL, 0xa09b);
        from.set(Segments.FS, 0, 0x1234_5678_9000L, 0, Segments.UNUSABLE);
        vmcb.save(VmcbField.CS, from, Segments.CS);
        vmcb.save(VmcbField.FS, from, Segments.FS);
        assertThat(host.guest64(VMCB + VmcbField.CS.offset())).isEqualTo(0xffff_ffff_0a9b_0010L);
        Segments to = new Segments();
        vmcb.load(VmcbField.CS, to, Segments.CS);
        vmcb.load(VmcbField.FS, to, Segments.FS);
        for (int s : new int[] {Segments.CS, Segments.FS}) {
            assertThat(to.selector[s]).isEqualTo(from.selector[s]);
            assertThat(to.base[s]).isEqualTo(from.base[s]);
            assertThat(to.limit[s]).isEqualTo(from.limit[s]);
            assertThat(to.rights[s]).isEqualTo(from.rights[s]);
        }
    }

    @Test
    @DisplayName("V13 a field of one byte leaves those around it alone")
    void narrow() {
        vmcb.set(VmcbField.ASID, 0x1234);
        vmcb.set(VmcbField.TLB_CONTROL, 3);
        vmcb.set(VmcbField.CPL, 3);
        assertThat(vmcb.get(VmcbField.ASID)).isEqualTo(0x1234);
        assertThat(host.guest64(VMCB + 0x58)).isEqualTo(0x3_0000_1234L);
        assertThat(host.guest64(VMCB + 0x4c8)).isEqualTo(0x300_0000L);
    }
}
