package org.penumbra.testkit.contract;

import static org.penumbra.testkit.reference.EntryBits.*;

import java.util.SplittableRandom;
import org.eclipse.collections.impl.map.mutable.primitive.LongLongHashMap;
import org.penumbra.api.machine.GuestBoot.Loader;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.api.paging.PagingState;
import org.penumbra.testkit.reference.AccessRights;
import org.penumbra.testkit.reference.ReferenceWalker;
import org.penumbra.testkit.reference.Walk;
import org.penumbra.testkit.script.Script;
import org.penumbra.testkit.script.ScriptedGuest;

/**
 * One vCPU of a {@link ThreadedGuest}. It invalidates whatever it changes, so that the walk of the specification through what it wrote
 * tells the outcome of its next access: the place, or the error code. Of the table that all have it knows only what its pages contain.
 */
final class ThreadedVcpu extends ScriptedGuest {
    /** Entries of page directories: the two leaf tables, the common one, a large page. */
    private static final int COMMON = 2;
    private static final int LARGE = 3;

    private final ThreadedGuest guest;
    private final GuestLayout layout;
    private final SplittableRandom random;
    private final int vcpu;
    private final ReferenceWalker walker;
    private final Walk walk = new Walk();
    /** What this vCPU wrote, by the gpa of 8 bytes; flags that processors set are left out. */
    private final LongLongHashMap words = new LongLongHashMap();
    private final int wordBytes;
    private PagingState now;
    private boolean secondRoot;
    /** The access of the script that is judged, −1 for none; what it is to come to; whether it is one to a page that all have. */
    private int access = -1;
    private int outcome;
    private long value;
    private boolean common;

    ThreadedVcpu(ThreadedGuest guest, int vcpu, int physicalAddressBits, SplittableRandom random) {
        this.guest = guest;
        this.layout = guest.layout;
        this.vcpu = vcpu;
        this.random = random;
        this.walker = new ReferenceWalker(physicalAddressBits);
        this.wordBytes = layout.mode.isLong() ? 8 : 4;
    }

    /** The value of CR3. */
    long root() {
        return layout.levels == 0 ? 0 : layout.mode == PagingMode.PAE ? GuestLayout.pdpt(vcpu) : table(layout.levels + (secondRoot ? 1 : 0));
    }

    private long table(int level) {
        return guest.table(vcpu, level);
    }

    /** Writes tables and pages. */
    void load(Loader loader) {
        for (int n = 0; n < ThreadedGuest.PAGES; n++) {
            put(loader, guest.page(vcpu, n), random.nextLong());
        }
        for (int level = 0; level <= layout.levels + 1 && layout.levels > 0; level++) {
            if (level > layout.levels && layout.mode == PagingMode.PAE) {
                continue;
            }
            long[] entries = new long[512];
            int serves = Math.min(Math.max(level, 1), layout.levels);
            for (int i = 0; i < (serves == 1 ? ThreadedGuest.PAGES : serves == 2 ? 4 : 1); i++) {
                layout.put(entries, i, entry(serves, i));
            }
            if (serves == layout.levels) {
                for (long[] w : layout.windowEntries()) {
                    layout.put(entries, (int) w[0], w[1]);
                }
            }
            for (int i = 0; i < entries.length; i++) {
                if (entries[i] != 0) {
                    put(loader, table(level) + 8L * i, entries[i]);
                }
            }
        }
        if (layout.mode == PagingMode.PAE) {
            put(loader, GuestLayout.pdpt(vcpu), table(2) | P);
            put(loader, GuestLayout.pdpt(vcpu) + 24, layout.windowPdpte());
        }
    }

    private void put(Loader loader, long gpa, long word) {
        words.put(gpa, word);
        loader.store64(gpa, word);
    }

    /** A new entry {@code index} of a table at {@code level}. */
    private long entry(int level, int index) {
        long rights = (random.nextInt(6) == 0 ? 0 : P) | (random.nextInt(4) == 0 ? 0 : RW) | (random.nextInt(6) == 0 ? 0 : US)
                | (random.nextBoolean() ? A : 0) | (layout.entryBytes == 8 && random.nextInt(8) == 0 ? XD : 0);
        if (level == 1) {
            return guest.page(vcpu, random.nextInt(ThreadedGuest.PAGES)) | rights | (random.nextBoolean() ? D : 0);
        }
        if (level > 2) {
            return table(level - 1) | rights;
        }
        return switch (index) {
            case COMMON -> guest.commonTable() | P | RW | US;
            // Reads of pages that nobody else writes lead to those of this vCPU, which lie in this region.
            case LARGE -> layout.region(2) | rights | D | PS;
            default -> table(random.nextInt(2)) | rights;
        };
    }

    /** A fault is retried as long as a host event on another thread goes on, which can be as long as that is not scheduled. */
    @Override
    protected int mostExits() {
        return 10_000_000;
    }

    @Override
    protected boolean advance(PagingState state) {
        now = state;
        judge();
        script.clear();
        access = -1;
        if (layout.levels > 0) {
            change(random.nextInt(12));
        }
        plan();
        return true;
    }

