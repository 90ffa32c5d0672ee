package org.penumbra.itest;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.penumbra.api.clock.CostProfile;
import org.penumbra.api.guest.GuestState;
import org.penumbra.api.machine.Machine;
import org.penumbra.api.paging.NestedPageFault;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.api.svm.Vmcb;
import org.penumbra.api.svm.VmcbField;

/** Memory of a guest whose hypervisor has SVM: nested page faults, what is cached, what a walk takes (APM vol. 2, "Nested Paging", "TLB Control"). */
class NestedSvmMemoryTest extends SvmHypervisor {
    @Test
    @DisplayName("N04 N05 a nested page fault of L2 reaches L1 with EXITINFO1 and EXITINFO2 as by NPT12; L2 repeats the access after VMRUN")
    void nestedPageFault() {
        nested().runs(new GuestState(new InnerGuest(s -> s.store(0x5018, 8, 77))));
        // L2 has the tables of L1, at the same addresses, and nothing else.
        l1.then(s -> {
            TABLES.upper(s, 1);
            TABLES.map(s, 2);
            TABLES.map(s, 3);
        });
        expectExit(Vmcb.VMEXIT_NPF);
        expect(VmcbField.EXITINFO1, NestedPageFault.USER | NestedPageFault.WRITE | NestedPageFault.TABLE_WALK);
        expect(VmcbField.EXITINFO2, 0x1000);
        l1.then(s -> TABLES.map(s, 1));
        expectExit(Vmcb.VMEXIT_NPF);
        expect(VmcbField.EXITINFO1, NestedPageFault.USER | NestedPageFault.WRITE | NestedPageFault.FINAL_ADDRESS);
        expect(VmcbField.EXITINFO2, 0x5018);
        l1.then(s -> s.store(TABLES.leaf(5), 8, 0x30_0000 | 5));
        expectExit(Vmcb.VMEXIT_NPF);
        expect(VmcbField.EXITINFO1,
                NestedPageFault.PRESENT | NestedPageFault.USER | NestedPageFault.WRITE | NestedPageFault.FINAL_ADDRESS);
        l1.then(s -> s.store(TABLES.leaf(5), 8, 0x30_0000 | PWU | 1L << 51));
        expectExit(Vmcb.VMEXIT_NPF);
        expect(VmcbField.EXITINFO1, NestedPageFault.PRESENT | NestedPageFault.RESERVED | NestedPageFault.USER | NestedPageFault.WRITE
                | NestedPageFault.FINAL_ADDRESS);
        l1.then(s -> s.store(TABLES.leaf(5), 8, 0x30_0000 | PWU));
        expectExit(Vmcb.VMEXIT_VMMCALL);
        l1.then(s -> s.load(0x30_0018, 8)).then(s -> assertThat(l1.rax()).isEqualTo(77));
        Machine machine = run();
        assertThat(machine.counters().get("nested_exits_reflected")).isEqualTo(5);
        assertThat(machine.counters().get("nested_exits")).as("L0 has served some by itself").isGreaterThan(5);
    }

    @Test
    @DisplayName("N04 N05 a nested page fault that NPT12 allows is L0's alone: it maps the page, and L1 sees nothing")
    void handled() {
        nested().runs(new GuestState(new InnerGuest(s -> s.store(0x40_0000, 8, 5))));
        l1.then(TABLES::identity);
        expectExit(Vmcb.VMEXIT_VMMCALL);
        Machine machine = run();
        assertThat(machine.counters().get("nested_exits_reflected")).isEqualTo(1);
        assertThat(machine.counters().get("nested_exits")).isGreaterThan(1);
    }

    @Test
    @DisplayName("N04 N05 a write of L2 to a table of NPT12 that is shadowed is emulated: the entry is there, and L1 sees no exit")
    void emulated() {
        long unused = NPT + 0x2000 + 8 * 3;
        nested().runs(new GuestState(new InnerGuest(s -> {
            s.load(0x40_0000, 8);
            s.store(unused, 8, 0x1234_5000);
        })));
        l1.then(TABLES::identity);
        long[] before = new long[1];
        l1.then(s -> before[0] = running.counters().get("insn_emulation"));
        expectExit(Vmcb.VMEXIT_VMMCALL);
        l1.then(s -> {
            assertThat(running.counters().get("insn_emulation")).isGreaterThan(before[0]);
            s.load(unused, 8);
        }).then(s -> assertThat(l1.rax()).isEqualTo(0x1234_5000));
        assertThat(run().counters().get("nested_exits_reflected")).isEqualTo(1);
    }

