package org.penumbra.testkit.contract;

import static org.penumbra.api.paging.ControlBits.*;
import static org.penumbra.testkit.reference.EntryBits.*;

import java.util.SplittableRandom;
import org.penumbra.api.cpu.Msr;
import org.penumbra.api.cpu.UpdateFunction;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.verify.Nesting;
import org.penumbra.testkit.script.Script;
import org.penumbra.testkit.script.ScriptedGuest;

/**
 * One vCPU of a {@link RandomGuest}: a few operations at a time that belong together, such as a change of an entry, the invalidation
 * that it needs (or not), and an access that would show a stale translation. It never invalidates more than it has a reason to.
 */
final class RandomVcpu extends ScriptedGuest {
    /** A guest hypervisor is called once in so many scripts. */
    private static final int CALLS = 4;
    private static final int NESTED_EXITS = 1_000;

    private final RandomGuest guest;
    private final GuestLayout layout;
    private final SplittableRandom random;
    private final int vcpu;
    private PagingState now;
    /** By PCID: the root that it was last loaded with. */
    private final int[] rootOf = new int[3];
    /** The frame of the pool that the script remakes, −1 for none; whether the script loads CR3. */
    private int making = -1;
    private boolean switches;
    /** The window's large pages are used, and not its small ones: for a while, so that what is cached of it is used again. */
    private boolean large;

    RandomVcpu(RandomGuest guest, int vcpu) {
        this.guest = guest;
        this.layout = guest.layout;
        this.random = guest.random;
        this.vcpu = vcpu;
    }

    @Override
    protected boolean advance(PagingState state) {
        now = state;
        judge();
        script.clear();
        large = random.nextInt(12) == 0 ? random.nextInt(3) == 0 : large;
        if (layout.levels == 0) {
            planUnpaged();
        } else {
            plan(random.nextInt(100));
        }
        if (guest.nesting != Nesting.NONE && random.nextInt(CALLS) == 0) {
            script.add(Script.VMCALL, 0, 0);
        }
        return true;
    }

    /** Each exit to a guest hypervisor can be for an entry that it has just changed. */
    @Override
    protected int mostExits() {
        return guest.nesting == Nesting.NONE ? super.mostExits() : NESTED_EXITS;
    }

    private void judge() {
        for (int i = 0; i < script.count; i++) {
            boolean own = layout.levels > 0 && layout.inWindow(script.address[i]);
            if (script.exception[i] == Script.STUCK || script.exception[i] == Script.NOWHERE || own && script.exception[i] == 14) {
                guest.problem("vCPU " + vcpu + ": " + Script.NAMES[script.kind[i]] + String.format(" at 0x%x: ", script.address[i])
                        + script.outcome(i));
            }
        }
        if (making >= 0) {
            guest.remade(making);
            making = -1;
        }
        if (switches) {
            guest.switched(vcpu);
            switches = false;
        }
    }

    private void planUnpaged() {
        switch (random.nextInt(12)) {
            case 0 -> script.add(Script.CR0, 0, now.cr0() ^ CR0_WP);
            case 1 -> script.add(Script.INVLPG, guest.address(0), 0);
            default -> access();
        }
    }

    private void plan(int kind) {
        if (kind < 32) {
            access();
        } else if (kind < 65) {
            edit();
        } else if (kind < 69) {
            invalidate(false);
        } else if (kind < 77) {
            switchTo(random.nextInt(3) == 0 ? guest.root(random.nextInt(guest.vcpus())) : guest.anyReady());
            access();
        } else if (kind < 80) {
            remake();
        } else if (kind < 82) {
            rework();
        } else if (kind < 86) {
            registers();
            access();
        } else if (kind < 87 && !layout.mode.isLong() && guest.nesting != Nesting.SHADOW) {
            unpaged();
            access();
        } else if (kind < 92) {
            look();
        } else if (kind < 96) {
            share();
        } else {
            guest.refocus();
            access();
        }
    }

    /** Reads, writes or fetches at the focus or near, once or twice, with another kind of access the second time. */
    private void access() {
        for (int n = random.nextInt(3); n >= 0; n--) {
            int slot = random.nextInt(GuestLayout.LEAF_ENTRIES) * layout.entryBytes;
            int user = random.nextInt(3) == 0 ? 0 : Access.USER;
            boolean ac = random.nextInt(4) == 0;
            switch (random.nextInt(8)) {
                case 0 -> script.access(guest.address(slot), Access.FETCH | user, ac, 1 + random.nextInt(4), 0);
                case 1 -> // across two pages
                        script.access(guest.address(0xffc), Access.READ | user, ac, 8, 0);
                case 2, 3, 4 -> script.access(guest.address(slot), Access.WRITE | user, ac, layout.entryBytes, guest.maker.datum());
                default -> script.access(guest.address(slot), Access.READ | user, ac, 1 + random.nextInt(8 - (slot & 7)), 0);
            }
        }
    }

