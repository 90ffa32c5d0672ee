package org.penumbra.shadow;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.penumbra.api.mmu.MmuContext;
import org.penumbra.api.mmu.MmuFault;
import org.penumbra.api.mmu.Resolution;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.TranslationRoot;
import org.penumbra.testkit.fixture.FixtureHost;
import org.penumbra.testkit.fixture.GuestTables;

/** Shadow paging with hand-built guest tables; what the hardware would find is read from the real sptes. */
abstract class ShadowFixture {
    static final int USER_READ = Access.READ | Access.USER;
    static final int USER_WRITE = Access.WRITE | Access.USER;
    static final long GVA = 0x40_0000_0000L;

    final ShadowMmuFactory factory = new ShadowMmuFactory();
    FixtureHost host = new FixtureHost(factory, 1);
    ShadowMmu mmu;
    MmuContext context;
    GuestTables tables;

    void start() {
        mmu = (ShadowMmu) factory.create(host);
        context = mmu.newContext(host);
        tables = new GuestTables(host, 16);
        context.load(PagingState.longMode(tables.cr3()), false);
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

    /** The spte that the hardware would use for {@code gva}; 0 if it finds none. */
    long spte(long gva) {
        long table = ((TranslationRoot.OneDimensional) context.root()).cr3();
        for (int level = 4; ; level--) {
            long spte = host.memory().load64((table & Spte.ADDRESS) + 8 * (gva >>> 12 + 9 * (level - 1) & 511));
            if (!Spte.present(spte) || Spte.leaf(spte, level)) {
                return spte;
            }
            table = spte;
        }
    }

    /** What the hypervisor does with EMULATE: the store, then the notice. */
    void emulatedStore(long gpa, long value) {
        host.guest64(gpa, value);
        mmu.guestTableWritten(gpa, 8, host.clock());
    }
}
