package org.penumbra.api.cpu;

import java.util.Arrays;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.api.observe.TranslationObserver;
import org.penumbra.api.paging.Access;

/**
 * How an engine reaches guest memory by linear address: the first-level TLB inline, the processor on a miss, and the run's
 * observer told of every translation and store. One per vCPU and engine; allocates nothing per access.
 *
 * <p>An access that crosses a page translates both pages before it has any effect, so that a fault leaves nothing half-done and
 * the operation can be restarted. A write that no cached translation permits is asked for once in each naturally aligned 128 bytes that it
 * touches, since each may have a permission of its own (SDM vol. 3, "Sub-Page Write Permissions"). Accesses that cross an 8-byte boundary are made in parts and are not atomic. All methods
 * return an {@link Outcome} and take {@code width} from 1 to 4096 bytes; of an access wider than 8 bytes the value is the low
 * 8 bytes for a load, and is repeated for a store.
 */
public final class MemoryPort {
    private static final int PAGE = PhysicalMemory.FRAME_BYTES;
    private static final int SUB_PAGE = 128;

    private final Processor cpu;
    private final PhysicalMemory memory;
    private final FirstLevelTlb data;
    private final FirstLevelTlb code;
    /** Of {@link #data}. What is read from memory makes the compiler read fields again: as few as may be. */
    private final TlbArray small;
    private final TranslationObserver observer;
    private final int vcpu;
    /** By the index of an entry of the small pages' TLB: the frame that a load found there. */
    private final long[][] frames;
    private long second;
    private long accesses;
    private long misses;

    /** What the last successful {@link #load} or {@link #update} read (before the update). */
    public long value;

    /** Where the last successful {@link #store} began in physical memory. */
    public long stored;

    /** A port of vCPU number {@code vcpu}, which runs on {@code cpu}. */
    public MemoryPort(Processor cpu, int vcpu) {
        this.cpu = cpu;
        this.memory = cpu.memory();
        this.data = cpu.dataTlb();
        this.code = cpu.instructionTlb();
        this.small = data.small;
        this.observer = cpu.observer();
        this.vcpu = vcpu;
        this.frames = new long[small.entries()][];
        Arrays.fill(frames, memory.frame(0));
    }

    /** Reads {@code width} bytes, zero-extended, into {@link #value}. */
    public int load(long gva, int width, int access) {
        if (!plain(gva, width)) {
            return loadAny(gva, width, access);
        }
        int i = hit(gva, access);
        if (i < 0) {
            return loadElsewhere(i, gva, width, access);
        }
        accesses++;
        long page = small.word(i);
        long[] frame = frames[i];
        if (!PhysicalMemory.holds(frame, page)) {
            frame = memory.frame(page);
            frames[i] = frame;
        }
        value = cut(PhysicalMemory.word(frame, gva), gva, width);
        return Outcome.DONE;
    }

    /** An access within 8 bytes that nobody watches: what most accesses are. */
    private boolean plain(long gva, int width) {
        return (int) (gva & 7) <= 8 - width && observer == null;
    }

    /** What {@link TlbArray#hit} says of {@link #small}. */
    private int hit(long gva, int access) {
        return FirstLevelTlb.isTagged(gva) ? small.hit(FirstLevelTlb.page(gva, 12), data.context, data.globalContext, access) : TlbArray.NONE;
    }

    /** What {@link FirstLevelTlb#lookup} says of {@link #data}, if {@link #hit} has said {@code i}, and not where. */
    private long lookup(int i, long gva, int access) {
        return i == TlbArray.NONE ? data.lookupLarge(gva, access) : data.lookup(gva, access);
    }

    /** Of the aligned 8 bytes in {@code word} the {@code width} bytes at {@code gva}, none of which lies beyond. */
    private static long cut(long word, long gva, int width) {
        return width == 8 ? word : word >>> ((int) gva << 3) & (1L << (width << 3)) - 1;
    }

    private int loadElsewhere(int i, long gva, int width, int access) {
        long hpa = page(lookup(i, gva, access), gva, access);
        if (hpa < 0) {
            return outcome(hpa);
        }
        value = cut(memory.load64(hpa), gva, width);
        return Outcome.DONE;
    }

    private int loadAny(long gva, int width, int access) {
        long hpa = translate(data, data.lookup(gva, access), gva, width, access);
        if (hpa < 0) {
            return outcome(hpa);
        }
        value = read(hpa, gva, Math.min(width, 8));
        return Outcome.DONE;
    }

    /** Writes the low {@code width} bytes of {@code datum}. */
    public int store(long gva, int width, long datum, int access) {
        int i = plain(gva, width) ? hit(gva, access) : -1;
        if (i >= 0) {
            accesses++;
            stored = small.frame(i) | gva & PAGE - 1;
            memory.store(stored, width, datum);
            return Outcome.DONE;
        }
        return storeAny(gva, width, datum, access);
    }