    /** Changes an entry, mostly one on the path of the focus; then perhaps what makes the change valid; then perhaps looks. */
    private void edit() {
        long at;
        int level;
        long[][] path = guest.path(guest.root(vcpu));
        if (random.nextInt(4) != 0) {
            int step = random.nextBoolean() ? path.length - 1 : random.nextInt(path.length);
            level = (int) path[step][0];
            at = path[step][1];
        } else {
            int n = random.nextInt(layout.pool.length);
            level = Math.max(1, guest.preferred[n]);
            at = layout.pool[n] + (long) random.nextInt(layout.entries(level)) * layout.entryBytes;
        }
        if (level == 3 && layout.mode == PagingMode.PAE) {
            write(at, guest.maker.pdpte(), 8);
            if (random.nextInt(3) != 0) {
                switchTo(guest.root(vcpu));
            }
        } else {
            change(at, level);
            if (random.nextInt(5) < 2) {
                invalidate(true);
            }
        }
        if (random.nextInt(3) != 0) {
            access();
        }
    }

    private void change(long at, int level) {
        long old = guest.believed(at);
        switch (random.nextInt(9)) {
            case 0, 1 -> write(at, guest.maker.otherRights(old), layout.entryBytes);
            case 2 -> write(at, old ^ P, layout.entryBytes);
            case 3 -> {
                long bits = random.nextBoolean() ? A | D : random.nextBoolean() ? RW : US;
                guest.note(at, old & ~bits);
                script.update(window(at), layout.entryBytes, UpdateFunction.AND, ~bits);
            }
            case 4 -> {
                long entry = guest.maker.entry(level);
                guest.note(at, entry);
                script.update(window(at), layout.entryBytes, UpdateFunction.EXCHANGE, entry);
            }
            case 5 -> halves(at, guest.maker.entry(level));
            default -> write(at, guest.maker.entry(level), layout.entryBytes);
        }
    }

    /** An entry in pieces: the low byte alone, or as a guest writes one of 8 bytes with stores of 4, not present in between. */
    private void halves(long at, long entry) {
        long old = guest.believed(at);
        if (layout.entryBytes == 4 || random.nextInt(3) == 0) {
            long low = entry & 0x7f;
            guest.note(at, old & ~0xffL | low);
            script.window(Script.STORE, window(at), 1, low);
        } else {
            guest.note(at, entry);
            script.window(Script.STORE, window(at), 4, 0);
            script.window(Script.STORE, window(at) + 4, 4, entry >>> 32);
            script.window(Script.STORE, window(at), 4, entry & 0xffff_ffffL);
        }
    }

    private void write(long at, long entry, int bytes) {
        guest.note(at, entry);
        script.window(Script.STORE, window(at), bytes, entry);
    }

    private long window(long gpa) {
        return layout.shown(gpa, large);
    }

    /** INVLPG of the focus or near it, INVPCID, or CR3 again. */
    private void invalidate(boolean focus) {
        int kind = random.nextInt(8);
        if (kind == 0) {
            switchTo(guest.root(vcpu));
        } else if (kind == 1 && now.has4(CR4_PCIDE)) {
            script.invpcid(random.nextInt(4), random.nextInt(3), guest.address(0));
        } else {
            script.add(Script.INVLPG, guest.address(0), 0);
        }
    }

    private void switchTo(int n) {
        if (guest.inUse(n) || guest.ready[n]) {
            guest.switching(vcpu, n);
            switches = true;
            long value = guest.rootAddress(n);
            if (now.has4(CR4_PCIDE)) {
                int pcid = random.nextInt(rootOf.length);
                // A PCID goes to another address space with a flush only, as kernels do it.
                value |= pcid | (rootOf[pcid] == n && random.nextBoolean() ? CR3_NO_FLUSH : 0);
                rootOf[pcid] = n;
            } else {
                rootOf[0] = n;
            }
            script.add(Script.CR3, 0, value);
        }
    }

