package org.penumbra.vmx.snapshot;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import org.penumbra.api.cpu.FpuRegisters;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.cpu.Segments;
import org.penumbra.api.cpu.SystemRegisters;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.Pdptes;

/** The registers of a vCPU in a snapshot: every field of {@link RegisterFile}, in its order. */
public final class RegisterImage {
    private RegisterImage() {}

    /** Writes all of {@code r}. */
    public static void save(RegisterFile r, DataOutput out) throws IOException {
        words(r.gpr, out);
        out.writeLong(r.rip);
        out.writeLong(r.rflags);
        out.writeInt(r.cpl);
        out.writeLong(r.cr2);
        paging(r.paging, out);
        segments(r.segments, out);
        system(r.system, out);
        words(r.xmm, out);
        words(r.ymm, out);
        out.writeInt(r.mxcsr);
        fpu(r.fpu, out);
    }

    /** Fills all of {@code r}. */
    public static void restore(RegisterFile r, DataInput in) throws IOException {
        fill(r.gpr, in);
        r.rip = in.readLong();
        r.rflags = in.readLong();
        r.cpl = in.readInt() & 3;
        r.cr2 = in.readLong();
        r.paging = paging(in);
        segments(r.segments, in);
        system(r.system, in);
        fill(r.xmm, in);
        fill(r.ymm, in);
        r.mxcsr = in.readInt();
        fpu(r.fpu, in);
    }

    private static void words(long[] words, DataOutput out) throws IOException {
        for (long w : words) {
            out.writeLong(w);
        }
    }

    private static void fill(long[] words, DataInput in) throws IOException {
        for (int i = 0; i < words.length; i++) {
            words[i] = in.readLong();
        }
    }

    private static void paging(PagingState p, DataOutput out) throws IOException {
        words(new long[] {p.cr0(), p.cr3(), p.cr4(), p.efer(), p.pkru(), p.pkrs()}, out);
        words(new long[] {p.pdptes().pdpte0(), p.pdptes().pdpte1(), p.pdptes().pdpte2(), p.pdptes().pdpte3()}, out);
    }

    private static PagingState paging(DataInput in) throws IOException {
        return new PagingState(in.readLong(), in.readLong(), in.readLong(), in.readLong(), (int) in.readLong(), (int) in.readLong(),
                new Pdptes(in.readLong(), in.readLong(), in.readLong(), in.readLong()));
    }

    private static void segments(Segments s, DataOutput out) throws IOException {
        for (int i = 0; i < s.selector.length; i++) {
            out.writeInt(s.selector[i]);
            out.writeLong(s.base[i]);
            out.writeLong(s.limit[i]);
            out.writeInt(s.rights[i]);
        }
        out.writeLong(s.gdtBase);
        out.writeInt(s.gdtLimit);
        out.writeLong(s.idtBase);
        out.writeInt(s.idtLimit);
    }

    private static void segments(Segments s, DataInput in) throws IOException {
        for (int i = 0; i < s.selector.length; i++) {
            s.set(i, in.readInt(), in.readLong(), in.readLong(), in.readInt());
        }
        s.gdtBase = in.readLong();
        s.gdtLimit = in.readInt();
        s.idtBase = in.readLong();
        s.idtLimit = in.readInt();
    }

    private static void system(SystemRegisters s, DataOutput out) throws IOException {
        words(new long[] {s.star, s.lstar, s.cstar, s.fmask, s.kernelGsBase, s.sysenterCs, s.sysenterEsp, s.sysenterEip, s.tscAux, s.tscOffset}, out);
        words(new long[] {s.tscAdjust, s.miscEnable, s.memoryTypes.defaultType, s.memoryTypes.pat}, out);
        words(s.memoryTypes.base, out);
        words(s.memoryTypes.mask, out);
        words(s.debug, out);
        out.writeInt(s.cr8);
        out.writeLong(s.xcr0);
        out.writeBoolean(s.interruptShadow);
        out.writeBoolean(s.nmiBlocked);
        out.writeBoolean(s.portsPermitted);
        out.writeLong(s.pendingDebug);
        out.writeBoolean(s.vectoring);
        out.writeInt(s.vectoringVector);
        out.writeBoolean(s.vectoringExternal);
        out.writeInt(s.vectoringError);
    }

    private static void system(SystemRegisters s, DataInput in) throws IOException {
        s.star = in.readLong();
        s.lstar = in.readLong();
        s.cstar = in.readLong();
        s.fmask = in.readLong();
        s.kernelGsBase = in.readLong();
        s.sysenterCs = in.readLong();
        s.sysenterEsp = in.readLong();
        s.sysenterEip = in.readLong();
        s.tscAux = in.readLong();
        s.tscOffset = in.readLong();
        s.tscAdjust = in.readLong();
        s.miscEnable = in.readLong();
        s.memoryTypes.defaultType = in.readLong();
        s.memoryTypes.pat = in.readLong();
        fill(s.memoryTypes.base, in);
        fill(s.memoryTypes.mask, in);
        fill(s.debug, in);
        s.cr8 = in.readInt();
        s.xcr0 = in.readLong();
        s.interruptShadow = in.readBoolean();
        s.nmiBlocked = in.readBoolean();
        s.portsPermitted = in.readBoolean();
        s.pendingDebug = in.readLong();
        s.vectoring = in.readBoolean();
        s.vectoringVector = in.readInt();
        s.vectoringExternal = in.readBoolean();
        s.vectoringError = in.readInt();
    }

    private static void fpu(FpuRegisters f, DataOutput out) throws IOException {
        words(f.significand, out);
        for (short e : f.exponent) {
            out.writeShort(e);
        }
        out.writeInt(f.control);
        out.writeInt(f.status);
        out.writeInt(f.used);
        out.writeInt(f.opcode);
        out.writeLong(f.instruction);
        out.writeLong(f.operand);
    }

    private static void fpu(FpuRegisters f, DataInput in) throws IOException {
        fill(f.significand, in);
        for (int i = 0; i < f.exponent.length; i++) {
            f.exponent[i] = in.readShort();
        }
        f.control = in.readInt();
        f.status = in.readInt();
        f.used = in.readInt();
        f.opcode = in.readInt();
        f.instruction = in.readLong();
        f.operand = in.readLong();
    }
}
