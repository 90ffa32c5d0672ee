package org.penumbra.cpu.vectors;

import java.io.ByteArrayOutputStream;
import java.util.List;
import org.penumbra.cpu.table.Entry;

/** Encodes a row of the table for 64-bit mode with operands of choice. */
public final class Encoder {
    private final Entry entry;
    /** Operand size in bytes: 2, 4, 8; of no meaning for byte operations. */
    public int size = 4;
    /** ModRM.reg, ModRM.rm as a register, VEX.vvvv, and the register in the opcode. */
    public int reg;
    public int rm;
    public int vvvv;
    /** Memory at [RBX + disp] instead of {@link #rm}. */
    public boolean memory;
    public int disp = 8;
    public long imm;
    /** VEX.L. */
    public boolean wide;
    public int condition;
    /** A REX prefix without bits, which makes AH to BH into SPL to DIL. */
    public boolean rex;

    public Encoder(Entry entry) {
        this.entry = entry;
    }

    /** The bytes. */
    public byte[] bytes() {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        boolean vex = entry.has("vex");
        boolean modrm = entry.modrm();
        boolean w = size == 8 && !entry.has("d64") && !entry.has("f64");
        int r = modrm && entry.digit() < 0 ? reg : 0;
        int b = memory ? 3 : modrm ? rm : entry.span() == 8 ? reg : 0;
        int opcode = entry.opcode() + (entry.span() == 8 && entry.third() < 0 ? reg & 7 : entry.span() == 16 ? condition : 0);
        if (vex) {
            int pp = entry.prefix() == 0x66 ? 1 : entry.prefix() == 0xf3 ? 2 : entry.prefix() == 0xf2 ? 3 : 0;
            out.write(0xc4);
            out.write((r < 8 ? 0x80 : 0) | 0x40 | (b < 8 ? 0x20 : 0) | entry.map());
            boolean named = entry.operands().stream().anyMatch(o -> o.charAt(0) == 'B' || o.charAt(0) == 'H');
            out.write((w || entry.has("w1") ? 0x80 : 0) | (named ? ~vvvv & 15 : 15) << 3 | (wide || entry.has("l1") ? 4 : 0) | pp);
        } else {
            if (size == 2 && entry.prefix() != 0x66 && !entry.has("byte")) {
                out.write(0x66);
            }
            if (entry.prefix() > 0) {
                out.write(entry.prefix());
            }
            int bits = (w ? 8 : 0) | (r >= 8 ? 4 : 0) | (b >= 8 ? 1 : 0);
            if (bits != 0 || rex) {
                out.write(0x40 | bits);
            }
            if (entry.map() > 0) {
                out.write(0x0f);
            }
            if (entry.map() > 1) {
                out.write(entry.map() == 2 ? 0x38 : 0x3a);
            }
        }
        out.write(opcode);
        if (entry.third() >= 0) {
            out.write(entry.third() | (entry.span() == 8 ? rm & 7 : 0));
        } else if (modrm) {
            int middle = entry.digit() >= 0 ? entry.digit() : r & 7;
            boolean indices = entry.operands().contains("X");
            out.write(memory ? 0x40 | middle << 3 | (indices ? 4 : 3) : 0xc0 | middle << 3 | b & 7);
            if (memory) {
                if (indices) {
                    out.write(rm << 3 & 0x38 | 3);
                }
                out.write(disp);
            }
        }
        for (String o : entry.operands()) {
            immediate(out, o);
        }
        return out.toByteArray();
    }

    private void immediate(ByteArrayOutputStream out, String operand) {
        int count = List.of("Ib", "Is", "Jb", "Lx").contains(operand) ? 1 : operand.equals("Iw") ? 2
                : operand.equals("Iv") ? size : operand.equals("Iz") || operand.equals("Jz") ? Math.min(size, 4) : 0;
        for (int i = 0; i < count; i++) {
            out.write((int) (imm >>> 8 * i));
        }
    }
}
