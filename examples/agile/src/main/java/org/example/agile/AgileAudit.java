package org.example.agile;

import java.util.function.Consumer;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.memory.GuestMemory;
import org.penumbra.api.memory.GuestMemoryException;
import org.penumbra.api.mmu.MmuHost;
import org.penumbra.kit.GuestFormat;
import org.penumbra.kit.Role;
import org.penumbra.kit.ShadowPage;

/** What must hold between the structures, checked entry by entry. Under the MMU's lock. */
final class AgileAudit {
    private final MmuHost host;
    private final EptTree ept;
    private final ShadowTree shadow;
    private final TableModes modes;
    private final CycleClock clock;
    private final Consumer<String> violations;
    private final GuestMemory guest;

    AgileAudit(MmuHost host, EptTree ept, ShadowTree shadow, TableModes modes, CycleClock clock, Consumer<String> violations) {
        this.host = host;
        this.ept = ept;
        this.shadow = shadow;
        this.modes = modes;
        this.clock = clock;
        this.violations = violations;
        this.guest = host.guestMemory(clock);
    }

    void run() {
        ept.leaves(clock, (gfn, entry) -> frame("EPT", gfn, EptTree.pfn(entry), EptTree.writable(entry), true));
        shadow.visit(clock, this::entry);
    }

    private void entry(ShadowPage page, int index, long entry) {
        if (!page.direct() && modes.nested(page.gfn)) {
            complain("the table in gfn 0x%x is nested, and shadowed", page.gfn, 0);
        }
        long gfn = shadow.leadsTo(page, index, entry);
        boolean switching = SwitchingWalker.switching(entry);
        if (gfn >= 0) {
            frame("shadow", gfn, SwitchingWalker.address(entry) >>> 12, (entry & SwitchingWalker.WRITABLE) != 0, !switching);
            if (!shadow.recorded(page, index, entry, gfn)) {
                complain("the reverse map lacks an entry for gfn 0x%x", gfn, 0);
            }
            if (switching && !modes.nested(gfn)) {
                complain("an entry switches to the table in gfn 0x%x, which is not nested", gfn, 0);
            }
        }
        if (!page.direct()) {
            inStep(page, index, gfn >= 0 ? gfn : shadow.child(entry).gfn);
        }
    }

    /** The guest's own entry must lead where the shadow entry does. */
    private void inStep(ShadowPage page, int index, long gfn) {
        GuestFormat format = Role.format(page.role);
        long gpte;
        try {
            gpte = guest.load(page.gpteGpa(index), 8);
        } catch (GuestMemoryException e) {
            gpte = -1;
        }
        boolean leaf = format.isLeaf(gpte, page.level());
        long to = leaf ? format.pageGfn(gpte, page.level()) : format.gfn(gpte);
        if (!format.present(gpte) || to != gfn) {
            complain("the shadow of an entry leads to gfn 0x%x, the entry is 0x%x", gfn, gpte);
        }
    }

    private void frame(String where, long gfn, long pfn, boolean writable, boolean byGuest) {
        if (pfn != guest.current(gfn)) {
            complain(where + " maps gfn 0x%x to 0x%x, and the host has another frame", gfn, pfn);
        }
        boolean forbidden = !guest.writable(gfn) || host.writeTracking().isTracked(gfn) || byGuest && (shadow.shadows(gfn, clock) || modes.watched(gfn));
        if (writable && forbidden) {
            complain(where + " has gfn 0x%x writable, which is tracked, shared, read-only, shadowed or watched", gfn, 0);
        }
    }

    private void complain(String format, long first, long second) {
        violations.accept(String.format(format, first, second));
    }
}
