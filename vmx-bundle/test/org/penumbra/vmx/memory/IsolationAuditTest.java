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

    @Test
    @DisplayName("H04 no structures keep a guest in that loads CR3 without an exit")
    void freeCr3() {
        vmcs.cr3LoadExiting = false;
        assertThat(violations()).singleElement().asString().contains("CR3");
    }
}
