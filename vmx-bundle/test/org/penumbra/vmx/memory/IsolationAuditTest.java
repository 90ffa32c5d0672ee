package org.penumbra.vmx.memory;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.EntryFormat;
import org.penumbra.api.paging.LinearWalker;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.TranslationRoot;
import org.penumbra.api.vmx.Vmcs;
import org.penumbra.testkit.fixture.FlatProfile;

/** Structures that lead a guest of a one-dimensional root to a page that the host shares, read-only. */
class IsolationAuditTest {
    private static final long TABLE = 3;
    private static final long READ_ONLY = 1;

    private final CycleClock clock = new CycleClock(new FlatProfile(Map.of()));
    private final HostMemory host = new HostMemory(4 << 20, 1, false);
    private final Lease lease = host.newLease();
    private final Vmcs vmcs = new Vmcs();
    private long root;

    @BeforeEach
    void build() {
        host.events().notify(new Notifier() {
            @Override
            public void invalidate(long gfn, long frames) {}

            @Override
            public void moved(long gfn) {}
        });
        host.pfn(5, true);
        host.pfn(6, true);
        assertThat(host.events().merge(5, 6)).isTrue();
        long below = host.pfn(5, false) << 12 | READ_ONLY;
        for (int level = 1; level <= 4; level++) {
            root = lease.allocate(clock);
            lease.access(clock).store(root, below);
            below = root | TABLE;
        }
        PagingState state = PagingState.longMode(0);
        vmcs.guestCr0 = state.cr0() | ControlBits.CR0_WP;
        vmcs.guestCr4 = state.cr4();
        vmcs.guestEfer = state.efer();
        vmcs.cr0Mask = ControlBits.CR0_WP;
        vmcs.cr3LoadExiting = true;
    }

    private List<String> violations() {
        List<String> found = new ArrayList<>();
        new IsolationAudit(host, lease, 46, found::add).run(new TranslationRoot.OneDimensional(root), vmcs, false);
        return found;
    }

    @Test
    @DisplayName("H04 a shared page may be mapped read-only where CR0.WP is 1 and stays so")
    void protectedPage() {
        assertThat(violations()).isEmpty();
    }

    @Test
    @DisplayName("H04 a shared page mapped read-only is in reach of a supervisor's writes where the guest can clear CR0.WP, or it is 0")
    void writeProtectOff() {
        vmcs.cr0Mask = 0;
        assertThat(violations()).singleElement().asString().contains("shared");
        vmcs.cr0Mask = ControlBits.CR0_WP;
        vmcs.guestCr0 &= ~ControlBits.CR0_WP;
        assertThat(violations()).singleElement().asString().contains("shared");
    }

    /** Tables whose entries of level 1 map a page, and of level 2 lead over to a table of the guest if bit 9 is set. */
    private static final LinearWalker LINEAR = new LinearWalker() {
        @Override
        public EntryFormat format() {
            throw new IllegalStateException("nobody watches");
        }

        @Override
        public void read(int level, long entry, Meaning meaning) {
            if ((entry & 1) != 0 && level == 1) {
                meaning.page(entry & -4096L, entry & WRITE);
            } else if ((entry & 1 << 9) != 0) {
                meaning.guestTable(entry & 0xffff_f000L, WRITE, (entry & 1 << 10) == 0);
            } else if ((entry & 1) != 0) {
                meaning.table(entry & -4096L);
            }
        }
    };

    private List<String> violationsOfSwitching() {
        List<String> found = new ArrayList<>();
        TranslationRoot.TwoDimensional ept = TranslationRoot.TwoDimensional.of(lease.allocate(clock), 4, false);
        new IsolationAudit(host, lease, 46, found::add).run(new TranslationRoot.Switching(LINEAR, root, ept), vmcs, false);
        return found;
    }

    /** The first entry of {@code level}. */
    private void entry(int level, long value) {
        long table = root;
        for (int l = 4; l > level; l--) {
            table = lease.access(clock).load(table) & -4096L;
        }
        lease.access(clock).store(table, value);
    }

    @Test
    @DisplayName("P09 H04 tables that a design's walker reads are audited: pages, tables of the guest, and tables that are not the MMU's")
    void switching() {
        long shared = host.pfn(5, false) << 12;
        long own = host.pfn(7, true) << 12;
        assertThat(violationsOfSwitching()).isEmpty();
        entry(1, shared | TABLE);
        assertThat(violationsOfSwitching()).singleElement().asString().contains("shared");
        entry(2, own | 1 << 9);
        assertThat(violationsOfSwitching()).isEmpty();
        entry(2, shared | 1 << 9);
        assertThat(violationsOfSwitching()).as("flags would be set in a shared table").singleElement().asString().contains("shared");
        entry(2, shared | 1 << 9 | 1 << 10);
        assertThat(violationsOfSwitching()).isEmpty();
        entry(2, own | TABLE);
        assertThat(violationsOfSwitching()).singleElement().asString().contains("does not hold");
        entry(2, lease.allocate(clock) | 1 << 9);
        assertThat(violationsOfSwitching()).singleElement().asString().contains("no slot");
    }

    @Test
    @DisplayName("H04 no structures keep a guest in that loads CR3 without an exit")
    void freeCr3() {
        vmcs.cr3LoadExiting = false;
        assertThat(violations()).singleElement().asString().contains("CR3");
    }
}