    private void change(int kind) {
        if (kind < 4) {
            int index = random.nextInt(ThreadedGuest.PAGES);
            write(table(random.nextInt(2)), index, entry(1, index));
            if (random.nextInt(4) == 0) {
                reload();
            } else {
                script.add(Script.INVLPG, gva(0, index, 0), 0);
                script.add(Script.INVLPG, gva(1, index, 0), 0);
            }
        } else if (kind == 4) {
            int level = 2 + random.nextInt(layout.levels - 1);
            int index = level > 2 ? 0 : random.nextInt(3) == 0 ? LARGE : random.nextInt(2);
            write(level == layout.levels ? root(level) : table(level), index, entry(level, index));
            reload();
        } else if (kind == 5) {
            secondRoot = layout.mode != PagingMode.PAE && !secondRoot;
            reload();
        } else if (kind == 6 && vcpu == 0) {
            int index = random.nextInt(ThreadedGuest.PAGES);
            long rights = random.nextInt(4) == 0 ? 0 : P | US | (random.nextBoolean() ? RW : 0);
            script.window(Script.STORE, window(guest.commonTable() + (long) index * layout.entryBytes), layout.entryBytes,
                    guest.commonPage(index) | rights);
            script.add(Script.INVLPG, gva(COMMON, index, 0), 0);
        }
    }

    /** The table in use at the highest level. */
    private long root(int level) {
        return layout.mode == PagingMode.PAE ? table(level) : root();
    }

    private void reload() {
        now = now.withCr3(root());
        script.add(Script.CR3, 0, root());
    }

    private void write(long table, int index, long entry) {
        long at = table + (long) index * layout.entryBytes;
        store(at, layout.entryBytes, entry);
        script.window(Script.STORE, window(at), layout.entryBytes, entry);
    }

    private long window(long gpa) {
        return layout.shown(gpa, random.nextInt(3) == 0);
    }

    private long gva(int directory, int index, int offset) {
        return ((long) directory << layout.shift(2)) + (long) index * GuestLayout.PAGE + offset;
    }

    private void plan() {
        int page = random.nextInt(ThreadedGuest.PAGES);
        int directory = random.nextInt(4);
        int user = random.nextInt(3) == 0 ? 0 : Access.USER;
        int kind = random.nextInt(5) == 0 ? Access.FETCH : random.nextInt(2);
        long gva;
        if (layout.levels == 0) {
            gva = guest.page(vcpu, page);
            common = false;
        } else if (directory == LARGE) {
            // Within the region a page of this vCPU's.
            gva = gva(LARGE, 0, 0) + (guest.page(vcpu, page) - layout.region(2));
            common = false;
        } else {
            gva = gva(directory, page, 0);
            common = directory == COMMON;
        }
        outcome = walker.walk(now, gva, kind | user, at -> words.get(at), walk);
        long datum = common ? ThreadedGuest.commonWord(page) | ThreadedGuest.commonWord(page) << 32 : random.nextLong();
        access = script.access(gva, kind | user, false, wordBytes, datum & mask());
        if (common) {
            value = ThreadedGuest.commonWord(page) | ThreadedGuest.commonWord(page) << 32;
        } else if (outcome == AccessRights.ALLOWED) {
            if (kind == Access.WRITE) {
                store(walk.gpa, wordBytes, datum);
            }
            value = words.get(walk.gpa);
        }
    }

    private long mask() {
        return wordBytes == 8 ? -1L : 0xffff_ffffL;
    }

    /** This vCPU will have written {@code bytes} (4 or 8) at {@code gpa}. */
    private void store(long gpa, int bytes, long datum) {
        if (bytes == 8) {
            words.put(gpa, datum);
        } else {
            int shift = 8 * (int) (gpa & 4);
            long old = words.get(gpa & -8L);
            words.put(gpa & -8L, old & ~(0xffff_ffffL << shift) | (datum & 0xffff_ffffL) << shift);
        }
    }

    private void judge() {
        for (int i = 0; i < script.count; i++) {
            boolean faulted = script.exception[i] != Script.NONE;
            if (i == access) {
                judgeAccess(i, faulted);
            } else if (faulted) {
                wrong(i, "no fault");
            }
        }
    }

    private void judgeAccess(int i, boolean faulted) {
        if (common) {
            if (faulted ? script.exception[i] != 14 : (script.value[i] & mask()) != (value & mask())) {
                wrong(i, String.format("0x%x or a page fault", value & mask()));
            }
        } else if (outcome != AccessRights.ALLOWED) {
            if (!faulted || script.exception[i] != 14 || script.errorCode[i] != outcome || script.cr2[i] != script.address[i]) {
                wrong(i, String.format("#PF 0x%x", outcome));
            }
        } else if (faulted || (script.value[i] & mask()) != (value & mask())) {
            wrong(i, String.format("0x%x", value & mask()));
        }
    }

    private void wrong(int i, String expected) {
        guest.problem(String.format("vCPU %d: %s at 0x%x (%s): %s, value 0x%x; by the tables, which nobody else changes: %s", vcpu,
                Script.NAMES[script.kind[i]], script.address[i], Access.describe(script.access[i]), script.outcome(i), script.value[i], expected));
    }
}
