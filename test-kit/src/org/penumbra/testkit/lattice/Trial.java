package org.penumbra.testkit.lattice;

import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.Pdptes;
import org.penumbra.testkit.reference.EntryBits;
import org.penumbra.testkit.reference.TableFormat;
import org.penumbra.testkit.script.Script;

/**
 * One vector: edits the entries that differ from the vector before, invalidates what that asks for, makes the access, looks at the entries
 * and at the page, and makes it once more, now perhaps from the TLB.
 */
final class Trial {
    private final Lattice lattice;
    private final Layout layout;
    private final int maxPhyAddr;
    private final KnownMemory memory;
    private final Findings findings;
    private final Expectation[] expected;
    private final long[] entryAt;
    private final long[] wordAt;
    /** Script indices: of the two accesses, and of the first load after each. */
    private final int[] access = new int[2];
    private final int[] looked = new int[2];
    /** The entries before the edits. */
    private final long[] before;
    private int loadPdptes;
    private boolean refusesPdptes;
    private Vector vector;
    private PagingState state;
    /** After a disagreement nothing is taken for granted. */
    private boolean afresh = true;

    Trial(Lattice lattice, int maxPhyAddr, KnownMemory memory, Findings findings) {
        this.lattice = lattice;
        this.layout = lattice.layout;
        this.maxPhyAddr = maxPhyAddr;
        this.memory = memory;
        this.findings = findings;
        expected = new Expectation[] {new Expectation(layout, maxPhyAddr), new Expectation(layout, maxPhyAddr)};
        entryAt = new long[layout.levels + 1];
        for (int l = 1; l <= layout.levels; l++) {
            entryAt[l] = layout.shown(layout.entry(l));
        }
        wordAt = layout.words();
        for (int i = 0; i < wordAt.length; i++) {
            wordAt[i] = layout.shown(wordAt[i]);
        }
        before = new long[layout.levels + 1];
    }

    /** Plans {@code v}; false if it would reach where no memory is. */
    boolean plan(Script s, Vector v) {
        vector = v;
        state = lattice.controls.state(v.control);
        System.arraycopy(memory.entries, 0, before, 0, before.length);
        edit(s, v);
        loadPdptes = -1;
        if (v.family == Lattice.Family.PDPTES) {
            changePdpte(s, v);
        }
        expected[0].of(state, v.gva, v.access, memory);
        if (expected[0].exception == Script.NONE && memory.word(expected[0].gpa) < 0) {
            s.clear();
            System.arraycopy(before, 0, memory.entries, 0, before.length);
            return false;
        }
        plan(s, 0, v.number << 1);
        plan(s, 1, v.number << 1 | 1);
        if (v.family == Lattice.Family.PDPTES) {
            s.window(Script.STORE, pdpteAt(v), 8, layout.pdptes()[v.pdpteIndex]);
            s.add(Script.CR3, 0, layout.cr3());
        }
        return true;
    }

    /**
     * Entries that were present may be cached, so that their change needs an invalidation; others never are (SDM vol. 3, "Caching
     * Translation Information" and "Operations that Invalidate TLBs and Paging-Structure Caches").
     */
    private void edit(Script s, Vector v) {
        boolean stale = false;
        for (int l = 1; l <= layout.levels; l++) {
            long now = memory.entries[l];
            long goal = v.path[l];
            if (goal == Paths.ANY) {
                continue;
            }
            if (goal != now || afresh) {
                s.window(Script.STORE, entryAt[l], layout.entryBytes, goal);
                stale |= (now & EntryBits.P) != 0;
                memory.entries[l] = goal;
            }
        }
        if (afresh) {
            s.add(Script.CR3, 0, layout.cr3());
        } else if (stale) {
            s.add(Script.INVLPG, layout.gva, 0);
        }
    }

    private long pdpteAt(Vector v) {
        return layout.shown(Layout.PDPTES) + 8L * v.pdpteIndex;
    }

    private void changePdpte(Script s, Vector v) {
        s.window(Script.STORE, pdpteAt(v), 8, v.pdpte);
        refusesPdptes = false;
        if (!v.loads) {
            return;
        }
        loadPdptes = s.add(Script.CR3, 0, layout.cr3());
        // SDM vol. 3, "PDPTE Registers": #GP(0) for a reserved bit in a PDPTE that is present, and then no register changes.
        long reserved = TableFormat.PAE_IN_MEMORY.reserved(3, false, maxPhyAddr, true);
        refusesPdptes = (v.pdpte & EntryBits.P) != 0 && (v.pdpte & reserved) != 0;
        if (!refusesPdptes) {
            long[] p = layout.pdptes();
            p[v.pdpteIndex] = v.pdpte;
            state = state.withPdptes(new Pdptes(p[0], p[1], p[2], p[3]));
        }
    }

