package org.penumbra.kit.shadow;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.penumbra.api.mmu.MmuContext;
import org.penumbra.api.mmu.MmuFault;
import org.penumbra.api.mmu.Resolution;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.PageFaultError;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.TranslationRoot;
import org.penumbra.kit.GuestFormat;
import org.penumbra.shadow.ShadowMmuFactory;
import org.penumbra.testkit.fixture.FixtureHost;
import org.penumbra.testkit.fixture.GuestTables;

/** Shadow paging with hand-built guest tables; what the hardware would find is read from the real sptes. */
abstract class ShadowFixture {
    static final int USER_READ = Access.READ | Access.USER;
    static final int USER_WRITE = Access.WRITE | Access.USER;
    static final long GVA = 0x40_0000_0000L;

    final ShadowMmuFactory factory = new ShadowMmuFactory();
    FixtureHost host = new FixtureHost(factory, 1);
    ShadowPaging mmu;
    MmuContext context;
    GuestTables tables;

    PagingState state;

    void start() {
        start(PagingMode.FOUR_LEVEL);
    }

    /** A guest in {@code mode} with empty tables. */
    void start(PagingMode mode) {
        mmu = (ShadowPaging) factory.create(host);
        context = mmu.newContext(host);
        tables = new GuestTables(host, 16, mode);
        load(tables.state());
    }

    /** The guest's registers are {@code next} from now on. */
    void load(PagingState next) {
        state = next;
        context.load(next, false);
        context.root();
    }

    @AfterEach
    void invariantsHold() {
        List<String> violations = new ArrayList<>();
        mmu.audit(host.clock(), violations::add);
        assertThat(violations).isEmpty();
    }

    Resolution access(long gva, int access) {
        MmuFault fault = new MmuFault();
        fault.gva = gva;
        fault.access = access;
        context.root();
        return context.resolve(fault);
    }

    /** The same when the processor has found a reserved bit set, which only the MMU can have set. */
    MmuFault reservedFault(long gva, int access) {
        MmuFault fault = new MmuFault();
        fault.gva = gva;
        fault.access = access;
        fault.errorCode = PageFaultError.PRESENT | PageFaultError.RESERVED;
        return fault;
    }

    /** The error code that the guest gets for {@code access} to {@code gva}. */
    int refused(long gva, int access) {
        MmuFault fault = new MmuFault();
        fault.gva = gva;
        fault.access = access;
        context.root();
        assertThat(context.resolve(fault)).isEqualTo(Resolution.INJECT);
        return fault.errorCode;
    }

    /** The spte that the hardware would use for {@code gva}; 0 if it finds none. */
    long spte(long gva) {
        long table = ((TranslationRoot.OneDimensional) context.root()).cr3();
        // Outside IA-32e mode the processor has real PAE paging: four PDPTEs without rights.
        int top = state.mode().isLong() ? state.mode().levels() : 3;
        for (int level = top; ; level--) {
            long spte = host.memory().load64((table & Spte.ADDRESS) + 8L * Spte.index(gva, level));
            if (level == 3 && top == 3) {
                assertThat(spte & ~Spte.ADDRESS & ~GuestFormat.PRESENT).as("rights in a PDPTE").isZero();
            }
            if (!SpteFormat.LEGACY.present(spte) || Spte.leaf(spte, level)) {
                return spte;
            }
            table = spte;
        }
    }

    /** What the hypervisor does with EMULATE: the store, then the notice. */
    void emulatedStore(long gpa, long value) {
        tables.entry(gpa, value);
        mmu.guestTableWritten(gpa, state.mode().entryBytes(), host.clock());
    }
}
