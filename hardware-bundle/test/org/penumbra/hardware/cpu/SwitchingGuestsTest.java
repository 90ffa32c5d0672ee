package org.penumbra.hardware.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.cpu.Outcome;
import org.penumbra.api.cpu.Processor;
import org.penumbra.api.paging.PagingState;

/** One processor that runs guests of different kinds in turn: nothing of one may shine through in another. */
class SwitchingGuestsTest {
    private static final long GVA = 0x8060_3000L;
    private static final long GPA = 0x5000;

    @Test
    @DisplayName("T09 guests on EPT, on nested paging, with shadow tables and the bare machine in turn: each has its own translations")
    void allKinds() {
        Rig rig = new Rig();
        long root = rig.longMode();
        rig.map(root, GVA, GPA, Rig.P | Rig.W | Rig.U);
        PagingState state = rig.registers.paging;
        long top = rig.ept(1 << 6);
        rig.eptIdentity(top, 4 << 20, 1);
        rig.eptMap(top, GPA, 0x6000, 7 | Rig.EPT_WB);
        long nested = rig.npt(Layout.PAE);
        rig.nptIdentity(nested, 4 << 20, 1);
        rig.nptPut(nested, GPA, 1, 0x7000 | Rig.P | Rig.W | Rig.U);
        rig.vmcs.vpid = 1;
        for (int round = 0; round < 3; round++) {
            assertThat(rig.use(GVA, Rig.SW)).isEqualTo(GPA);
            rig.vmcs.enableEpt = true;
            rig.enter();
            assertThat(rig.use(GVA, Rig.SW)).isEqualTo(0x6000);
            rig.cpu.vmcall();
            rig.vmrun();
            assertThat(rig.use(GVA, Rig.SW)).isEqualTo(0x7000);
            rig.cpu.interruptLine().raise();
            assertThat(rig.cpu.interrupted()).isEqualTo(Outcome.EXIT);
            rig.vmcs.enableEpt = false;
            rig.enter();
            assertThat(rig.use(GVA, Rig.SW)).isEqualTo(GPA);
            rig.cpu.vmcall();
            rig.registers.paging = state.withPkru(round);
        }
        assertThat(rig.walks()).as("one each: the host's and the shadow guest's VPID differ").isEqualTo(4);
    }

    @Test
    @DisplayName("T09 one VPID in another paging mode, without an invalidation: entries of one mode do not serve another")
    void modesOfOneVpid() {
        Rig rig = new Rig();
        rig.vmcs.vpid = 7;
        PagingState[] states = new PagingState[4];
        for (Layout layout : Layout.values()) {
            long root = rig.paging(layout);
            rig.put(root, GVA, 1, (long) layout.ordinal() + 5 << 12 | 7);
            rig.put(root, GVA + 0x1000, 1, (long) layout.ordinal() + 5 << 12 | 7);
            if (layout == Layout.PAE) {
                rig.pdptes();
            }
            states[layout.ordinal()] = rig.registers.paging;
        }
        for (int round = 0; round < 2; round++) {
            for (int i = 0; i < 4; i++) {
                rig.registers.paging = states[i];
                rig.enter();
                assertThat(rig.use(GVA + 0x1000 * round, Rig.UW)).as("%s", Layout.values()[i]).isEqualTo((long) i + 5 << 12);
                rig.cpu.vmcall();
            }
        }
    }

    @Test
    @DisplayName("T06 each guest's cached translations obey its own WP, SMAP and PKRU after the other guest ran with others")
    void rightsOfEachGuest() {
        Rig rig = new Rig();
        long root = rig.longMode();
        rig.map(root, GVA, GPA, Rig.P | Rig.U | Rig.D | 1L << 59);
        PagingState strict = rig.registers.paging.withCr4(0x20 | 1 << 21 | 1 << 22).withPkru(4);
        PagingState lax = rig.registers.paging.withCr0(0x8000_0001L).withCr4(0x20);
        for (int round = 0; round < 3; round++) {
            rig.vmcs.vpid = 1;
            rig.registers.paging = lax;
            rig.enter();
            assertThat(rig.use(GVA, Rig.SW)).isEqualTo(GPA);
            assertThat(rig.use(GVA, Rig.UR)).isEqualTo(GPA);
            rig.cpu.vmcall();
            rig.vmcs.vpid = 2;
            rig.registers.paging = strict;
            rig.enter();
            rig.expectFault(GVA, Rig.SR, 0x21);
            rig.expectFault(GVA, Rig.UR, 0x25);
            rig.cpu.vmcall();
        }
        assertThat(rig.walks()).as("the lax guest walked once, the strict one for each fault").isEqualTo(1 + 6);
    }

