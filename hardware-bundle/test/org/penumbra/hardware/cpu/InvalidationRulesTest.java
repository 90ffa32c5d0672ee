package org.penumbra.hardware.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.penumbra.api.cpu.Outcome;
import org.penumbra.api.cpu.Processor;
import org.penumbra.api.paging.PagingState;

/**
 * For each operation exactly what it drops: SDM vol. 3, "Operations that Invalidate TLBs and Paging-Structure Caches" and "Operations
 * that Invalidate Cached Mappings". Several address spaces have the same things cached; memory changes; the operation is made in
 * the first of them; then each thing is looked at, whether it is still the old one. So a rule that is forgotten, and one that drops
 * more than it says, both fail.
 *
 * <pre>
 *  a thing is called  [root]vpid.pcid.name
 *  X, R     read-only pages and
 *  W        a writable page of one 2 MiB region, whose paging-structure-cache entry is
 *  S
 *  F, T     a page of another region, and the paging-structure-cache entry of that
 *  G        a global page of the first region: [root]vpid.G
 *  P, Q     guest-physical mapping of a page, and paging-structure-cache entry of another region of gpas: root.P
 * </pre>
 *
 * The current address space is VPID 7, PCID 0, and with EPT root A. {@link FunctionalTlbTest} has the same rules for a functional TLB, which holds none
 * of S, T, P and Q.
 */
class InvalidationRulesTest {
    private static final long X = 0x40_0000_0000L;
    private static final long R = X + 0x1000;
    private static final long W = X + 0x2000;
    private static final long G = X + 0x3000;
    /** Never read before the operation. */
    private static final long S = X + 0x8000;
    private static final long F = 0x60_0010_0000L;
    private static final long T = F + 0x8000;
    private static final long HOLE = X + 0x9000;
    private static final long ABSENT = X + 0xa000;
    private static final long P_CACHED = 0x50_0018_0000L;
    private static final long P = P_CACHED + 0x1000;
    private static final long Q = P_CACHED + 0x2000;
    private static final long BAD = F + 0x9000;
    private static final long GPA_P = 0x7000_0000L;
    private static final long GPA_Q = 0x7000_5000L;
    private static final long GPA_BAD = 0x6000_0000L;
    private static final long OLD = 0x5000;
    private static final long NEW = 0x9000;
    private static final long PGE = 1 << 7;
    private static final long PCIDE = 1 << 17;
    private static final long KEEP = 1L << 63;

    private record Space(int vpid, int pcid, String root) {
        String name() {
            return root + vpid + "." + pcid + ".";
        }

        String global() {
            return root + vpid + ".G";
        }
    }

    private interface Operation {
        void on(InvalidationRulesTest machine);
    }

    /** Nothing is evicted. */
    private final Rig rig = new Rig(profile());
    private final List<Space> spaces = new ArrayList<>();
    private final long[] eptp = new long[2];
    private long root;
    private boolean inside;

    TestProfile profile() {
        return new TestProfile()
                .array("paging-structure-cache.pde", 256, 256).array("paging-structure-cache.pdpte", 256, 256)
                .array("paging-structure-cache.pml4e", 256, 256).array("nested-tlb", 256, 256)
                .array("ept-paging-structure-cache.pde", 256, 256);
    }

    private static Arguments rule(String name, String drops, Operation operation) {
        return Arguments.of(name, drops, operation);
    }

