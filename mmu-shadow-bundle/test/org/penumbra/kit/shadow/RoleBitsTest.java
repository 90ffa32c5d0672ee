package org.penumbra.kit.shadow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.penumbra.testkit.fixture.GuestTables.A;
import static org.penumbra.testkit.fixture.GuestTables.D;
import static org.penumbra.testkit.fixture.GuestTables.NX;
import static org.penumbra.testkit.fixture.GuestTables.P;
import static org.penumbra.testkit.fixture.GuestTables.U;
import static org.penumbra.testkit.fixture.GuestTables.W;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource.Mode;
import org.junit.jupiter.params.provider.EnumSource;
import org.penumbra.api.mmu.PrivilegeRoots;
import org.penumbra.api.mmu.Resolution;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.PageFaultError;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.Pdptes;
import org.penumbra.api.paging.TranslationRoot;
import org.penumbra.kit.GuestFormat;
import org.penumbra.kit.Role;
import org.penumbra.kit.ShadowPage;
import org.penumbra.shadow.ShadowSettings;
import org.penumbra.testkit.fixture.FixtureHost;

/**
 * Each part of the role by itself: two shadow pages of one frame that differ by nothing else and hold different sptes at one index, so
 * that one page for both would translate wrongly (KVM: {@code union kvm_mmu_page_role}; mmu.rst, "Shadow pages").
 */
class RoleBitsTest extends ShadowFixture {
    private static final long LOW = 0x40_5000L;
    private static final int LEVEL = 0xf;
    private static final int DIRECT = 1 << 4;
    private static final int RIGHTS = 7 << 5;
    private static final int FORMAT = 7 << 12;
    private static final int QUADRANT = 3 << 15;
    private static final int MODE = Role.EFER_NX | Role.CR0_WP | Role.SMEP_ANDNOT_WP | Role.SMAP_ANDNOT_WP | FORMAT;

    /** Two pages of {@code gfn} differ in some of the role's {@code bits}, in no other, and in what spte {@code index} says. */
    private void differ(long gfn, int bits, int index) {
        List<ShadowPage> pages = new ArrayList<>();
        mmu.tree.pages.all().forEach(page -> {
            if (page.gfn == gfn) {
                pages.add(page);
            }
        });
        boolean found = false;
        for (ShadowPage a : pages) {
            for (ShadowPage b : pages) {
                int difference = a.role ^ b.role;
                long one = host.memory().load64(a.sptep(index));
                long other = host.memory().load64(b.sptep(index));
                found |= difference != 0 && (difference & ~bits) == 0 && one != other;
            }
        }
        assertThat(found).as("pages of gfn 0x%x that differ only in 0x%x: %s", gfn, bits, pages.stream().map(p -> p.role).toList()).isTrue();
    }

    private long leafTable(long gva) {
        return tables.entryGpa(gva, 1) >>> 12;
    }

    @ParameterizedTest(name = "{0}")
    @DisplayName("S03 level: a table that is the leaf table of its own window has a page as a directory and one as a leaf table")
    @EnumSource(mode = Mode.EXCLUDE, names = "NONE")
    void level(PagingMode mode) {
        start(mode);
        tables.map(LOW, 100, 1, P | W | U);
        long directory = tables.entryGpa(LOW, 2) & -4096L;
        int bytes = mode.entryBytes();
        // Entry 5 of the directory is the directory: its window shows tables as pages.
        tables.entry(directory + 5 * bytes, directory | P | W | U);
        load(tables.state());
        long window = 5L << (bytes == 4 ? 22 : 21);
        int index = (int) (LOW >>> (bytes == 4 ? 22 : 21));
        long base = (LOW | window) == 0 ? 0 : LOW & -1L << 30;
        access(LOW, USER_READ);
        long shown = base + window + ((long) index << 12);
        assertThat(access(shown, USER_READ)).isEqualTo(Resolution.RETRY);
        assertThat(Spte.pfn(spte(shown)) - FixtureHost.OFFSET).isEqualTo(leafTable(LOW));
        differ(directory >>> 12, LEVEL, bytes == 4 ? 2 * index : index);
    }

