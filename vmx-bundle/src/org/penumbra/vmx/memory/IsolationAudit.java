package org.penumbra.vmx.memory;

import java.util.function.Consumer;
import org.eclipse.collections.impl.set.mutable.primitive.LongHashSet;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.memory.MemorySlot;
import org.penumbra.api.paging.LinearWalker;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.api.paging.StageWalker;
import org.penumbra.api.paging.TranslationRoot;
import org.penumbra.api.vmx.Vmcs;

/**
 * Checks what a processor could reach through the structures of one MMU, without asking it: from a root on, by the format that the
 * processor walks, each table must be held under the MMU's lease and each leaf lead to memory that the slots give the guest. Of a
 * two-dimensional root it must be the very frame that they give for the guest frame; of a one-dimensional one any of the guest's, since
 * which of them is the guest's tables' business. Nor may the guest put another root in the place of a one-dimensional one; and where it
 * can clear CR0.WP, a supervisor of it writes wherever it can read.
 *
 * <p>Entries that the processor would not use, because a bit is reserved or rights are misconfigured, lead nowhere. Nothing is charged
 * and nothing changed; the machine stands still meanwhile.
 *
 * <pre>
 *  SDM vol. 3, "4-Level Paging and 5-Level Paging",
 *  and nested tables (APM vol. 2, "Nested Page Tables")   SDM vol. 3, "The Extended Page Table Mechanism (EPT)"
 *  bit  0      P    present                               bits 2:0   R, W, X; W without R is a misconfiguration
 *  bit  1      R/W  writable                              bit  10    X for user mode, with mode-based execute control
 *  bit  7      PS   maps a page, in levels 2 and 3        bit  7     maps a page, in levels 2 and 3
 *  bits 51:12       frame                                 bits 51:12 frame
 *                                                         bit  61   in level 1, with sub-page write permissions: partly writable
 * </pre>
 */
public final class IsolationAudit {
    private static final long PRESENT = 1;
    private static final long READ = 1;
    private static final long WRITE = 1 << 1;
    private static final long EPT_RWX = 7;
    private static final long USER_EXECUTE = 1 << 10;
    private static final long LARGE = 1 << 7;
    private static final long SUB_PAGES = 1L << 61;
    private static final long FRAME = 0x000f_ffff_ffff_f000L;
    /** Tables above this many for each frame of the lease are reached again and again: the structures lead round in a circle. */
    private static final int MOST_VISITS = 8;

    private final HostMemory host;
    private final Lease lease;
    private final long reserved;
    private final Consumer<String> violations;
    /** Tables seen by (address, level), of one-dimensional roots, which may share them. */
    private final LongHashSet seen = new LongHashSet();
    /** Two-dimensional roots seen: the vCPUs of a machine share one. */
    private final LongHashSet trees = new LongHashSet();
    private long visits;
    private LongHashSet readable;
    private LongHashSet writable;
    private boolean nested;
    private boolean misconfigurable;
    private boolean subPages;
    private long present;
    /** R/W of an entry keeps nobody from writing. */
    private boolean unprotected;

    /** @param physicalAddressBits MAXPHYADDR: address bits of an entry from here up are reserved */
    public IsolationAudit(HostMemory host, Lease lease, int physicalAddressBits, Consumer<String> violations) {
        this.host = host;
        this.lease = lease;
        this.reserved = FRAME & -(1L << physicalAddressBits);
        this.violations = violations;
    }

