package org.penumbra.cpu.execute;

import org.penumbra.api.cpu.Segments;

/**
 * Loads of segment registers, and the descriptors behind selectors (SDM vol. 3, "Segment Descriptors").
 *
 * <pre>
 *  descriptor  15:0 limit 15:0   39:16 base 23:0   55:40 rights, with limit 19:16 in 51:48   63:56 base 31:24
 * </pre>
 */
final class SegmentLoader {
    static final int CODE = 8;
    static final int CONFORMING = 4;
    /** Code: readable; data: writable. */
    static final int READ_WRITE = 2;
    private static final int ACCESSED = 1;
    /** What a load in real mode leaves in a segment register: present data that can be written. */
    static final int REAL_MODE_RIGHTS = 0x93;

    private static final int VIRTUAL_8086_RIGHTS = 0xf3;

    private final Core core;
    private final Segments segments;

    SegmentLoader(Core core) {
        this.core = core;
        this.segments = core.segments;
    }

    static boolean isNull(int selector) {
        return (selector & 0xfffc) == 0;
    }

    static int rights(long descriptor) {
        return (int) (descriptor >>> 40) & 0xf0ff;
    }

    static int dpl(long descriptor) {
        return (int) (descriptor >>> 45) & 3;
    }

    static boolean present(long descriptor) {
        return (descriptor >>> 47 & 1) != 0;
    }

    static boolean isCode(long descriptor) {
        return (rights(descriptor) & (Segments.S | CODE)) == (Segments.S | CODE);
    }

    static long limit(long descriptor) {
        long limit = descriptor & 0xffff | descriptor >>> 32 & 0xf_0000;
        return (descriptor >>> 55 & 1) != 0 ? limit << 12 | 0xfff : limit;
    }

    static long base(long descriptor) {
        return descriptor >>> 16 & 0xff_ffff | descriptor >>> 32 & 0xff00_0000L;
    }

    /** The descriptor that {@code selector}, not null, names; #GP({@code selector}), or another vector, outside its table. */
    long descriptor(int selector, int vector) {
        return core.memory.system(address(selector, vector, 8), 8);
    }

    /** The second half of a descriptor of 16 bytes. */
    long upper(int selector, int vector) {
        return core.memory.system(address(selector, vector, 16) + 8, 8);
    }

    private long address(int selector, int vector, int bytes) {
        boolean local = (selector & 4) != 0;
        boolean unusable = local && (segments.rights[Segments.LDTR] & Segments.UNUSABLE) != 0;
        long limit = local ? segments.limit[Segments.LDTR] : segments.gdtLimit & 0xffff;
        int offset = selector & 0xfff8;
        if (unusable || offset + bytes - 1 > limit) {
            throw core.fault(vector, selector & 0xfffc);
        }
        return (local ? segments.base[Segments.LDTR] : segments.gdtBase) + offset;
    }

    /** Marks the descriptor as accessed. */
    long accessed(int selector, long descriptor) {
        long bit = (long) ACCESSED << 40;
        if ((descriptor & bit) == 0) {
            long at = address(selector, Core.GP, 8);
            core.memory.storeSystem(at + 5, 1, (descriptor | bit) >>> 40 & 0xff);
        }
        return descriptor | bit;
    }

    void set(int segment, int selector, long descriptor) {
        segments.set(segment, selector, base(descriptor), limit(descriptor), rights(descriptor));
    }

    private void setNull(int segment, int selector) {
        segments.set(segment, selector, 0, 0, Segments.UNUSABLE);
    }

    /** MOV and POP to ES, SS, DS, FS, GS, and their kin. */
    void load(int segment, int selector) {
        if (core.virtual86) {
            virtual86(segment, selector);
        } else if (!core.protectedMode) {
            segments.selector[segment] = selector;
            segments.base[segment] = (long) selector << 4;
            segments.rights[segment] = segments.rights[segment] & ~Segments.UNUSABLE | REAL_MODE_RIGHTS;
        } else if (segment == Segments.SS) {
            stack(selector, core.registers.cpl, Core.GP);
        } else {
            data(segment, selector, Core.GP);
        }
        core.refresh();
    }