    @Test
    @DisplayName("S03 direct: a frame is a leaf table, and the first frame of a large page that is split")
    void direct() {
        host = new FixtureHost(factory, 2);
        start();
        tables.map(GVA, 1024, 2, P | W | U);
        tables.map(LOW, 100, 1, P | W | U);
        tables.entry(tables.entryGpa(LOW, 2), 1024L << 12 | P | W | U);
        tables.map(LOW, 100, 1, P | W | U);
        access(LOW, USER_READ);
        access(GVA + 0x5000, USER_READ);
        assertThat(Spte.pfn(spte(LOW)) - FixtureHost.OFFSET).isEqualTo(100);
        assertThat(Spte.pfn(spte(GVA + 0x5000)) - FixtureHost.OFFSET).isEqualTo(1029);
        // A direct page depends on no mode: it has none of those bits. Its rights lack W, since D is not set.
        differ(1024, DIRECT | MODE | RIGHTS, 5);
    }

    @Test
    @DisplayName("S03 quadrant: the four pages of a 32-bit directory, and the two of a leaf table, map different addresses")
    void quadrant() {
        start(PagingMode.BITS_32);
        tables.map(LOW, 100, 1, P | W | U);
        tables.map(LOW + 0x20_0000, 101, 1, P | W | U);
        access(LOW, USER_READ);
        access(LOW + 0x20_0000, USER_READ);
        differ(leafTable(LOW), QUADRANT, 5);
        differ(tables.cr3() >>> 12, QUADRANT, (int) (LOW >>> 21));
    }

    @ParameterizedTest(name = "{0}")
    @DisplayName("S03 access: a leaf table below a writable entry and a read-only one gives W by the one only")
    @EnumSource(mode = Mode.EXCLUDE, names = "NONE")
    void access(PagingMode mode) {
        start(mode);
        long readOnly = LOW + 0x400_0000;
        tables.map(LOW, 100, 1, P | W | U);
        tables.map(readOnly, 100, 1, P | W | U);
        tables.entry(tables.entryGpa(readOnly, 2), leafTable(LOW) << 12 | P | U);
        load(tables.state());
        access(LOW, USER_WRITE);
        access(readOnly, USER_READ);
        assertThat(Spte.writable(spte(LOW))).isTrue();
        assertThat(Spte.writable(spte(readOnly))).isFalse();
        assertThat(refused(readOnly, USER_WRITE)).isEqualTo(PageFaultError.PRESENT | PageFaultError.WRITE | PageFaultError.USER);
        differ(leafTable(LOW), RIGHTS, 5);
    }

    @Test
    @DisplayName("S03 has_4_byte_gpte: one frame is a 32-bit directory and a PAE directory, and each reads its own entries")
    void fourByteGptes() {
        start(PagingMode.BITS_32);
        long directory = tables.cr3();
        // As 4-byte entries 4 and 5, as an 8-byte entry the third; the page of LOW in 32-bit paging and in PAE.
        long table = directory + 0x1000;
        host.guest64(directory + 16, table | P | W | U);
        host.guest64(directory + 8, table + 0x1000 | P | W | U);
        host.guest64(table, 100L << 12 | P | W | U);
        host.guest64(table + 0x1000, 101L << 12 | P | W | U);
        load(state.withEfer(ControlBits.EFER_NXE));
        access(4L << 22, USER_READ);
        access(2L << 22, USER_READ);
        PagingState pae = new PagingState(state.cr0(), 0x9000, ControlBits.CR4_PAE, ControlBits.EFER_NXE, 0, 0)
                .withPdptes(new Pdptes(directory | P, 0, 0, 0));
        load(pae);
        access(2L << 21, USER_READ);
        assertThat(Spte.pfn(spte(2L << 21)) - FixtureHost.OFFSET).isEqualTo(100);
        differ(directory >>> 12, FORMAT, 4);
    }