    /**
     * Checks all that can be reached from {@code root} on, with the controls and registers in {@code vmcs}.
     *
     * @param inner it is a guest of the guest that runs: what its addresses are is its hypervisor's to say
     */
    public void run(TranslationRoot root, Vmcs vmcs, boolean inner) {
        visits = 0;
        if (root instanceof TranslationRoot.TwoDimensional two) {
            ept(two.eptp(), vmcs, inner);
        } else if (root instanceof TranslationRoot.Switching both) {
            ept(both.nested().eptp(), vmcs, inner);
            nested = false;
            unprotected = writesWhereItReads(vmcs);
            PagingMode mode = PagingMode.of(vmcs.guestCr0, vmcs.guestCr4, vmcs.guestEfer);
            if (mode.isLong()) {
                new LinearTables(both.walker()).table(both.register(), mode.levels(), both.register());
            }
        } else if (root instanceof TranslationRoot.Nested npt) {
            if (trees.add(npt.nCr3())) {
                nested = !inner;
                unprotected = false;
                misconfigurable = false;
                subPages = false;
                present = PRESENT;
                table(npt.nCr3() & FRAME, npt.levels(), 0, true, npt.nCr3());
            }
        } else if (root instanceof TranslationRoot.Own own) {
            if (trees.add(own.register())) {
                nested = true;
                own(own);
            }
        } else if (root instanceof TranslationRoot.OneDimensional one) {
            nested = false;
            misconfigurable = false;
            subPages = false;
            unprotected = writesWhereItReads(vmcs);
            present = PRESENT;
            if (!vmcs.cr3LoadExiting) {
                violations.accept("the guest can load CR3 without an exit, and leave the structures of the MMU");
            }
            oneDimensional(one.cr3(), vmcs);
        }
    }

    private static boolean writesWhereItReads(Vmcs vmcs) {
        return (vmcs.guestCr0 & vmcs.cr0Mask & ControlBits.CR0_WP) == 0;
    }

    private void ept(long eptp, Vmcs vmcs, boolean inner) {
        if (trees.add(eptp)) {
            nested = !inner;
            unprotected = false;
            misconfigurable = true;
            subPages = vmcs.subPageWrites;
            present = EPT_RWX | (vmcs.modeBasedExecute ? USER_EXECUTE : 0);
            table(eptp & FRAME, (int) (eptp >>> 3 & 7) + 1, 0, true, eptp);
        }
    }

    /**
     * A design's tables for linear addresses, by what the processor reads their entries with. Where the walk goes over to a guest's table that must be
     * a frame of the guest, and one that it may write if the processor sets flags in it.
     */
    private final class LinearTables implements LinearWalker.Meaning {
        private final LinearWalker walker;
        private long child;
        private long first;
        private boolean guestTable;
        private boolean page;
        private boolean write;

        LinearTables(LinearWalker walker) {
            this.walker = walker;
        }

        void table(long hpa, int level, long from) {
            if (!holds(hpa, from) || !seen.add(hpa | level << 1)) {
                return;
            }
            for (int i = 0; i < 512; i++) {
                long entry = host.physical().load64(hpa + 8L * i);
                child = 0;
                page = false;
                guestTable = false;
                try {
                    walker.read(level, entry, this);
                } catch (RuntimeException e) {
                    // What the processor cannot read leads nowhere.
                    continue;
                }
                if (child != 0 && level > 1) {
                    table(child, level - 1, entry);
                } else if (page || guestTable && level > 1) {
                    frames(entry, level, guestTable ? 1 : 1L << 9 * (level - 1));
                }
            }
        }

        private void frames(long entry, int level, long frames) {
            for (long pfn = first; pfn < first + frames; pfn++) {
                String problem = objection(pfn, write);
                if (!problem.isEmpty()) {
                    violations.accept(String.format("entry 0x%x of level %d leads to frame 0x%x, %s", entry, level, pfn, problem));
                    return;
                }
            }
        }

        @Override
        public void table(long hpa) {
            child = hpa;
        }

        @Override
        public void page(long hpa, long rights) {
            page = true;
            first = hpa >>> 12;
            write = unprotected || (rights & LinearWalker.WRITE) != 0;
        }

        @Override
        public void guestTable(long hpa, long rights, boolean flags) {
            guestTable = true;
            first = hpa >>> 12;
            write = flags;
        }
    }

    /** By the walker itself, which is hardware: each frame that a slot gives, and the structures that it reads on the way. */
    private void own(TranslationRoot.Own root) {
        OwnWalk walk = new OwnWalk();
        for (MemorySlot slot : host.slots().all()) {
            for (long gfn = slot.baseGfn(); gfn < slot.baseGfn() + slot.frames(); gfn++) {
                walk.gfn = gfn;
                root.walker().walk(root.register(), gfn << 12, walk);
            }
        }
    }

    private final class OwnWalk implements StageWalker.Walk {
        private long gfn;