    private int storeAny(long gva, int width, long datum, int access) {
        long hpa = translate(data, data.lookup(gva, access), gva, width, access);
        if (hpa < 0) {
            return outcome(hpa);
        }
        stored = hpa;
        write(hpa, gva, width, datum);
        return Outcome.DONE;
    }

    /**
     * Reads {@code width} (1 to 8) bytes into {@link #value} and replaces them by {@code function} (an
     * {@link UpdateFunction}) of them and {@code operand}; atomic if they lie within 8 aligned bytes. {@code access} is a write kind.
     */
    public int update(long gva, int width, int function, long operand, int access) {
        long hpa = translate(data, data.lookup(gva, access), gva, width, access);
        if (hpa < 0) {
            return outcome(hpa);
        }
        if ((gva & 7) + width <= 8) {
            do {
                value = memory.load(hpa, width);
            } while (!memory.compareAndSet(hpa, width, value, UpdateFunction.apply(function, value, operand)));
            told(hpa, width);
        } else {
            value = read(hpa, gva, width);
            write(hpa, gva, width, UpdateFunction.apply(function, value, operand));
        }
        return Outcome.DONE;
    }

    /** Translates for an instruction fetch of {@code width} bytes; {@code access} is a fetch kind. {@link #value} is the hpa of the first. */
    public int fetch(long gva, int width, int access) {
        long hpa = translate(code, code.lookup(gva, access), gva, width, access);
        value = hpa;
        return hpa < 0 ? outcome(hpa) : Outcome.DONE;
    }

    /** Translations asked for since the port was made: one per access and page; an attempt repeated after a fault counts again. */
    public long accesses() {
        return accesses;
    }

    /** How many of {@link #accesses} missed the first-level TLB. */
    public long misses() {
        return misses;
    }

    /** {@code found}: what {@code tlb} has for {@code gva}. */
    private long translate(FirstLevelTlb tlb, long found, long gva, int width, int access) {
        long hpa = page(found, gva, access);
        if (hpa < 0 || width <= SUB_PAGE - (gva & SUB_PAGE - 1)) {
            return hpa;
        }
        long end = gva + width;
        long upper = (gva | PAGE - 1) + 1;
        long refused = found < 0 ? restOfPage(tlb, gva, Math.min(end, upper), access) : 0;
        if (refused < 0 || end <= upper) {
            return refused < 0 ? refused : hpa;
        }
        long there = tlb.lookup(upper, access);
        long next = page(there, upper, access);
        refused = next < 0 ? next : there < 0 ? restOfPage(tlb, upper, end, access) : 0;
        if (refused < 0) {
            return refused;
        }
        second = next;
        return hpa;
    }

    /** A write to the page of {@code gva} up to {@code end} may be made at {@code gva}: 0 if at all other sub-pages, too. */
    private long restOfPage(FirstLevelTlb tlb, long gva, long end, int access) {
        for (long at = (gva | SUB_PAGE - 1) + 1; Access.isWrite(access) && at < end; at += SUB_PAGE) {
            long hpa = tlb.lookup(at, access) < 0 ? cpu.translate(at, access) : 0;
            if (hpa < 0) {
                return hpa;
            }
        }
        return 0;
    }

    private long page(long found, long gva, int access) {
        accesses++;
        long hpa = found;
        if (hpa < 0) {
            misses++;
            hpa = cpu.translate(gva, access);
        }
        if (observer != null && hpa >= 0) {
            observer.translated(vcpu, gva, access, hpa);
        }
        return hpa;
    }

    private static int outcome(long negative) {
        return negative == Processor.FAULT ? Outcome.FAULT : Outcome.EXIT;
    }

    private long read(long hpa, long gva, int width) {
        if ((gva & PAGE - 1) + width <= PAGE) {
            return memory.load(hpa, width);
        }
        int low = PAGE - (int) (gva & PAGE - 1);
        return memory.load(hpa, low) | memory.load(second, width - low) << 8 * low;
    }

    private void write(long hpa, long gva, int width, long datum) {
        for (int done = 0; done < width; ) {
            int part = Math.min(width - done, 8 - (int) (gva + done & 7));
            int offset = (int) (gva & PAGE - 1) + done;
            long at = offset < PAGE ? hpa + done : second + (offset - PAGE);
            long shifted = done == 0 || width > 8 ? datum : datum >>> 8 * done;
            memory.store(at, part, shifted);
            told(at, part);
            done += part;
        }
    }

    private void told(long hpa, int bytes) {
        if (observer != null) {
            observer.written(hpa, bytes);
        }
    }
}