    static Stream<Arguments> rules() {
        return Stream.of(
                rule("nothing", "", m -> {}),
                rule("INVLPG", "7.0.[XST]", m -> m.rig.cpu.invlpg(X + 0x123)),
                rule("INVLPG of a global page", "7.G|7.0.[ST]", m -> m.rig.cpu.invlpg(G)),
                rule("INVLPG of an address that is not canonical", "", m -> m.rig.cpu.invlpg(X | 1L << 60)),
                rule("INVPCID type 0 of the current PCID", "7.0.[XS]", m -> m.invpcid(0, 0, X)),
                rule("INVPCID type 0 of another PCID", "7.1.[XS]", m -> m.invpcid(0, 1, X)),
                rule("INVPCID type 0 of a global page", "7.0.S", m -> m.invpcid(0, 0, G)),
                rule("INVPCID type 1 of the current PCID", "7.0..", m -> m.invpcid(1, 0, 0)),
                rule("INVPCID type 1 of another PCID", "7.1..", m -> m.invpcid(1, 1, 0)),
                rule("INVPCID type 2", "7.[01]..|7.G", m -> m.invpcid(2, 0, 0)),
                rule("INVPCID type 3", "7.[01]..", m -> m.invpcid(3, 0, 0)),
                rule("MOV to CR3", "7.0..", m -> m.done(m.rig.cpu.movToCr3(m.root))),
                rule("MOV to CR3 with bit 63", "", m -> m.done(m.rig.cpu.movToCr3(m.root | KEEP))),
                rule("MOV to CR3 with another PCID", "7.1..", m -> m.done(m.rig.cpu.movToCr3(m.root | 1))),
                rule("MOV to CR3 with another PCID and bit 63", "", m -> m.done(m.rig.cpu.movToCr3(m.root | 1 | KEEP))),
                rule("MOV to CR4 that clears PGE", "7.[01]..|7.G", m -> m.toggleCr4(PGE)),
                rule("MOV to CR4 that clears PCIDE", "7.[01]..|7.G", m -> m.toggleCr4(PCIDE)),
                rule("MOV to CR4 that changes PSE: all of the VPID, the choice of this processor", "7.[01]..|7.G", m -> m.cr4(1 << 4)),
                rule("MOV to CR4 that sets SMEP: globals too, the choice of this processor", "7.0..|7.G", m -> m.cr4(1 << 20)),
                rule("MOV to CR4 that changes SMAP, PKE, PKS, UMIP", "", m -> m.cr4(1 << 21 | 1 << 22 | 1 << 24 | 1 << 11)),
                rule("MOV to CR0 that changes WP and CD", "", m -> m.done(m.rig.cpu.movToCr0(m.rig.registers.paging.cr0() ^ (1 << 16 | 1 << 30)))),
                rule("WRPKRU", "", m -> {
                    m.cr4(1 << 22);
                    m.done(m.rig.cpu.wrpkru(-1));
                }),
                rule("a page fault of a cached page", "7.0.[XS]", m -> m.rig.expectFault(X, Rig.SW, 3)),
                rule("a page fault of a page that is not there", "7.0.S", m -> m.rig.expectFault(ABSENT, Rig.UR, 4)),
                rule("VM exit and entry with VPID", "", m -> {
                    m.leave();
                    m.enter(m.spaces.get(0));
                }),
                rule("VM entry and exit without VPID", "", m -> {
                    m.leave();
                    m.enter(new Space(0, 0, m.spaces.get(0).root));
                    m.leave();
                }),
                rule("INVVPID type 0", "7.[01].[XS]", m -> m.outside(() -> m.rig.cpu.invvpidAddress(7, X))),
                rule("INVVPID type 0 of a global page", "7.G|7.[01].S", m -> m.outside(() -> m.rig.cpu.invvpidAddress(7, G))),
                rule("INVVPID type 1", "7.[01]..|7.G", m -> m.outside(() -> m.rig.cpu.invvpidContext(7))),
                rule("INVVPID type 1 of another VPID", "8.0..|8.G", m -> m.outside(() -> m.rig.cpu.invvpidContext(8))),
                rule("INVVPID type 2", "[78].[01]..|[78].G", m -> m.outside(() -> m.rig.cpu.invvpidAll())),
                rule("INVVPID type 3", "7.[01]..", m -> m.outside(() -> m.rig.cpu.invvpidContextRetainingGlobals(7))));
    }

    static Stream<Arguments> linearOnly() {
        return Stream.of(
                rule("INVEPT type 1", "", m -> m.outside(() -> m.rig.cpu.inveptContext(m.root))),
                rule("INVEPT type 2", "", m -> m.outside(() -> m.rig.cpu.inveptAll())));
    }

