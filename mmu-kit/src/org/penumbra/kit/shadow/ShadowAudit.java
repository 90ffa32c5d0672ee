package org.penumbra.kit.shadow;

import java.util.function.Consumer;
import org.penumbra.kit.GuestFormat;
import org.penumbra.kit.PteList;
import org.penumbra.kit.Rights;
import org.penumbra.kit.Role;
import org.penumbra.kit.ShadowPage;

/** Checks what must hold between shadow pages, reverse map, guest tables and protection. Under the MMU's lock. */
final class ShadowAudit {
    private final ShadowPaging mmu;
    private final Worker w;
    private final Consumer<String> violations;
    private long leaves;

    ShadowAudit(ShadowPaging mmu, Worker w, Consumer<String> violations) {
        this.mmu = mmu;
        this.w = w;
        this.violations = violations;
    }

    void run() {
        for (ShadowPage page : mmu.tree.pages.all()) {
            for (int i = 0; i < ShadowPage.ENTRIES; i++) {
                long spte = w.sptes.load(page.sptep(i));
                if (!mmu.format.present(spte)) {
                    absent(page, i, spte);
                    continue;
                }
                if (Spte.leaf(spte, page.level())) {
                    leaf(page, i, spte);
                } else {
                    table(page, i, spte);
                }
            }
            parents(page);
        }
        new AccountsAudit(mmu, w, violations).run();
        if (leaves != mmu.tree.rmap.size()) {
            violations.accept("the reverse map has " + mmu.tree.rmap.size() + " sptes, the shadow pages have " + leaves);
        }
    }

    /** What maps nothing is 0, or an MMIO spte; a processor that reads ahead finds nothing through either. */
    private void absent(ShadowPage page, int index, long spte) {
        if (spte == 0) {
            return;
        }
        if (mmu.mmio == null || !mmu.mmio.is(spte)) {
            violations.accept(at(page, index) + ": 0x" + Long.toHexString(spte) + " is neither a mapping, nor nothing, nor an MMIO spte");
        } else if (!mmu.mmio.leadsNowhere(spte)) {
            violations.accept(at(page, index) + ": the address in an MMIO spte is one of memory");
        } else if (page.level() > 1) {
            violations.accept(at(page, index) + ": an MMIO spte above level 1");
        } else if (mmu.mmio.current(spte, w.guest.generation()) && w.guest.mappingLevel(mmu.mmio.gfn(spte)) > 0) {
            violations.accept(at(page, index) + ": an MMIO spte for gfn 0x" + Long.toHexString(mmu.mmio.gfn(spte)) + ", which is memory");
        }
    }

    private void leaf(ShadowPage page, int index, long spte) {
        leaves++;
        long gfn = page.mappedGfn(index);
        if (!mmu.tree.rmap.contains(gfn, page.level(), page.sptep(index))) {
            violations.accept(at(page, index) + ": maps gfn 0x" + Long.toHexString(gfn) + " and is not in its reverse map");
        }
        if (Spte.pfn(spte) != w.guest.current(gfn)) {
            violations.accept(at(page, index) + ": maps a host frame that gfn 0x" + Long.toHexString(gfn) + " does not have");
        }
        if ((spte & (Spte.WRITABLE | Spte.MAY_WRITE)) != 0) {
            protection(page, index, gfn);
        }
        if (mmu.tree.nx.on() && page.level() > 1 && (mmu.format.rights(spte) & Rights.EXEC) != 0) {
            violations.accept(at(page, index) + ": large and executable");
        }
        if (!page.direct() && !page.unsync) {
            inStep(page, index, spte, gfn);
        }
    }

    private void protection(ShadowPage page, int index, long gfn) {
        long frames = 1L << 9 * (page.level() - 1);
        for (long f = gfn; f < gfn + frames; f++) {
            if (!w.guest.writable(f)) {
                violations.accept(at(page, index) + ": writable, but the host shares gfn 0x" + Long.toHexString(f));
            }
            boolean synced = mmu.tree.pages.shadowing(f, w.clock).stream().anyMatch(p -> !p.unsync);
            if (synced || mmu.tree.writesMustBeSeen(f)) {
                violations.accept(at(page, index) + ": writable, but gfn 0x" + Long.toHexString(f) + " holds a table that is in step");
            }
        }
    }