    private void plan(Script s, int n, long datum) {
        access[n] = s.access(vector.gva, vector.access, vector.ac, layout.wordBytes, datum);
        looked[n] = s.count;
        for (int l = 1; l <= layout.levels; l++) {
            s.window(Script.LOAD, entryAt[l], layout.entryBytes, 0);
        }
        if (expected[0].exception == Script.NONE && Access.isWrite(vector.access)) {
            s.window(Script.LOAD, wordAt[memory.word(expected[0].gpa)], layout.wordBytes, 0);
        }
    }

    void judge(Script s) {
        findings.ran();
        afresh = false;
        if (loadPdptes >= 0 && s.exception[loadPdptes] != (refusesPdptes ? 13 : Script.NONE)) {
            wrong("MOV to CR3 with PDPTE " + vector.pdpteIndex + String.format(" 0x%x: ", vector.pdpte) + s.outcome(loadPdptes)
                    + "; specification: " + (refusesPdptes ? "#GP(0)" : "no fault"), null);
        }
        judge(s, 0);
        if (!afresh) {
            expected[1].of(state, vector.gva, vector.access, memory);
            judge(s, 1);
        }
        for (int i = 0; i < s.count && !afresh; i++) {
            if (s.exception[i] != Script.NONE && i != access[0] && i != access[1] && i != loadPdptes) {
                wrong(Script.NAMES[s.kind[i]] + String.format(" at 0x%x of the guest's own: ", s.address[i]) + s.outcome(i), null);
            }
        }
    }

    private void judge(Script s, int n) {
        Expectation e = expected[n];
        int i = access[n];
        String which = n == 0 ? "" : "again: ";
        boolean same = s.exception[i] == e.exception;
        if (same && e.exception != Script.NONE) {
            same = s.errorCode[i] == e.errorCode && (e.exception != 14 || s.cr2[i] == vector.gva);
        }
        if (!same) {
            wrong(which + s.outcome(i), e);
        } else if (e.exception == Script.NONE) {
            reached(s, n, e, which);
        }
        for (int l = 1; l <= layout.levels; l++) {
            long found = s.value[looked[n] + l - 1];
            long was = memory.entries[l];
            if (!e.allows(l, was, found)) {
                wrong(which + String.format("%s became 0x%x from 0x%x", TableFormat.name(l), found, was), e);
            }
            memory.entries[l] = found;
        }
    }

    /** An allowed access: did it lead to the right place? */
    private void reached(Script s, int n, Expectation e, String which) {
        int word = memory.word(e.gpa);
        if (Access.isWrite(vector.access)) {
            long stored = mask(s.value[access[n]]);
            long found = s.value[looked[n] + layout.levels];
            if (found != stored) {
                wrong(which + String.format("0x%x was stored, and 0x%x is there", stored, found), e);
            }
            memory.contents[word] = found;
        } else if (s.value[access[n]] != mask(memory.contents[word])) {
            wrong(which + String.format("0x%x was read, and 0x%x is there", s.value[access[n]], memory.contents[word]), e);
        }
    }

    private long mask(long value) {
        return layout.wordBytes == 8 ? value : value & 0xffff_ffffL;
    }

    private void wrong(String found, Expectation e) {
        boolean tells = findings.tells(vector.number);
        findings.wrong(vector.number, tells ? situation() : null,
                tells ? found + (e == null ? "" : "; specification: " + e.describe() + flags(e)) : null);
        afresh = true;
    }

    private String situation() {
        StringBuilder b = new StringBuilder(lattice.controls.describe(vector.control));
        b.append("; ");
        for (int l = layout.levels; l >= 1; l--) {
            if (vector.path[l] != Paths.ANY) {
                b.append(TableFormat.name(l)).append(String.format(" 0x%x, ", vector.path[l]));
            }
        }
        if (vector.family == Lattice.Family.PDPTES) {
            b.append(String.format("PDPTE %d 0x%x %s, ", vector.pdpteIndex, vector.pdpte, vector.loads ? "loaded" : "in memory only"));
        }
        return b.append(Access.describe(vector.access)).append(String.format(" at 0x%x", vector.gva)).append(vector.ac ? ", AC 1" : "").toString();
    }

    private String flags(Expectation e) {
        StringBuilder b = new StringBuilder();
        for (int l = layout.levels; l >= 1; l--) {
            long sets = e.sets(l);
            if (sets != 0) {
                b.append(", sets ").append((sets & EntryBits.A) != 0 ? "A" : "").append((sets & EntryBits.D) != 0 ? "D" : "")
                        .append(" of ").append(TableFormat.name(l));
            }
        }
        return b.toString();
    }
}
