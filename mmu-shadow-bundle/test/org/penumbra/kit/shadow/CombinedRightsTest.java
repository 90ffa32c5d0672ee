package org.penumbra.kit.shadow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.penumbra.testkit.fixture.GuestTables.A;
import static org.penumbra.testkit.fixture.GuestTables.D;
import static org.penumbra.testkit.fixture.GuestTables.NX;
import static org.penumbra.testkit.fixture.GuestTables.P;
import static org.penumbra.testkit.fixture.GuestTables.PS;
import static org.penumbra.testkit.fixture.GuestTables.U;
import static org.penumbra.testkit.fixture.GuestTables.W;

import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.penumbra.api.mmu.MmuFault;
import org.penumbra.api.mmu.Resolution;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.PageFaultError;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.testkit.fixture.FixtureHost;

/**
 * Every combination of R/W, U/S and XD in the entries of a path, in every paging mode, for a page of either size (SDM vol. 3,
 * "Determination of Access Rights"): what the guest is refused, and what the spte grants.
 */
class CombinedRightsTest extends ShadowFixture {
    private static final long PAGE = 0x40_5000L;
    private static final int[] KINDS = {Access.READ, Access.WRITE, Access.FETCH};

    /** Modes with paging, by the level of the leaf. */
    static Stream<Arguments> paths() {
        return Stream.of(PagingMode.values()).filter(mode -> mode != PagingMode.NONE)
                .flatMap(mode -> Stream.of(Arguments.of(mode, 1), Arguments.of(mode, 2)));
    }

    private PagingMode mode;
    private int leaf;
    private boolean write;
    private boolean user;
    private boolean execute;

    private void begin(PagingMode chosen, int leafLevel, boolean wp, long cr4) {
        mode = chosen;
        leaf = leafLevel;
        host = new FixtureHost(factory, 2);
        start(mode);
        tables.map(leaf == 1 ? PAGE : PAGE & -1L << 22, 1024, leaf, P | W | U | A | D);
        load(tables.state());
        load(state.withCr0(wp ? state.cr0() : state.cr0() & ~ControlBits.CR0_WP).withCr4(state.cr4() | cr4));
    }

    private int top() {
        return mode == PagingMode.PAE ? 2 : mode.levels();
    }

    private int bitsPerLevel() {
        return mode.entryBytes() == 8 ? 3 : 2;
    }

    private int combinations() {
        return 1 << bitsPerLevel() * (top() - leaf + 1);
    }

    /** The guest gives the entries of the path the rights of {@code combination}, and invalidates. */
    private void choose(int combination) {
        write = true;
        user = true;
        execute = true;
        int rest = combination;
        for (int level = leaf; level <= top(); level++) {
            boolean w = (rest & 1) != 0;
            boolean u = (rest & 2) != 0;
            boolean x = bitsPerLevel() == 2 || (rest & 4) != 0;
            rest >>= bitsPerLevel();
            write &= w;
            user &= u;
            execute &= x;
            long at = tables.entryGpa(PAGE, level);
            long entry = tables.entry(at) & ~(W | U | (mode.entryBytes() == 8 ? NX : 0)) | (w ? W : 0) | (u ? U : 0) | (x ? 0 : NX);
            assertThat((entry & PS) != 0).isEqualTo(level == leaf && leaf > 1);
            emulatedStore(at, entry);
        }
        context.invalidatePage(PAGE);
    }

    private String granted() {
        long spte = spte(PAGE);
        return (Spte.writable(spte) ? "W" : "") + ((spte & U) != 0 ? "U" : "") + ((spte & NX) == 0 ? "X" : "");
    }

    private String path() {
        return (write ? "W" : "") + (user ? "U" : "") + (execute ? "X" : "");
    }

    /** {@code access} is allowed, or refused with the right error code. */
    private void judge(int access, boolean allowed) {
        MmuFault fault = new MmuFault();
        fault.gva = PAGE;
        fault.access = access;
        context.root();
        Resolution resolution = context.resolve(fault);
        assertThat(resolution).as("%s of a page with %s", Access.describe(access), path()).isEqualTo(allowed ? Resolution.RETRY : Resolution.INJECT);
        if (!allowed) {
            // SDM vol. 3, "Page-Fault Exceptions": I/D with SMEP, or with PAE and NXE.
            boolean reportsFetch = state.has4(ControlBits.CR4_SMEP) || mode.entryBytes() == 8;
            assertThat(fault.errorCode).isEqualTo(PageFaultError.PRESENT | (Access.isWrite(access) ? PageFaultError.WRITE : 0)
                    | (Access.isUser(access) ? PageFaultError.USER : 0) | (Access.isFetch(access) && reportsFetch ? PageFaultError.FETCH : 0));
        }
    }

    @ParameterizedTest(name = "{0}, leaf of level {1}")
    @MethodSource("paths")
    @DisplayName("S12 rights are those that every entry of the path grants, and an spte grants exactly these")
    void combined(PagingMode chosen, int leafLevel) {
        begin(chosen, leafLevel, true, 0);
        for (int c = 0; c < combinations(); c++) {
            choose(c);
            for (int kind : KINDS) {
                boolean right = kind == Access.READ || (kind == Access.WRITE ? write : execute);
                judge(kind | Access.USER, user && right);
                judge(kind, right);
            }
            assertThat(granted()).isEqualTo(path());
        }
    }

    @ParameterizedTest(name = "{0}, leaf of level {1}")
    @MethodSource("paths")
    @DisplayName("S11 with CR0.WP = 0 a supervisor write makes a writable supervisor page of what the path refuses, execute-disable under SMEP if users had it; users' rights stay")
    void writeProtectOff(PagingMode chosen, int leafLevel) {
        for (long cr4 : new long[] {0, ControlBits.CR4_SMEP}) {
            begin(chosen, leafLevel, false, cr4);
            boolean smep = cr4 != 0;
            for (int c = 0; c < combinations(); c++) {
                choose(c);
                judge(Access.WRITE, true);
                String supervisor = write ? path() : "W" + (execute && !(smep && user) ? "X" : "");
                assertThat(granted()).as("after a supervisor write to a page with %s, SMEP %s", path(), smep).isEqualTo(supervisor);
                judge(Access.FETCH, execute && !(smep && user));
                judge(Access.WRITE | Access.USER, user && write);
                judge(Access.FETCH | Access.USER, user && execute);
                judge(Access.READ | Access.USER, user);
                if (user) {
                    assertThat(granted()).as("after a user's read of a page with %s", path()).isEqualTo(path());
                }
            }
        }
    }

    @ParameterizedTest(name = "{0}, leaf of level {1}")
    @MethodSource("paths")
    @DisplayName("S11 under SMAP a supervisor write that only CR0.WP = 0 allows is emulated where users have the page, with EFLAGS.AC, and refused without")
    void accessPrevention(PagingMode chosen, int leafLevel) {
        begin(chosen, leafLevel, false, ControlBits.CR4_SMAP);
        for (int c = 0; c < combinations(); c++) {
            choose(c);
            judge(Access.WRITE, !user);
            judge(Access.READ, !user);
            if (user && !write) {
                assertThat(access(PAGE, Access.WRITE | Access.AC)).isEqualTo(Resolution.EMULATE);
            } else {
                judge(Access.WRITE | Access.AC, true);
            }
            judge(Access.READ | Access.AC, true);
            judge(Access.WRITE | Access.USER, user && write);
            assertThat(granted()).as("after a read").isEqualTo(path());
        }
    }
}
