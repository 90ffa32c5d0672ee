package org.penumbra.testkit.lattice;

import org.penumbra.api.paging.PagingMode;
import org.penumbra.testkit.script.Script;

/** Looks at everything that accesses must leave alone: the other entries of the chain's tables, and the words in the pages. */
final class Sweep {
    private final Layout layout;
    private final KnownMemory memory;
    private final Findings findings;
    private final long[] words;
    /** What the loads of the script load, by gpa. */
    private final long[] loaded;

    Sweep(Layout layout, KnownMemory memory, Findings findings) {
        this.layout = layout;
        this.memory = memory;
        this.findings = findings;
        words = layout.words();
        loaded = new long[words.length + 512 * layout.levels];
    }

    void plan(Script script) {
        for (long word : words) {
            load(script, word, layout.wordBytes);
        }
        for (int l = 1; l <= layout.levels; l++) {
            boolean shared = l == layout.levels && layout.mode != PagingMode.PAE;
            for (int offset = 0; offset < 4096; offset += 8) {
                // The top table serves the window, too, whose entries are none of the lattice's.
                if (!shared || offset < 2048) {
                    load(script, layout.table(l) + offset, 8);
                }
            }
        }
        // From here on without what has been cached, so that caches are met in every state between empty and full.
        script.add(Script.CR3, 0, layout.cr3());
    }

    private void load(Script script, long gpa, int bytes) {
        loaded[script.window(Script.LOAD, layout.shown(gpa), bytes, 0)] = gpa;
    }

    /** @param last the last vector that was run */
    void judge(Script script, Vector last) {
        int i = 0;
        for (int w = 0; w < words.length; w++, i++) {
            compare(script, i, memory.contents[w], last);
            memory.contents[w] = script.value[i];
        }
        for (; i < script.count - 1; i++) {
            compare(script, i, memory.applyAsLong(loaded[i]), last);
        }
    }

    private void compare(Script script, int i, long expected, Vector last) {
        if (script.exception[i] == Script.NONE && script.value[i] == expected) {
            return;
        }
        findings.wrong(last.number, "before or at this vector", String.format(
                "memory at gpa 0x%x holds 0x%x (%s); it should hold 0x%x, which no vector since has changed",
                loaded[i], script.value[i], script.outcome(i), expected));
    }
}