    /** A page that is read-only for users, written by a supervisor under one set of controls and used under another. */
    private void controls(PagingMode mode, long firstCr4, long cr0, long cr4, int bits) {
        start(mode);
        tables.map(LOW, 100, 1, P | U);
        PagingState off = tables.state().withCr0(tables.state().cr0() & ~ControlBits.CR0_WP);
        load(off.withCr4(off.cr4() | firstCr4));
        assertThat(access(LOW, Access.WRITE)).isEqualTo(Resolution.RETRY);
        assertThat(Spte.writable(spte(LOW))).isTrue();
        load(off.withCr0(off.cr0() | cr0).withCr4(off.cr4() | cr4));
        assertThat(spte(LOW)).isZero();
        assertThat(access(LOW, USER_READ)).isEqualTo(Resolution.RETRY);
        assertThat(Spte.writable(spte(LOW))).isFalse();
        differ(leafTable(LOW), bits, 5);
    }

    @ParameterizedTest(name = "{0}")
    @DisplayName("S03 cr0_wp: a supervisor page that only CR0.WP = 0 made writable is not that of CR0.WP = 1")
    @EnumSource(mode = Mode.EXCLUDE, names = "NONE")
    void wp(PagingMode mode) {
        controls(mode, 0, ControlBits.CR0_WP, 0, Role.CR0_WP);
        assertThat(refused(LOW, Access.WRITE)).isEqualTo(PageFaultError.PRESENT | PageFaultError.WRITE);
    }

    @ParameterizedTest(name = "{0}")
    @DisplayName("S03 smep_andnot_wp: a supervisor page that a supervisor may execute is not that under SMEP")
    @EnumSource(mode = Mode.EXCLUDE, names = "NONE")
    void smep(PagingMode mode) {
        controls(mode, 0, 0, ControlBits.CR4_SMEP, Role.SMEP_ANDNOT_WP);
        assertThat(refused(LOW, Access.FETCH) & PageFaultError.PRESENT).isNotZero();
    }

    @ParameterizedTest(name = "{0}")
    @DisplayName("S03 smap_andnot_wp: a supervisor page that is open without EFLAGS.AC is not that under SMAP")
    @EnumSource(mode = Mode.EXCLUDE, names = "NONE")
    void smap(PagingMode mode) {
        controls(mode, 0, 0, ControlBits.CR4_SMAP, Role.SMAP_ANDNOT_WP);
        assertThat(refused(LOW, Access.READ)).isEqualTo(PageFaultError.PRESENT);
    }

    @ParameterizedTest(name = "{0}")
    @DisplayName("S03 efer_nx: an entry with XD maps with NXE = 1 and is a reserved bit with NXE = 0, in pages of their own")
    @EnumSource(names = {"PAE", "FOUR_LEVEL", "FIVE_LEVEL"})
    void nx(PagingMode mode) {
        start(mode);
        tables.map(LOW, 100, 1, P | U | NX);
        tables.map(LOW + 0x8000, 101, 1, P | U);
        load(tables.state());
        access(LOW, USER_READ);
        assertThat(spte(LOW)).isNotZero();
        load(state.withEfer(state.efer() & ~ControlBits.EFER_NXE));
        assertThat(access(LOW + 0x8000, USER_READ)).isEqualTo(Resolution.RETRY);
        assertThat(refused(LOW, USER_READ)).isEqualTo(PageFaultError.PRESENT | PageFaultError.USER | PageFaultError.RESERVED);
        assertThat(spte(LOW)).isZero();
        differ(leafTable(LOW), Role.EFER_NX, 5);
    }