    /** SDM vol. 3, "Virtual-8086 Mode": the base is the selector times 16, everything can be written, at privilege level 3. */
    void virtual86(int segment, int selector) {
        segments.set(segment, selector & 0xffff, (long) (selector & 0xffff) << 4, 0xffff, VIRTUAL_8086_RIGHTS);
    }

    /** Loads a data segment; {@code vector} is #GP, or #TS for one of a task that is switched to. */
    void data(int segment, int selector, int vector) {
        if (isNull(selector)) {
            setNull(segment, selector);
            return;
        }
        long d = descriptor(selector, vector);
        int rights = rights(d);
        boolean code = (rights & CODE) != 0;
        boolean readable = (rights & Segments.S) != 0 && (!code || (rights & READ_WRITE) != 0);
        boolean conforming = code && (rights & CONFORMING) != 0;
        if (!readable || !conforming && Math.max(selector & 3, core.registers.cpl) > dpl(d)) {
            throw core.fault(vector, selector & 0xfffc);
        }
        if (!present(d)) {
            throw core.fault(Core.NP, selector & 0xfffc);
        }
        set(segment, selector, accessed(selector, d));
    }

    /** Loads SS for privilege level {@code cpl}; {@code vector} is #GP, or #TS for a stack that the TSS names. */
    void stack(int selector, int cpl, int vector) {
        if (isNull(selector)) {
            if (!core.in64 || cpl == 3 || (selector & 3) != cpl) {
                throw core.fault(vector, 0);
            }
            setNull(Segments.SS, selector);
            return;
        }
        set(Segments.SS, selector, accessed(selector, stackDescriptor(selector, cpl, vector)));
    }

    /** The descriptor of a stack for {@code cpl}, checked. */
    long stackDescriptor(int selector, int cpl, int vector) {
        long d = descriptor(selector, vector);
        boolean writable = (rights(d) & (Segments.S | CODE | READ_WRITE)) == (Segments.S | READ_WRITE);
        if ((selector & 3) != cpl || dpl(d) != cpl || !writable) {
            throw core.fault(vector, selector & 0xfffc);
        }
        if (!present(d)) {
            throw core.fault(Core.SS, selector & 0xfffc);
        }
        return d;
    }

    /** SDM vol. 3, "Returning from a Called Procedure": segments that the outer level must not have become null. */
    void dropInner() {
        for (int s : new int[] {Segments.ES, Segments.DS, Segments.FS, Segments.GS}) {
            int rights = segments.rights[s];
            boolean conforming = (rights & (CODE | CONFORMING)) == (CODE | CONFORMING);
            if ((rights & Segments.UNUSABLE) == 0 && !conforming && segments.dpl(s) < core.registers.cpl) {
                // Only the selector is said to become 0: the base of FS and GS stays, in 64-bit mode for use.
                segments.set(s, 0, segments.base[s], 0, Segments.UNUSABLE);
            }
        }
    }

    /** Loads CS, checked before, with {@code cpl} as privilege. */
    void code(int selector, long descriptor, int cpl) {
        set(Segments.CS, selector & 0xfffc | cpl, accessed(selector, descriptor));
        core.registers.cpl = cpl;
        core.refresh();
    }

    /** LLDT and LTR. */
    void system(int segment, int selector) {
        if (isNull(selector)) {
            if (segment == Segments.TR) {
                throw core.gp0();
            }
            setNull(segment, selector);
            return;
        }
        if ((selector & 4) != 0) {
            throw core.fault(Core.GP, selector & 0xfffc);
        }
        long d = descriptor(selector, Core.GP);
        int type = rights(d) & (Segments.S | 15);
        boolean fits = segment == Segments.LDTR ? type == 2 : type == 9 || type == 1 && !core.longMode;
        if (!fits) {
            throw core.fault(Core.GP, selector & 0xfffc);
        }
        if (!present(d)) {
            throw core.fault(Core.NP, selector & 0xfffc);
        }
        long high = core.longMode ? upper(selector, Core.GP) << 32 : 0;
        if (segment == Segments.TR) {
            // Busy.
            d |= 1L << 41;
            core.memory.storeSystem(address(selector, Core.GP, 8) + 5, 1, d >>> 40 & 0xff);
        }
        segments.set(segment, selector, base(d) | high, limit(d), rights(d));
    }
}