    static Stream<Arguments> eptOnly() {
        return Stream.of(
                rule("INVEPT type 1", "A.*", m -> m.outside(() -> m.rig.cpu.inveptContext(m.eptp[0]))),
                rule("INVEPT type 1 of another root", "B.*", m -> m.outside(() -> m.rig.cpu.inveptContext(m.eptp[1] ^ 0x5e))),
                rule("INVEPT type 2", ".*", m -> m.outside(() -> m.rig.cpu.inveptAll())),
                rule("an EPT violation of a cached page", "A7.0.[WS]", m -> m.exits(W, Rig.SW)),
                rule("an EPT violation of a page that was never there", "A7.0.S", m -> m.exits(HOLE, Rig.SR)),
                rule("an EPT misconfiguration", "", m -> m.exits(BAD, Rig.SR)));
    }

    @ParameterizedTest(name = "T11 linear mappings: {0} drops \"{1}\" and nothing else")
    @MethodSource({"rules", "linearOnly"})
    void linear(String name, String drops, Operation operation) {
        spaces.addAll(List.of(new Space(7, 0, ""), new Space(7, 1, ""), new Space(8, 0, "")));
        check(drops, operation);
    }

    @ParameterizedTest(name = "T11 combined mappings: {0} drops \"{1}\" under every EPT root, no guest-physical mapping, and nothing else")
    @MethodSource("rules")
    void combined(String name, String drops, Operation operation) {
        twoRoots();
        check(drops.isEmpty() ? "" : "[AB](" + drops + ")", operation);
    }

    @ParameterizedTest(name = "T11 combined and guest-physical mappings: {0} drops \"{1}\" and nothing else")
    @MethodSource("eptOnly")
    void ept(String name, String drops, Operation operation) {
        twoRoots();
        check(drops, operation);
    }

    private void twoRoots() {
        spaces.addAll(List.of(new Space(7, 0, "A"), new Space(7, 1, "A"), new Space(8, 0, "A"), new Space(7, 0, "B")));
        for (int i = 0; i < 2; i++) {
            long top = rig.ept(1 << 6);
            eptp[i] = rig.vmcs.eptp;
            rig.eptIdentity(top, 4 << 20, 1);
            // Dirty, so that the page is as writable as EPT says.
            rig.eptMap(top, OLD, OLD, 0x305 | Rig.EPT_WB);
            rig.eptMap(top, GPA_P, OLD, 0x307 | Rig.EPT_WB);
            rig.eptMap(top, GPA_Q, OLD, 0x307 | Rig.EPT_WB);
            rig.eptMap(top, GPA_BAD, OLD, 2 | Rig.EPT_WB);
        }
    }

    private void check(String drops, Operation operation) {
        root = rig.longMode();
        rig.cr4(PGE | PCIDE);
        tables(OLD);
        for (Space s : spaces) {
            enter(s);
            for (long gva : new long[] {X, R, W, G, F, P_CACHED}) {
                assertThat(rig.use(gva, gva == W && eptp[0] == 0 ? Rig.SW : Rig.SR)).isEqualTo(OLD);
            }
            leave();
        }
        changeMemory();
        enter(spaces.get(0));
        operation.on(this);
        if (inside) {
            leave();
        }
        Set<String> all = new TreeSet<>();
        Set<String> dropped = new TreeSet<>();
        for (Space s : spaces) {
            enter(s);
            look(all, dropped, s.name() + "X", X);
            look(all, dropped, s.name() + "R", R);
            look(all, dropped, s.name() + "W", W);
            look(all, dropped, s.name() + "S", S);
            look(all, dropped, s.name() + "F", F);
            look(all, dropped, s.name() + "T", T);
            look(all, dropped, s.global(), G);
            if (!s.root.isEmpty()) {
                look(all, dropped, s.root + ".P", P);
                look(all, dropped, s.root + ".Q", Q);
            }
            leave();
        }
        Set<String> expected = new TreeSet<>(all);
        expected.removeIf(thing -> !thing.matches(drops) && (profile().modelsTlbs() || !thing.matches(".*[STPQ]")));
        assertThat(dropped).isEqualTo(expected);
    }

    private void look(Set<String> all, Set<String> dropped, String thing, long gva) {
        if (all.add(thing)) {
            long hpa = rig.use(gva, Rig.AR);
            // Served by the paging-structure cache alone: not the translation that was cached.
            boolean structure = gva == S || gva == T;
            if (hpa == NEW || hpa == NEW + 0x1000 && !structure) {
                dropped.add(thing);
            } else {
                assertThat(hpa).as(thing).isEqualTo(OLD);
            }
        }
    }