    @Test
    @DisplayName("S03 invalid is a state, not a key: in the place of a root that was zapped in use stands a new page of the same role")
    void invalid() {
        start();
        ShadowPage before = mmu.tree.pages.shadowing(tables.cr3() >>> 12, host.clock()).get(0);
        mmu.guestTableWritten(tables.cr3(), 2, host.clock());
        assertThat(before.invalid).isTrue();
        context.root();
        ShadowPage after = mmu.tree.pages.shadowing(tables.cr3() >>> 12, host.clock()).get(0);
        assertThat(after).isNotSameAs(before);
        assertThat(after.role).isEqualTo(before.role);
        assertThat(after.invalid).isFalse();
    }

    @Test
    @DisplayName("S02 S19 an audit builds no root: not before the first entry, nor in the place of one that was zapped")
    void auditChangesNothing() {
        start();
        mmu.guestTableWritten(tables.cr3(), 2, host.clock());
        long made = host.count("mmu_cache_miss");
        long frames = host.frames();
        invariantsHold();
        assertThat(host.count("mmu_cache_miss")).isEqualTo(made);
        assertThat(host.frames()).isEqualTo(frames);
    }

    @Test
    @DisplayName("S20 kernel: a supervisor page that a de-privileged guest's kernel reaches at CPL 3 has no U for its user programs")
    void kernel() {
        host.with(ShadowSettings.DEPRIVILEGED, "on");
        start();
        tables.map(GVA, 100, 1, P | W | A | D);
        tables.map(GVA + 0x1000, 101, 1, P | W | U | A | D);
        load(tables.state());
        PrivilegeRoots privileges = (PrivilegeRoots) context;
        assertThat(((TranslationRoot.OneDimensional) context.root()).deprivileged()).isTrue();
        TranslationRoot kernelRoot = context.root();
        assertThat(access(GVA, Access.WRITE)).isEqualTo(Resolution.RETRY);
        assertThat(spte(GVA) & (Spte.WRITABLE | GuestFormat.USER)).isEqualTo(Spte.WRITABLE | GuestFormat.USER);
        host.takeFlushes();
        privileges.selectPrivilege(false);
        assertThat(host.takeFlushes()).as("what the kernel left in the TLB").isPositive();
        assertThat(context.root()).isNotEqualTo(kernelRoot);
        assertThat(refused(GVA, USER_READ)).isEqualTo(PageFaultError.PRESENT | PageFaultError.USER);
        // The prefetch of the user's own page beside it fills the supervisor page's spte.
        access(GVA + 0x1000, USER_READ);
        assertThat(spte(GVA) & GuestFormat.USER).as("to the user's root").isZero();
        assertThat(spte(GVA + 0x1000) & GuestFormat.USER).isEqualTo(GuestFormat.USER);
        differ(leafTable(GVA), Role.KERNEL, Spte.index(GVA, 1));
        privileges.selectPrivilege(true);
        assertThat(context.root()).as("kept as a previous root").isSameAs(kernelRoot);
    }

    @Test
    @DisplayName("S20 kernel_smep and kernel_smap: a de-privileged kernel executes no user page under SMEP, and has none mapped under SMAP")
    void kernelUnderSmepAndSmap() {
        host.with(ShadowSettings.DEPRIVILEGED, "on");
        start();
        tables.map(GVA, 100, 1, P | W | U | A | D);
        load(tables.state());
        access(GVA, Access.READ);
        assertThat(spte(GVA) & NX).as("without SMEP").isZero();
        load(tables.state().withCr4(tables.state().cr4() | ControlBits.CR4_SMEP));
        access(GVA, Access.READ);
        assertThat(spte(GVA) & NX).isEqualTo(NX);
        load(tables.state().withCr4(tables.state().cr4() | ControlBits.CR4_SMAP));
        assertThat(access(GVA, Access.READ | Access.AC)).isEqualTo(Resolution.EMULATE);
        assertThat(spte(GVA)).isZero();
        assertThat(refused(GVA, Access.READ)).isEqualTo(PageFaultError.PRESENT);
        ((PrivilegeRoots) context).selectPrivilege(false);
        assertThat(access(GVA, USER_READ)).as("SMAP is not for user programs").isEqualTo(Resolution.RETRY);
    }
}