    /** A table that no vCPU runs on is given up and becomes one of another level, as freed pages do. */
    private void remake() {
        int n = random.nextInt(layout.pool.length);
        int level = 1 + random.nextInt(layout.levels);
        if (!guest.remake(n, level)) {
            return;
        }
        making = n;
        if (random.nextBoolean()) {
            script.window(Script.STORE, window(layout.pool[n]), (int) GuestLayout.PAGE, 0);
            for (int i = 0; i < GuestLayout.LEAF_ENTRIES; i++) {
                guest.note(layout.pool[n] + (long) i * layout.entryBytes, 0);
            }
        }
        for (int i = 0; i < layout.entries(level); i++) {
            if (random.nextInt(3) != 0) {
                write(layout.pool[n] + (long) i * layout.entryBytes, guest.maker.entry(level), layout.entryBytes);
            }
        }
        if (level == layout.levels) {
            for (long[] w : layout.windowEntries()) {
                write(layout.pool[n] + w[0] * layout.entryBytes, w[1], layout.entryBytes);
            }
        }
    }

    /** Another address space's top-level table is written all over, as a kernel does that makes a change in all of them, and then loaded. */
    private void rework() {
        int n = guest.anyReady();
        int level = layout.mode == PagingMode.PAE ? 2 : layout.levels;
        long table = layout.mode == PagingMode.PAE ? layout.format.table(guest.believed(guest.rootAddress(n))) : layout.pool[n];
        for (int i = 0; i < 4; i++) {
            write(table + (long) random.nextInt(layout.entries(level)) * layout.entryBytes, guest.maker.entry(level), layout.entryBytes);
        }
        switchTo(n);
        access();
    }

    /** Bits of control registers that change rights or what is cached. */
    private void registers() {
        switch (random.nextInt(layout.mode.isLong() ? 9 : 5)) {
            case 0, 1 -> script.add(Script.CR0, 0, now.cr0() ^ CR0_WP);
            case 2 -> script.add(Script.CR4, 0, now.cr4() ^ CR4_SMEP);
            case 3 -> script.add(Script.CR4, 0, now.cr4() ^ CR4_SMAP);
            case 4 -> script.add(Script.CR4, 0, now.cr4() ^ CR4_PGE);
            case 5 -> {
                if (now.has4(CR4_PCIDE) || (now.cr3() & CR3_PCID) == 0) {
                    script.add(Script.CR4, 0, now.cr4() ^ CR4_PCIDE);
                }
            }
            case 6 -> {
                script.add(Script.WRMSR, Msr.IA32_EFER, now.efer() ^ EFER_NXE);
                switchTo(guest.root(vcpu));
            }
            case 7 -> script.add(Script.CR4, 0, now.cr4() ^ (random.nextBoolean() ? CR4_PKE : CR4_PKS));
            default -> keyRights();
        }
    }

    /** What keys allow; key 0, which the window's entries have, always everything. */
    private void keyRights() {
        int rights = random.nextInt() & ~3;
        if (now.has4(CR4_PKE) && random.nextBoolean()) {
            script.add(Script.WRPKRU, 0, rights);
        } else {
            script.add(Script.WRMSR, Msr.IA32_PKRS, rights & 0xffff_ffffL);
        }
    }

    /** Paging off for a few accesses, to what are tables and pages otherwise, and on again. */
    private void unpaged() {
        script.add(Script.CR0, 0, now.cr0() & ~CR0_PG);
        for (int n = random.nextInt(4); n >= 0; n--) {
            long[] frames = random.nextBoolean() ? layout.pages : layout.pool;
            long gpa = frames[random.nextInt(frames.length)] + (long) random.nextInt(GuestLayout.LEAF_ENTRIES) * layout.entryBytes;
            script.access(gpa, random.nextBoolean() ? Access.WRITE : Access.READ, false, layout.entryBytes, guest.maker.datum());
        }
        script.add(Script.CR0, 0, now.cr0());
    }

    /** Touches tables through the window and changes nothing, so that this vCPU has cached where they are, writable. */
    private void look() {
        for (int n = random.nextInt(4); n >= 0; n--) {
            long at = layout.pool[random.nextInt(layout.pool.length)];
            if (random.nextBoolean()) {
                script.window(Script.LOAD, window(at), layout.entryBytes, 0);
            } else {
                script.update(window(at), layout.entryBytes, UpdateFunction.OR, 0);
            }
        }
    }

    /** The same table or page under a second entry of the same table, with other rights. */
    private void share() {
        long[][] path = guest.path(guest.root(vcpu));
        long[] step = path[random.nextInt(path.length)];
        int level = (int) step[0];
        if (level == 3 && layout.mode == PagingMode.PAE) {
            return;
        }
        long table = step[1] & -GuestLayout.PAGE;
        long other = table + (long) random.nextInt(layout.entries(level)) * layout.entryBytes;
        write(other, guest.maker.otherRights(guest.believed(step[1])), layout.entryBytes);
        access();
    }
}
