package org.penumbra.hardware.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.penumbra.api.clock.Work;
import org.penumbra.api.cpu.Outcome;
import org.penumbra.api.paging.PagingState;

/**
 * Values that MOV to a control register takes or answers with #GP(0): SDM vol. 2, "MOV—Move to/from Control Registers". Bits:
 * CR0 PE 0, WP 16, NW 29, CD 30, PG 31; CR4 PAE 5, PGE 7, LA57 12, SMXE 14, PCIDE 17, SMEP 20, PKS 24. MAXPHYADDR is 40.
 */
class ControlRegisterTest {
    @ParameterizedTest(name = "MOV to CR{0} = 0x{1} from CR3 0x{2}, CR4 0x{3}: allowed {4} ({5})")
    @CsvSource({
        "3, 1000,             1000, 20,    true,  a table",
        "3, 1018,             1000, 20,    true,  PWT and PCD",
        "3, fffffff000,       1000, 20,    true,  the highest table",
        "3, 10000000000,      1000, 20,    false, bit 40 is beyond MAXPHYADDR",
        "3, 8000000000001000, 1000, 20,    false, bit 63 without PCIDE",
        "3, 8000000000001001, 1000, 20020, true,  bit 63 with PCIDE",
        "3, 4000000000001000, 1000, 20020, false, bit 62",
        "0, 80010001,         1000, 20,    true,  PG WP PE",
        "0, 80010000,         1000, 20,    false, PG without PE",
        "0, a0010001,         1000, 20,    false, NW without CD",
        "0, e0010001,         1000, 20,    true,  NW with CD",
        "0, 180010001,        1000, 20,    false, bit 32",
        "0, 1,                1000, 20,    true,  PG cleared",
        "0, 1,                1000, 20020, false, PG cleared while PCIDE = 1",
        "4, 20,               1000, 20,    true,  PAE",
        "4, 0,                1000, 20,    false, PAE cleared in long mode",
        "4, 1020,             1000, 20,    false, LA57 changed in long mode",
        "4, 4020,             1000, 20,    false, SMXE of a processor without SMX",
        "4, 8000020,          1000, 20,    false, bit 27",
        "4, 100000020,        1000, 20,    false, bit 32",
        "4, 20020,            1000, 20,    true,  PCIDE with PCID 0",
        "4, 20020,            1001, 20,    false, PCIDE with PCID 1",
        "4, 20020,            1001, 20020, true,  PCIDE was set before",
        "4, 17000a0,          1000, 20,    true,  PGE SMEP SMAP PKE PKS",
    })
    void allowed(int register, String value, String cr3, String cr4, boolean allowed, String why) {
        Rig rig = new Rig();
        PagingState before = PagingState.longMode(0).withCr3(hex(cr3)).withCr4(hex(cr4));
        rig.registers.paging = before;
        int outcome = mov(rig, register, hex(value));
        if (allowed) {
            assertThat(outcome).as(why).isEqualTo(Outcome.DONE);
            long now = register == 0 ? rig.registers.paging.cr0() : register == 3 ? rig.registers.paging.cr3() : rig.registers.paging.cr4();
            assertThat(now).isEqualTo(register == 3 ? hex(value) & ~(1L << 63) : hex(value));
            assertThat(rig.cpu.cycles().events(Work.PRIVILEGED)).isEqualTo(1);
        } else {
            expectGeneralProtection(rig, outcome, why);
            assertThat(rig.registers.paging).isEqualTo(before);
        }
    }

    @Test
    @DisplayName("T05 without 57 linear-address bits MOV to CR4 with LA57 is #GP(0)")
    void withoutLa57() {
        Rig rig = new Rig(new TestProfile().set("cpu.linear-address-bits", 48));
        rig.registers.paging = new PagingState(1, 0, 0x20, 0, 0, 0);
        expectGeneralProtection(rig, rig.cpu.movToCr4(0x1020), "LA57");
        assertThat(rig.registers.paging.cr4()).isEqualTo(0x20);
        Rig able = new Rig();
        able.registers.paging = new PagingState(1, 0, 0x20, 0, 0, 0);
        assertThat(able.cpu.movToCr4(0x1020)).isEqualTo(Outcome.DONE);
    }