        @Override
        public long load(int level, long hpa) {
            return holds(hpa & -4096L, hpa) ? host.physical().load64(hpa) : 0;
        }

        @Override
        public void found(long page, int shift, long rights) {
            String problem = (rights & EPT_RWX) == 0 ? "" : host.objection(gfn, (page >>> 12) + (gfn & (1L << shift - 12) - 1), (rights & WRITE) != 0);
            if (!problem.isEmpty()) {
                violations.accept(String.format("guest frame 0x%x leads to frame 0x%x, %s", gfn, page >>> 12, problem));
            }
        }

        @Override
        public void malformed() {
            // leads nowhere
        }
    }

    private void oneDimensional(long cr3, Vmcs vmcs) {
        PagingMode mode = PagingMode.of(vmcs.guestCr0, vmcs.guestCr4, vmcs.guestEfer);
        switch (mode) {
            case FOUR_LEVEL, FIVE_LEVEL -> table(cr3 & FRAME, mode.levels(), 0, true, cr3);
            case PAE -> pointers(cr3 & 0xffff_ffe0L);
            default -> violations.accept("the processor runs the guest in paging mode " + mode.label() + ", in which no structures of the MMU keep it in");
        }
    }

    /** The four entries of PAE paging that the PDPTE registers are loaded from. */
    private void pointers(long hpa) {
        if (!holds(hpa, hpa)) {
            return;
        }
        for (int i = 0; i < 4; i++) {
            long entry = host.physical().load64(hpa + 8L * i);
            if ((entry & PRESENT) != 0 && (entry & reserved) == 0) {
                table(entry & FRAME, 2, (long) i << 18, true, entry);
            }
        }
    }

    private boolean holds(long table, long from) {
        if (lease.holds(table)) {
            return true;
        }
        violations.accept(String.format("0x%x leads to a table at 0x%x, which the MMU does not hold", from, table));
        return false;
    }

    /** The table at {@code hpa} of {@code level}, for frames from {@code first}; {@code from} is what leads to it, for writes if {@code write}. */
    private void table(long hpa, int level, long first, boolean write, long from) {
        if (!holds(hpa, from) || !nested && !seen.add(hpa | level << 1 | (write ? 1 : 0))) {
            return;
        }
        if (++visits > MOST_VISITS * (lease.frames() + 1)) {
            if (visits == MOST_VISITS * (lease.frames() + 1) + 1) {
                violations.accept("the structures lead to the same tables again and again: the audit was given up");
            }
            return;
        }
        for (int i = 0; i < 512; i++) {
            long entry = host.physical().load64(hpa + 8L * i);
            if (!used(entry)) {
                continue;
            }
            long frame = first + ((long) i << 9 * (level - 1));
            boolean writes = unprotected || write && ((entry & WRITE) != 0 || subPages && level == 1 && (entry & SUB_PAGES) != 0);
            if (level == 1 || level <= 3 && (entry & LARGE) != 0) {
                leaf(entry, level, frame, writes);
            } else {
                table(entry & FRAME, level - 1, frame, writes, entry);
            }
        }
    }

    private boolean used(long entry) {
        boolean misconfigured = misconfigurable && (entry & READ) == 0 && (entry & WRITE) != 0;
        return (entry & present) != 0 && (entry & reserved) == 0 && !misconfigured;
    }

    private void leaf(long entry, int level, long frame, boolean write) {
        long frames = 1L << 9 * (level - 1);
        long pfn = (entry & FRAME) >>> 12 & -frames;
        for (long i = 0; i < frames; i++) {
            String problem = nested ? host.objection(frame + i, pfn + i, write) : objection(pfn + i, write);
            if (!problem.isEmpty()) {
                violations.accept(String.format("entry 0x%x of level %d leads %s 0x%x to frame 0x%x, %s",
                        entry, level, nested ? "guest frame" : "linear page", frame + i, pfn + i, problem));
                return;
            }
        }
    }

    private String objection(long pfn, boolean write) {
        if (readable == null) {
            readable = host.given(false);
            writable = host.given(true);
        }
        if (!readable.contains(pfn)) {
            return "which no slot gives the guest";
        }
        return write && !writable.contains(pfn) ? "writable, which is shared or read-only" : "";
    }
}
