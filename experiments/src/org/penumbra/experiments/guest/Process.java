package org.penumbra.experiments.guest;

import java.util.Map;
import java.util.TreeMap;

/** A process as the guest kernel knows it. */
final class Process {
    final int pid;
    final Process parent;
    final UserProgram program;
    final ProcessMemory memory;
    /** The frame of its kernel stack. */
    final long stack;

    /** Disjoint mappings by their start. */
    private final TreeMap<Long, Vma> vmas = new TreeMap<>();

    int children;
    int exitedChildren;
    boolean waiting;
    /** Interrupts of its vCPU up to which it has waited. */
    long interruptsSeen;
    boolean exited;

    Process(int pid, Process parent, UserProgram program, ProcessMemory memory, long stack) {
        this.pid = pid;
        this.parent = parent;
        this.program = program;
        this.memory = memory;
        this.stack = stack;
    }

    /** The mapping that holds {@code gva}, or null. */
    Vma find(long gva) {
        Map.Entry<Long, Vma> e = vmas.floorEntry(gva);
        return e != null && e.getValue().contains(gva) ? e.getValue() : null;
    }

    /** Adds {@code vma}; false if it overlaps another mapping. */
    boolean add(Vma vma) {
        Map.Entry<Long, Vma> before = vmas.lowerEntry(vma.end());
        if (before != null && before.getValue().end() > vma.start()) {
            return false;
        }
        vmas.put(vma.start(), vma);
        return true;
    }

    /** Cuts {@code [start, end)} out of the mappings. */
    void remove(long start, long end) {
        for (Vma v : overlapping(start, end)) {
            vmas.remove(v.start());
            if (v.start() < start) {
                vmas.put(v.start(), v.within(v.start(), start));
            }
            if (v.end() > end) {
                vmas.put(end, v.within(end, v.end()));
            }
        }
    }

    /** Sets whether the mappings in {@code [start, end)} may be written, cutting them at its borders. */
    void protect(long start, long end, boolean write) {
        Vma[] affected = overlapping(start, end);
        remove(start, end);
        for (Vma v : affected) {
            Vma part = v.within(start, end);
            vmas.put(part.start(), new Vma(part.start(), part.end(), write, part.execute(), part.contents(), part.large()));
        }
    }

    void copyMappings(Process from) {
        vmas.putAll(from.vmas);
    }

    private Vma[] overlapping(long start, long end) {
        return vmas.headMap(end).values().stream().filter(v -> v.end() > start).toArray(Vma[]::new);
    }
}