    @Test
    @DisplayName("T06 WRPKRU takes effect on what is cached, at every privilege level; #UD while CR4.PKE is 0")
    void wrpkru() {
        Rig rig = new Rig();
        long root = rig.longMode();
        rig.map(root, GVA, GPA, Rig.P | Rig.W | Rig.U | 1L << 59);
        rig.mapLarge(root, 0x4000_0000L, 0, Rig.P | Rig.W | Rig.U | 1L << 59, 2);
        assertThat(rig.cpu.wrpkru(4)).isEqualTo(Outcome.FAULT);
        assertThat(rig.cpu.exception().vector).isEqualTo(6);
        rig.cr4(1 << 22);
        rig.registers.cpl = 3;
        long[] hpa = {GPA, 0};
        long[] gva = {GVA, 0x4000_0000L};
        for (int i = 0; i < 2; i++) {
            assertThat(rig.use(gva[i], Rig.UW)).isEqualTo(hpa[i]);
            long walks = rig.walks();
            assertThat(rig.cpu.wrpkru(8)).isEqualTo(Outcome.DONE);
            assertThat(rig.use(gva[i], Rig.UR)).isEqualTo(hpa[i]);
            assertThat(rig.cpu.wrpkru(0)).isEqualTo(Outcome.DONE);
            assertThat(rig.use(gva[i], Rig.UW)).isEqualTo(hpa[i]);
            assertThat(rig.walks()).as("no walk was needed").isEqualTo(walks);
            assertThat(rig.cpu.wrpkru(8)).isEqualTo(Outcome.DONE);
            rig.expectFault(gva[i], Rig.UW, 0x27);
            assertThat(rig.cpu.wrpkru(4)).isEqualTo(Outcome.DONE);
            rig.expectFault(gva[i], Rig.UR, 0x25);
            assertThat(rig.use(gva[i], Rig.UF)).as("fetches have no key").isEqualTo(hpa[i]);
            assertThat(rig.cpu.wrpkru(0)).isEqualTo(Outcome.DONE);
        }
    }

    /** Three contexts per new VPID: the numbers are used up within 22,000 entries. */
    @Test
    @DisplayName("T09 when the context numbers are used up under EPT, guest and nested translations start anew, at any operation")
    void contextsUsedUp() {
        Rig rig = new Rig();
        long root = rig.longMode();
        rig.cr4(1 << 7 | 1 << 17);
        rig.map(root, GVA, GPA, Rig.P | Rig.G);
        rig.map(root, GVA + 0x1000, GPA, Rig.P);
        long[] eptp = new long[2];
        for (int i = 0; i < 2; i++) {
            long top = rig.ept(0);
            eptp[i] = rig.vmcs.eptp;
            rig.eptIdentity(top, 4 << 20, 1);
            rig.eptMap(top, GPA, 0x6000 + 0x1000 * i, 7 | Rig.EPT_WB);
        }
        PagingState state = rig.registers.paging;
        for (int i = 0; i < 44_000; i++) {
            rig.vmcs.vpid = 1 + i % 60_000;
            rig.vmcs.eptp = eptp[i & 1];
            rig.registers.paging = state;
            rig.enter();
            if (i % 7 == 0 || i > 21_800 && i < 21_900 || i > 32_700 && i < 32_800) {
                long expected = 0x6000 + 0x1000 * (i & 1);
                assertThat(rig.use(GVA, Rig.SR)).as("entry %d", i).isEqualTo(expected);
                assertThat(rig.cpu.movToCr3(root | 1 | 1L << 63)).isZero();
                assertThat(rig.use(GVA, Rig.SR)).as("entry %d, global", i).isEqualTo(expected);
                assertThat(rig.use(GVA + 0x1000, Rig.SR)).as("entry %d", i).isEqualTo(expected);
            }
            rig.cpu.vmcall();
        }
    }

    @Test
    @DisplayName("T09 between exit and entry the guest's translations answer nothing")
    void outsideOfGuests() {
        Rig rig = new Rig();
        long root = rig.longMode();
        rig.map(root, GVA, GPA, Rig.P);
        rig.vmcs.vpid = 7;
        rig.enter();
        rig.use(GVA, Rig.SR);
        assertThat(rig.cpu.dataTlb().lookup(GVA, Rig.SR)).isEqualTo(GPA);
        rig.cpu.vmcall();
        assertThat(rig.cpu.dataTlb().lookup(GVA, Rig.SR)).isNegative();
        rig.map(root, GVA, 0, 0);
        assertThat(rig.use(GVA, Rig.SR)).as("VPID 0 has none of it").isEqualTo(Processor.FAULT);
    }
}