    /** Page tables of both regions in which everything leads to {@code frame}. */
    private void tables(long frame) {
        rig.map(root, X, frame, Rig.P);
        rig.map(root, R, frame, Rig.P);
        rig.map(root, W, frame, Rig.P | Rig.W | Rig.A | Rig.D);
        rig.map(root, G, frame, Rig.P | Rig.G);
        rig.map(root, S, frame, Rig.P);
        rig.map(root, F, frame, Rig.P);
        rig.map(root, T, frame, Rig.P);
        if (eptp[0] != 0) {
            rig.map(root, HOLE, 0x7f00_0000L, Rig.P);
            rig.map(root, BAD, GPA_BAD, Rig.P);
            for (long gva : new long[] {P_CACHED, P}) {
                rig.map(root, gva, GPA_P, Rig.P);
            }
            rig.map(root, Q, GPA_Q, Rig.P);
        } else {
            rig.map(root, P_CACHED, OLD, Rig.P);
        }
    }

    /** In the tables of before pages lead to a third frame; other tables, in which they lead to the new one, take their place. */
    private void changeMemory() {
        for (long gva : new long[] {X, R, W, G, F}) {
            rig.map(root, gva, NEW + 0x1000, rig.entry(root, gva, 1) & 0xfff);
        }
        for (long gva : new long[] {X, F}) {
            rig.memory.store64(rig.slot(root, gva, 2), 0);
        }
        long p = rig.slot(root, P_CACHED, 2);
        long keep = rig.memory.load64(p);
        tables(NEW);
        rig.memory.store64(p, keep);
        for (int i = 0; i < 2 && eptp[i] != 0; i++) {
            long top = eptp[i] & Rig.ADDRESS;
            rig.eptMap(top, GPA_P, NEW, 0x307 | Rig.EPT_WB);
            rig.memory.store64(rig.eptSlot(top, GPA_Q, 2), 0);
            rig.eptMap(top, GPA_P, NEW, 0x307 | Rig.EPT_WB);
            rig.eptMap(top, GPA_Q, NEW, 0x307 | Rig.EPT_WB);
            rig.eptMap(top, NEW, NEW, 0x305 | Rig.EPT_WB);
            rig.eptMap(top, NEW + 0x1000, NEW + 0x1000, 0x305 | Rig.EPT_WB);
        }
    }

    private void enter(Space s) {
        rig.registers.paging = new PagingState(0x8001_0001L, root | s.pcid, 0x20 | PGE | PCIDE, 0xd00, 0, 0);
        rig.vmcs.vpid = s.vpid;
        if (!s.root.isEmpty()) {
            rig.vmcs.enableEpt = true;
            rig.vmcs.eptp = eptp[s.root.charAt(0) - 'A'];
        }
        rig.enter();
        inside = true;
    }

    private void leave() {
        assertThat(rig.cpu.vmcall()).isEqualTo(Outcome.EXIT);
        inside = false;
    }

    private void outside(Runnable invalidation) {
        leave();
        invalidation.run();
    }

    private void exits(long gva, int access) {
        assertThat(rig.use(gva, access)).isEqualTo(Processor.EXIT);
        inside = false;
    }

    private void done(int outcome) {
        assertThat(outcome).isEqualTo(Outcome.DONE);
    }

    private void invpcid(int type, long pcid, long gva) {
        done(rig.cpu.invpcid(type, pcid, gva));
    }

    private void cr4(long set) {
        done(rig.cpu.movToCr4(rig.registers.paging.cr4() | set));
    }

    private void toggleCr4(long bit) {
        done(rig.cpu.movToCr4(rig.registers.paging.cr4() ^ bit));
        done(rig.cpu.movToCr4(rig.registers.paging.cr4() ^ bit));
    }