    @ParameterizedTest(name = "TLB_CONTROL {0}, ASID {1}: new {2}")
    @CsvSource({"0, 1, false", "1, 1, true", "3, 1, true", "7, 1, true", "0, 2, true"})
    @DisplayName("V13 N04 what L1 has changed in NPT12 counts after a flush by TLB_CONTROL, and under an ASID that has nothing cached")
    void flushes(int control, int asid, boolean fresh) {
        nested().runs(new GuestState(new InnerGuest(s -> {
            s.load(0x40_0000, 8);
            s.vmcall();
            s.load(0x40_0000, 8);
        })));
        l1.then(s -> {
            TABLES.identity(s);
            s.store(0x50_0000, 8, 55);
            s.store(0x40_0000, 8, 44);
        });
        expectExit(Vmcb.VMEXIT_VMMCALL);
        expect(VmcbField.RAX, 44);
        l1.then(s -> {
            s.store(TABLES.leaf(0x400), 8, 0x50_0000 | PWU | 0x60);
            put(s, VmcbField.TLB_CONTROL, control);
            put(s, VmcbField.ASID, asid);
            put(s, VmcbField.RIP, 2);
        });
        expectExit(Vmcb.VMEXIT_VMMCALL);
        expect(VmcbField.RAX, fresh ? 55 : 44);
        run();
    }

    @ParameterizedTest(name = "INVLPGA of ASID {0}: new {1}")
    @CsvSource({"1, true", "2, false", "0, false"})
    @DisplayName("V13 INVLPGA drops one page of the ASID that it names: what L1 has changed in L2's shadow tables counts then")
    void invlpga(int asid, boolean fresh) {
        long page = 0x40_0000;
        configured().runs(new GuestState(new InnerGuest(s -> {
            s.load(page, 8);
            s.vmcall();
            s.load(page, 8);
        })));
        l1.then(s -> {
            // L2 runs on tables that L1 has for it.
            s.store(0x30_0000, 8, 0x30_1000 | PWU);
            s.store(0x30_1000, 8, 0x30_2000 | PWU);
            s.store(0x30_2000 + 8 * 2, 8, 0x30_3000 | PWU);
            s.store(0x30_3000, 8, page | PWU);
            s.store(page, 8, 44);
            s.store(0x50_0000, 8, 55);
            put(s, VmcbField.CR3, 0x30_0000);
        });
        expectExit(Vmcb.VMEXIT_VMMCALL);
        expect(VmcbField.RAX, 44);
        l1.then(s -> {
            s.store(0x30_3000, 8, 0x50_0000 | PWU);
            s.invlpga(page, asid);
            put(s, VmcbField.RIP, 2);
        });
        expectExit(Vmcb.VMEXIT_VMMCALL);
        expect(VmcbField.RAX, fresh ? 55 : 44);
        run();
    }

    @ParameterizedTest(name = "L1 with nested paging: {0}, NPT of {1} levels: {2} references")
    @CsvSource({"true, 4, 24", "false, 4, 24", "true, 5, 29", "false, 5, 29"})
    @DisplayName("N02 N04 a walk of L2 without caches takes 24 references on NPT of 4 levels, 29 of 5, be L1's tables shadow tables or nested tables")
    void references(boolean nestedPaging, int levels, long expected) {
        long page = 0x40_0000;
        if (nestedPaging) {
            nested();
        } else {
            configured();
        }
        l1.runs(new GuestState(new InnerGuest(s -> {
            s.load(page, 8);
            s.vmcall();
            s.load(page, 8);
        }))).then(s -> {
            // L2's linear addresses are mapped by 4 KiB: four levels.
            s.store(0x30_0000, 8, page | 3);
            s.store(0x3000 + 8 * 2, 8, 0x30_0000 | 3);
            TABLES.identity(s);
            vmrun(s);
            put(s, VmcbField.TLB_CONTROL, Vmcb.TLB_FLUSH_ASID);
            put(s, VmcbField.RIP, 2);
        });
        long[] before = new long[2];
        l1.then(s -> {
            before[0] = running.translation().completedReferences();
            before[1] = running.translation().completedWalks();
            vmrun(s);
        }).then(s -> {
            assertThat(running.translation().completedWalks() - before[1]).isEqualTo(1);
            assertThat(running.translation().completedReferences() - before[0]).isEqualTo(expected);
        });
        CostProfile hardware = levels == 5 ? Trial.hardware(profiles, PagingMode.FIVE_LEVEL) : zen();
        run("npt", Trial.withoutCaches(profiles, hardware), Map.of("npt.levels", Integer.toString(levels)));
    }
}
