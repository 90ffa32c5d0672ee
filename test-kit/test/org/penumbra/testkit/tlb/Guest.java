package org.penumbra.testkit.tlb;

import static org.penumbra.api.paging.ControlBits.*;

import java.util.HashMap;
import java.util.Map;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.api.paging.PagingState;
import org.penumbra.testkit.tlb.AbstractTlb.Verdict;

/** A guest's memory, put by the host at {@link #BASE}, and the abstract TLB that watches it. */
final class Guest {
    static final long P = 1;
    static final long W = 2;
    static final long U = 4;
    static final long A = 0x20;
    static final long D = 0x40;
    static final long LARGE = 0x80;
    static final long GLOBAL = 0x100;
    /** Present, writable, user, accessed, dirty. */
    static final long USED = P | W | U | A | D;
    /** gpa 0 lies here. */
    static final long BASE = 1L << 30;
    static final long BYTES = 1L << 30;

    final PhysicalMemory memory = new PhysicalMemory(BASE + BYTES);
    final AbstractTlb tlb;
    private final Map<Long, Long> moved = new HashMap<>();

    Guest(int vcpus) {
        tlb = new AbstractTlb(vcpus, 52, memory, this::hpa);
    }

    private long hpa(long gpa) {
        Long elsewhere = moved.get(gpa >>> 12);
        return elsewhere != null ? elsewhere | gpa & 0xfff : gpa < BYTES ? gpa + BASE : -1;
    }

    /** The host moves the frame at gpa {@code frame} to {@code hpa}, which is below {@link #BASE}. */
    void move(long frame, long hpa) {
        for (int i = 0; i < 4096; i += 8) {
            memory.store64(hpa + i, memory.load64(hpa(frame) + i));
        }
        moved.put(frame >>> 12, hpa);
        tlb.moved(frame >>> 12);
    }

    /** The guest stores {@code value} into entry {@code index} of the table at gpa {@code table}. */
    void set(long table, int index, long value) {
        silently(table, index, value);
        tlb.written(hpa(table) + 8L * index, 8);
    }

    /** The same, unreported: as a processor sets accessed and dirty bits, and as a boot loader writes. */
    void silently(long table, int index, long value) {
        memory.store64(hpa(table) + 8L * index, value);
    }

    /** Puts tables at {@code base} whose root is at 0x1000, and which lead the first two pages to 0x10000 and 0x11000; they name one another as if {@code base} were 0. */
    void twoPages(long base) {
        silently(base + 0x1000, 0, 0x2000 | USED);
        silently(base + 0x2000, 0, 0x3000 | USED);
        silently(base + 0x3000, 0, 0x4000 | USED);
        silently(base + 0x4000, 0, 0x1_0000 | USED);
        silently(base + 0x4000, 1, 0x1_1000 | USED);
    }

    /** {@link #set} of an entry of 4 bytes. */
    void set4(long table, int index, long value) {
        silently4(table, index, value);
        tlb.written(hpa(table) + 4L * index, 4);
    }

    /** {@link #silently} of an entry of 4 bytes. */
    void silently4(long table, int index, long value) {
        memory.store(hpa(table) + 4L * index, 4, value);
    }

    /** Uses the translation of {@code gva} to the byte at gpa {@code gpa}. */
    Verdict use(int vcpu, long gva, int access, long gpa) {
        return tlb.translated(vcpu, gva, access, gpa + BASE);
    }

    /** 4-level paging by the table at {@code root} with further bits in CR4. */
    static PagingState paging(long root, long cr4) {
        return PagingState.longMode(root).withCr4(CR4_PAE | cr4);
    }
}