    @Test
    @DisplayName("T11 clearing SMEP and setting PCIDE drop nothing")
    void directions() {
        root = rig.longMode();
        rig.cr4(1 << 20);
        rig.map(root, X, OLD, Rig.P);
        rig.use(X, Rig.SR);
        rig.map(root, X, NEW, Rig.P);
        done(rig.cpu.movToCr4(rig.registers.paging.cr4() & ~(1L << 20)));
        done(rig.cpu.movToCr4(rig.registers.paging.cr4() | PCIDE));
        assertThat(rig.use(X, Rig.SR)).isEqualTo(OLD);
    }

    @Test
    @DisplayName("T11 MOV to CR0 that clears PG drops everything of its own VPID, global translations too, and nothing of another VPID")
    void pagingOff() {
        root = rig.longMode();
        rig.cr4(PGE);
        long top = rig.ept(0);
        rig.eptIdentity(top, 4 << 20, 1);
        rig.vmcs.unrestrictedGuest = true;
        rig.map(root, X, OLD, Rig.P);
        rig.map(root, G, OLD, Rig.P | Rig.G);
        PagingState state = rig.registers.paging;
        for (int vpid : new int[] {7, 8}) {
            rig.vmcs.vpid = vpid;
            rig.enter();
            rig.use(X, Rig.SR);
            rig.use(G, Rig.SR);
            leave();
        }
        rig.map(root, X, NEW, Rig.P);
        rig.map(root, G, NEW, Rig.P | Rig.G);
        rig.vmcs.vpid = 7;
        rig.enter();
        done(rig.cpu.movToCr0(1));
        done(rig.cpu.movToCr0(state.cr0()));
        assertThat(rig.use(X, Rig.SR)).isEqualTo(NEW);
        assertThat(rig.use(G, Rig.SR)).isEqualTo(NEW);
        leave();
        rig.vmcs.vpid = 8;
        rig.registers.paging = state;
        rig.enter();
        assertThat(rig.use(X, Rig.SR)).isEqualTo(OLD);
        assertThat(rig.use(G, Rig.SR)).isEqualTo(OLD);
    }

    @Test
    @DisplayName("T11 MOV to CR4 that changes PAE drops everything of the mode that is left, for when it comes back")
    void pae() {
        root = rig.paging(Layout.BITS_32);
        long gva = 0x8060_3000L;
        rig.put(root, gva, 1, OLD | Rig.P);
        rig.use(gva, Rig.SR);
        rig.put(root, gva, 1, NEW | Rig.P);
        assertThat(rig.use(gva, Rig.SR)).isEqualTo(OLD);
        // As PDPTEs the first 32 bytes of the page directory are not present; a page fault of this address would drop it.
        done(rig.cpu.movToCr4(0x20));
        rig.expectFault(gva + 0x1000, Rig.SR, 0);
        done(rig.cpu.movToCr4(0));
        assertThat(rig.use(gva, Rig.SR)).isEqualTo(NEW);
    }

    @Test
    @DisplayName("T11 INVPCID: #GP(0) for a type above 3, PCID bits 63:12, a PCID while PCIDE = 0, and type 0 with an address that is not canonical")
    void invpcidFaults() {
        root = rig.longMode();
        expectInvpcid(Outcome.FAULT, 4, 0, 0);
        expectInvpcid(Outcome.FAULT, -1, 0, 0);
        for (int type = 0; type < 4; type++) {
            expectInvpcid(Outcome.FAULT, type, 1 << 12, 0);
            expectInvpcid(type < 2 ? Outcome.FAULT : Outcome.DONE, type, 1, 0);
            expectInvpcid(type == 0 ? Outcome.FAULT : Outcome.DONE, type, 0, 1L << 50);
        }
        rig.cr4(PCIDE);
        expectInvpcid(Outcome.DONE, 0, 0xfff, X);
        rig.registers.cpl = 3;
        expectInvpcid(Outcome.FAULT, 2, 0, 0);
    }

    private void expectInvpcid(int outcome, int type, long pcid, long gva) {
        assertThat(rig.cpu.invpcid(type, pcid, gva)).as("type %d PCID 0x%x address 0x%x", type, pcid, gva).isEqualTo(outcome);
        if (outcome == Outcome.FAULT) {
            assertThat(rig.cpu.exception().vector).isEqualTo(13);
        }
    }
}
