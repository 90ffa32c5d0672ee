package org.example.agile;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.clock.Work;
import org.penumbra.api.mmu.DirtyLogging;
import org.penumbra.api.mmu.Mmu;
import org.penumbra.api.mmu.MmuContext;
import org.penumbra.api.mmu.MmuFault;
import org.penumbra.api.mmu.Resolution;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.EptViolation;
import org.penumbra.api.paging.LinearWalker;
import org.penumbra.api.paging.TranslationRoot;
import org.penumbra.testkit.fixture.FixtureHost;
import org.penumbra.testkit.fixture.GuestTables;

/**
 * The policies of agile paging (Gandhi, Hill and Swift, ISCA 2016, "Policies"), and what its tables say, read as the processor reads them. The guest maps its
 * own leaf table at {@link #WINDOW}, so that it can write it.
 */
class AgileTest {
    private static final long GVA = 0x40_0000_0000L;
    private static final long WINDOW = GVA + (1L << 30);
    private static final long PAGE = 100;
    private static final long BITS = GuestTables.P | GuestTables.W | GuestTables.U | GuestTables.A | GuestTables.D;
    private static final int USER_READ = Access.USER | Access.READ;
    private static final int USER_WRITE = Access.USER | Access.WRITE;

    private final AgileMmuFactory factory = new AgileMmuFactory();
    private final FixtureHost host = new FixtureHost(factory, 1);
    private final Mmu mmu = factory.create(host);
    private final MmuContext context = mmu.newContext(host);
    private final GuestTables tables = new GuestTables(host, 16);
    private final long leafTable;

    AgileTest() {
        tables.map(GVA, PAGE, 1, BITS);
        leafTable = tables.entryGpa(GVA, 1) >>> 12;
        tables.map(WINDOW, leafTable, 1, BITS);
        context.load(tables.state(), false);
        context.root();
    }

    @AfterEach
    void invariantsHold() {
        List<String> violations = new ArrayList<>();
        mmu.audit(host.clock(), violations::add);
        assertEquals(List.of(), violations);
    }

    private Resolution fault(long gva, int access) {
        MmuFault fault = new MmuFault();
        fault.gva = gva;
        fault.access = access;
        return context.resolve(fault);
    }

    /** Where the processor's walk for {@code gva} ends in the design's tables: "page", "guest table" or "nothing", the level and the frame. */
    private String walk(long gva) {
        TranslationRoot.Switching root = assertInstanceOf(TranslationRoot.Switching.class, context.root());
        long[] table = {root.register()};
        String[] end = {""};
        for (int level = 4; end[0].isEmpty(); level--) {
            int at = level;
            end[0] = "nothing";
            long entry = host.memory().load64(table[0] + 8 * (gva >>> 12 + 9 * (level - 1) & 511));
            root.walker().read(level, entry, new LinearWalker.Meaning() {
                @Override
                public void table(long hpa) {
                    table[0] = hpa;
                    end[0] = "";
                }

                @Override
                public void page(long hpa, long rights) {
                    end[0] = "page " + gfn(hpa);
                }

                @Override
                public void guestTable(long hpa, long rights, boolean flags) {
                    end[0] = "guest table of level " + (at - 1) + ", " + gfn(hpa);
                }
            });
        }
        return end[0];
    }

    private static long gfn(long hpa) {
        return (hpa >>> 12) - FixtureHost.OFFSET;
    }

    /** Lets the interval pass that the host is in, and an entry into the guest come. */
    private void interval() {
        long end = (host.clock().total() / 1_000_000 + 1) * 1_000_000;
        while (host.clock().total() < end) {
            host.clock().charge(Work.EXIT, 1000);
        }
        context.root();
    }

    /** The guest writes its leaf table; what it finds if it must not do so itself. */
    private Resolution write() {
        return fault(WINDOW, USER_WRITE);
    }

    private void nest() {
        fault(GVA, USER_READ);
        fault(WINDOW, USER_READ);
        assertEquals(Resolution.EMULATE, write());
        assertEquals(Resolution.RETRY, write());
    }

    @Test
    @DisplayName("P09 at first all is shadowed: a fault builds the path to the page")
    void shadowed() {
        assertEquals("nothing", walk(GVA));
        assertEquals(Resolution.RETRY, fault(GVA, USER_READ));
        assertEquals("page " + PAGE, walk(GVA));
    }

    @Test
    @DisplayName("P09 X10 the second write to a table within an interval makes it nested, and the walk switches there; the first is emulated [sec]")
    void twoWrites() {
        nest();
        assertEquals("nothing", walk(GVA));
        assertEquals(Resolution.RETRY, fault(GVA, USER_READ));
        assertEquals("guest table of level 1, " + leafTable, walk(GVA));
        assertEquals("page " + leafTable, walk(WINDOW));
        assertEquals(1, host.count("agile_to_nested"));
    }

    @Test
    @DisplayName("P09 X10 writes in different intervals leave a table shadowed [sec]")
    void oneWriteEach() {
        fault(GVA, USER_READ);
        for (int i = 0; i < 5; i++) {
            assertEquals(Resolution.EMULATE, write());
            interval();
        }
        assertEquals("page " + PAGE, walk(GVA));
    }

    @Test
    @DisplayName("P09 a nested table that is not written for an interval is shadowed again; one that is stays nested")
    void quiet() {
        nest();
        fault(GVA, USER_READ);
        interval();
        assertEquals(Resolution.RETRY, write());
        interval();
        assertEquals("guest table of level 1, " + leafTable, walk(GVA));
        interval();
        assertEquals("nothing", walk(GVA));
        fault(GVA, USER_READ);
        assertEquals("page " + PAGE, walk(GVA));
        assertEquals(1, host.count("agile_to_shadow"));
    }

    @Test
    @DisplayName("P09 an emulated write to a shadowed table takes the entries that were made of the old contents, with a flush")
    void inStep() {
        fault(GVA, USER_READ);
        host.takeFlushes();
        long gpa = tables.entryGpa(GVA, 1);
        tables.entry(gpa, PAGE + 1 << 12 | BITS);
        mmu.guestTableWritten(gpa, 8, host.clock());
        assertTrue(host.takeFlushes() > 0);
        assertEquals("nothing", walk(GVA));
        fault(GVA, USER_READ);
        assertEquals("page " + (PAGE + 1), walk(GVA));
    }

    @Test
    @DisplayName("P09 a guest with CR0.WP = 0 or protection keys is nested from the root on")
    void notShadowed() {
        context.load(tables.state().withCr0(tables.state().cr0() & ~ControlBits.CR0_WP), false);
        assertInstanceOf(TranslationRoot.TwoDimensional.class, context.root());
        context.load(tables.state().withCr4(tables.state().cr4() | ControlBits.CR4_PKE), false);
        assertInstanceOf(TranslationRoot.TwoDimensional.class, context.root());
        MmuFault fault = new MmuFault();
        fault.gpa = PAGE << 12;
        fault.qualification = EptViolation.READ | EptViolation.LINEAR_VALID | EptViolation.FINAL_ACCESS;
        assertEquals(Resolution.RETRY, context.resolve(fault));
    }

    @Test
    @DisplayName("P09 while the dirty log runs the processor sets no flags in nested tables, and a page becomes writable with a write, which is logged")
    void dirtyLog() {
        nest();
        fault(GVA, USER_READ);
        host.logging(true);
        ((DirtyLogging) mmu).startDirtyLog(host.clock());
        host.takeDirty();
        assertEquals(Resolution.RETRY, fault(WINDOW, USER_WRITE));
        assertEquals(Set.of(leafTable), host.takeDirty());
    }
}