    @Test
    @DisplayName("T05 without 57 linear-address bits a state with LA57 is refused, loaded by a boot loader, VM entry or VMRUN, as the host's too")
    void loadedWithLa57() {
        String line = "CR4.LA57 is 1, and linear addresses of this processor have 48 bits";
        Rig rig = new Rig(new TestProfile().set("cpu.linear-address-bits", 48));
        rig.paging(Layout.FIVE_LEVEL);
        assertThatThrownBy(() -> rig.use(0, Rig.SR)).isInstanceOf(IllegalStateException.class).hasMessage(line);
        assertThatThrownBy(rig::enter).isInstanceOf(IllegalStateException.class).hasMessage(line);
        rig.vmcb.asid = 1;
        assertThatThrownBy(rig::vmrun).isInstanceOf(IllegalStateException.class).hasMessage(line);
        rig.paging(Layout.FOUR_LEVEL);
        rig.npt(Layout.FIVE_LEVEL);
        assertThatThrownBy(rig::vmrun).isInstanceOf(IllegalStateException.class).hasMessage(line);
    }

    @Test
    @DisplayName("EFER.LMA follows CR0.PG while EFER.LME = 1")
    void longModeActive() {
        Rig rig = new Rig();
        rig.registers.paging = PagingState.longMode(0x1000);
        rig.cpu.movToCr0(1);
        assertThat(rig.registers.paging.efer()).isEqualTo(1 << 8 | 1 << 11);
        rig.cpu.movToCr0(1L << 31 | 1);
        assertThat(rig.registers.paging.efer()).isEqualTo(1 << 8 | 1 << 10 | 1 << 11);
    }

    @Test
    @DisplayName("privileged operations at CPL 3 are #GP(0) and do nothing; VMCALL outside VMX is #UD")
    void privilege() {
        Rig rig = new Rig();
        long root = rig.longMode();
        rig.registers.cpl = 3;
        expectGeneralProtection(rig, rig.cpu.movToCr0(0), "MOV to CR0");
        expectGeneralProtection(rig, rig.cpu.movToCr3(0), "MOV to CR3");
        expectGeneralProtection(rig, rig.cpu.movToCr4(0), "MOV to CR4");
        expectGeneralProtection(rig, rig.cpu.invlpg(0), "INVLPG");
        expectGeneralProtection(rig, rig.cpu.hlt(), "HLT");
        expectGeneralProtection(rig, rig.cpu.out(0xf4, 1, 0), "OUT");
        assertThat(rig.put).isEmpty();
        assertThat(rig.registers.paging).isEqualTo(PagingState.longMode(root));
        rig.registers.cpl = 0;
        assertThat(rig.cpu.vmcall()).isEqualTo(Outcome.FAULT);
        assertThat(rig.cpu.exception().vector).isEqualTo(6);
    }

    @Test
    @DisplayName("outside VMX, HLT halts and OUT reaches the port")
    void bareOperations() {
        Rig rig = new Rig();
        rig.longMode();
        assertThat(rig.cpu.hlt()).isEqualTo(Outcome.DONE);
        assertThat(rig.cpu.out(0xf4, 2, 77)).isEqualTo(Outcome.DONE);
        assertThat(rig.put).containsExactly("244 2 77");
    }

    private static int mov(Rig rig, int register, long value) {
        return register == 0 ? rig.cpu.movToCr0(value) : register == 3 ? rig.cpu.movToCr3(value) : rig.cpu.movToCr4(value);
    }

    private static void expectGeneralProtection(Rig rig, int outcome, String why) {
        assertThat(outcome).as(why).isEqualTo(Outcome.FAULT);
        assertThat(rig.cpu.exception().vector).as(why).isEqualTo(13);
        assertThat(rig.cpu.exception().errorCode).isZero();
    }

    private static long hex(String s) {
        return Long.parseUnsignedLong(s.trim(), 16);
    }
}
