package org.penumbra.ept;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.penumbra.api.mmu.Mmu;
import org.penumbra.api.mmu.MmuContext;
import org.penumbra.api.mmu.MmuFactory;
import org.penumbra.api.mmu.MmuFault;
import org.penumbra.api.mmu.Resolution;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.TranslationRoot;
import org.penumbra.testkit.fixture.FixtureHost;

/** One MMU of {@link #format} on a fixture host; what the hardware would find is read from the real entries. */
abstract class TdpFixture {
    FixtureHost host;
    Mmu mmu;
    MmuContext context;

    /** The format that is tried. */
    abstract TdpFormat format();

    private MmuFactory factory() {
        return format() == TdpFormat.EPT ? new EptMmuFactory() : new NptMmuFactory();
    }

    /** A host with pages of {@code level}. */
    FixtureHost host(int level) {
        return new FixtureHost(factory(), level);
    }

    /** The same with the setting {@code name} of the design as {@code value}. */
    FixtureHost host(int level, String name, String value) {
        return host(level).with(TdpSettings.key(format(), name), value);
    }

    /** Makes the MMU at {@link #host}, or at one with 4 KiB pages. */
    void start() {
        host = host == null ? host(1) : host;
        mmu = factory().create(host);
        context = mmu.newContext(host);
        context.load(PagingState.longMode(0x1000), false);
        context.root();
    }

    @AfterEach
    void invariantsHold() {
        assertThat(violations()).isEmpty();
    }

    List<String> violations() {
        List<String> violations = new ArrayList<>();
        mmu.audit(host.clock(), violations::add);
        return violations;
    }

    /** @param qualification of an EPT violation; the bits that count mean the same in EXITINFO1 */
    Resolution violate(long gpa, long qualification) {
        MmuFault fault = new MmuFault();
        fault.gpa = gpa;
        fault.qualification = qualification;
        return context.resolve(fault);
    }

    private long top() {
        return context.root() instanceof TranslationRoot.TwoDimensional ept
                ? ept.eptp() & TdpFormat.ADDRESS : ((TranslationRoot.Nested) context.root()).nCr3();
    }

    int levels() {
        return context.root() instanceof TranslationRoot.TwoDimensional ept
                ? (int) (ept.eptp() >>> 3 & 7) + 1 : ((TranslationRoot.Nested) context.root()).levels();
    }

    /** The leaf for {@code gpa}, 0 if there is none. */
    long leaf(long gpa) {
        long table = top();
        for (int level = levels(); ; level--) {
            long entry = host.memory().load64((table & TdpFormat.ADDRESS) + 8L * TdpFormat.index(gpa >>> 12, level));
            if (!format().present(entry) || TdpFormat.leaf(entry, level)) {
                return entry;
            }
            table = entry;
        }
    }

    /** Address of the 4 KiB entry for {@code gpa}, in a table that exists. */
    long leafAt(long gpa) {
        return entryAt(gpa, 1);
    }

    /** Address of the entry that points at that table. */
    long tableAt(long gpa) {
        return entryAt(gpa, 2);
    }

    private long entryAt(long gpa, int of) {
        long table = top();
        for (int level = levels(); level > of; level--) {
            table = host.memory().load64((table & TdpFormat.ADDRESS) + 8L * TdpFormat.index(gpa >>> 12, level));
        }
        return (table & TdpFormat.ADDRESS) + 8L * TdpFormat.index(gpa >>> 12, of);
    }
}
