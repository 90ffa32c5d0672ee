package org.penumbra.ept;

import java.util.function.Consumer;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.memory.FrameAccess;
import org.penumbra.api.memory.GuestMemory;

/**
 * Checks that each leaf maps the host frame its guest frame has, that no frame is writable whose writes must be seen, and no large leaf
 * executable if none may be.
 */
final class TdpAudit {
    private final TdpFormat format;
    private final TdpMmu mmu;
    private final FrameAccess entries;
    private final GuestMemory guest;
    private final boolean nxHugePages;
    private final Consumer<String> violations;
    private long tables;

    TdpAudit(TdpMmu mmu, CycleClock clock, boolean nxHugePages, Consumer<String> violations) {
        this.format = mmu.format;
        this.mmu = mmu;
        this.entries = mmu.host.lease().access(clock);
        this.guest = mmu.host.guestMemory(clock);
        this.nxHugePages = nxHugePages;
        this.violations = violations;
    }

    /** Checks the tree from {@code top} on, which has {@code count} tables besides. */
    void tree(long top, int levels, long count) {
        table(top, levels, 0);
        if (tables != count) {
            violations.accept(String.format("the tree has %d tables below its root, and %d are counted", tables, count));
        }
    }

    /** Checks the table at {@code table} of {@code level}, which maps guest frames from {@code firstGfn}. */
    private void table(long table, int level, long firstGfn) {
        for (int i = 0; i < 512; i++) {
            long entry = entries.load(table + 8L * i);
            long gfn = firstGfn + ((long) i << 9 * (level - 1));
            if (!format.present(entry)) {
                continue;
            }
            if (TdpFormat.leaf(entry, level)) {
                leaf(entry, level, gfn);
            } else {
                tables++;
                table(TdpFormat.address(entry), level - 1, gfn);
            }
        }
    }

    private void leaf(long entry, int level, long gfn) {
        if (nxHugePages && level > 1 && format.executable(entry)) {
            violations.accept(String.format("level %d leaf for gfn 0x%x is executable", level, gfn));
        }
        for (long f = gfn; f < gfn + (1L << 9 * (level - 1)); f++) {
            long expected = (TdpFormat.address(entry) >>> 12) + f - gfn;
            if (guest.current(f) != expected) {
                violations.accept(String.format("level %d leaf for gfn 0x%x maps pfn 0x%x, the host has 0x%x", level, f, expected, guest.current(f)));
            }
            if (TdpFormat.writable(entry) && !guest.writable(f)) {
                violations.accept(String.format("level %d leaf for gfn 0x%x is writable, but the host shares the frame", level, f));
            }
            if (TdpFormat.writable(entry) && mmu.mustSee(f)) {
                violations.accept(String.format("level %d leaf for gfn 0x%x is writable, but writes to the frame must be seen", level, f));
            }
            long partly = mmu.permitted(entry, f, entries);
            if ((partly & ~SubPageTable.permitting(mmu.mustSeeOf(f))) != 0 || partly != 0 && !guest.writable(f)) {
                violations.accept(String.format("the sub-page permissions 0x%x of gfn 0x%x permit writes that must be seen, or that the host forbids", partly, f));
            }
        }
    }
}