    private void inStep(ShadowPage page, int index, long spte, long gfn) {
        GuestFormat format = Role.format(page.role);
        long gpte = w.gpte(page, index);
        int level = page.level();
        boolean nxe = (page.role & Role.EFER_NX) != 0;
        boolean exceeds = !format.present(gpte)
                || !format.isLeaf(gpte, level)
                || format.reservedBits(gpte, level, nxe, mmu.host.physicalAddressBits()) != 0
                || format.pageGfn(gpte, level) + half(page, index) != gfn
                || grantsMore(page.role, spte, Role.rights(page.role) & format.rights(gpte));
        if (exceeds) {
            violations.accept(at(page, index) + ": says more than gpte 0x" + Long.toHexString(gpte));
        }
    }

    /** Of a 4 MiB page every other spte maps the upper half: the frames before it. */
    private static long half(ShadowPage page, int index) {
        return (long) (index & page.sptesPerGpte() - 1) << 9 * (page.level() - 1);
    }

    /** Does {@code spte} grant more than {@code rights} do under the guest's controls in {@code role}? */
    private boolean grantsMore(int role, long spte, int rights) {
        boolean kernel = (role & Role.KERNEL) != 0;
        boolean user = !kernel && (mmu.format.rights(spte) & Rights.USER) != 0;
        boolean executable = (mmu.format.rights(spte) & Rights.EXEC) != 0;
        if (kernel && (Role.keptBySmap(role, rights) || executable && (Role.granted(role, rights) & Rights.EXEC) == 0)) {
            return true;
        }
        if (user && (rights & Rights.USER) == 0 || executable && (rights & Rights.EXEC) == 0) {
            return true;
        }
        if (!Spte.writable(spte) || (rights & Rights.WRITE) != 0) {
            return false;
        }
        // Only a supervisor write with CR0.WP = 0 made it so; of a user page it made a supervisor page.
        boolean wasUser = (rights & Rights.USER) != 0;
        return user
                || (role & Role.CR0_WP) != 0
                || wasUser && (role & Role.SMAP_ANDNOT_WP) != 0
                || wasUser && executable && (role & Role.SMEP_ANDNOT_WP) != 0;
    }

    private void table(ShadowPage page, int index, long spte) {
        ShadowPage child = mmu.tree.pages.containing(Spte.address(spte));
        if (child == null) {
            violations.accept(at(page, index) + ": points at no shadow page");
        } else {
            if (!contains(child.parents, page.sptep(index))) {
                violations.accept(at(page, index) + ": its child does not know it");
            }
            if ((child.unsync || child.unsyncChildren > 0) && !page.isUnsyncChild(index)) {
                violations.accept(at(page, index) + ": leads to unsync pages and is not marked");
            }
            if (!page.direct()) {
                tableInStep(page, index, child);
            }
        }
    }

    /** An upper table is always in step: its gpte still names the table that the child shadows, or the large page that it splits. */
    private void tableInStep(ShadowPage page, int index, ShadowPage child) {
        GuestFormat format = Role.format(page.role);
        long gpte = w.gpte(page, index);
        boolean leaf = format.isLeaf(gpte, page.level());
        long gfn = leaf ? format.pageGfn(gpte, page.level()) + half(page, index) : format.gfn(gpte);
        if (!format.present(gpte) || leaf != child.direct() || gfn != child.gfn) {
            violations.accept(at(page, index) + ": leads to gfn 0x" + Long.toHexString(child.gfn) + ", and gpte 0x" + Long.toHexString(gpte)
                    + " does not");
        }
    }

    private void parents(ShadowPage page) {
        for (int i = 0; i < page.parents.size(); i++) {
            long spte = w.sptes.load(page.parents.get(i));
            if (Spte.address(spte) != page.spt) {
                violations.accept(at(page, 0) + ": a recorded parent points elsewhere");
            }
        }
    }

    private static boolean contains(PteList list, long address) {
        for (int i = 0; i < list.size(); i++) {
            if (list.get(i) == address) {
                return true;
            }
        }
        return false;
    }

    static String at(ShadowPage page, int index) {
        return String.format("level %d shadow page of gfn 0x%x%s, spte %d", page.level(), page.gfn, page.direct() ? " (direct)" : "", index);
    }
}
