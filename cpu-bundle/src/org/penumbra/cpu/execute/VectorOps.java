package org.penumbra.cpu.execute;

import org.penumbra.cpu.decode.Insn;
import org.penumbra.cpu.table.Op;

/**
 * Instructions on MMX, XMM and YMM registers: which part executes them, and the moves. SDM vol. 2, by mnemonic. Sources are read whole before the
 * result is written, so that one that faults has had no effect.
 */
final class VectorOps {
    private final Core core;
    private final VectorUnit unit;
    private final Shuffles shuffles;
    private final FloatOps floats;
    private final MaskedOps masked;
    private final TextOps text;

    VectorOps(Core core, VectorUnit unit) {
        this.core = core;
        this.unit = unit;
        this.shuffles = new Shuffles(unit);
        this.floats = new FloatOps(unit);
        this.masked = new MaskedOps(unit);
        this.text = new TextOps(unit);
    }

    void execute(Insn i) {
        unit.require(i);
        switch (i.op.group) {
            case MOVES:
                move(i);
                break;
            case MASKS:
                masked.execute(i);
                break;
            case TEXT:
                unit.first(i);
                unit.second(i);
                text.execute(i);
                break;
            default:
                unit.first(i);
                unit.second(i);
                compute(i);
        }
        if (i.mmx) {
            unit.mmxUsed();
        }
    }

    private void compute(Insn i) {
        switch (i.op.group) {
            case LANES:
                Lanes.apply(i, unit.h, unit.b, unit.r);
                unit.result(i);
                break;
            case SHUFFLES:
                shuffles.execute(i);
                unit.result(i);
                break;
            case CRYPTO:
                Crypto.execute(i, unit.h, unit.b, unit.r);
                unit.result(i);
                break;
            default:
                floats.execute(i);
        }
    }

    private void move(Insn i) {
        long[] h = unit.h;
        long[] b = unit.b;
        long[] r = unit.r;
        if (i.op != Op.MOVX) {
            unit.first(i);
        }
        unit.second(i);
        switch (i.op) {
            case MOVX:
                System.arraycopy(b, 0, r, 0, i.words);
                break;
            case MOVS_X:
                // From memory it clears the rest of the register; between registers it keeps it.
                r[0] = i.bk == Insn.MEM ? b[0] : Lanes.low(h[0], b[0], i.lane);
                r[1] = i.bk == Insn.MEM ? 0 : h[1];
                r[0] = i.ak == Insn.MEM ? b[0] : r[0];
                break;
            case MOVQ_X:
            case MOVD_TO_X:
                r[0] = b[0];
                r[1] = 0;
                break;
            case MOVD_FROM_X:
            case MOVL_STORE:
                core.put(i, b[0]);
                return;
            case MOVH_STORE:
                core.put(i, b[1]);
                return;
            case MOVHL:
                r[0] = b[1];
                r[1] = h[1];
                break;
            case MOVLH:
            case MOVH_LOAD:
                r[0] = h[0];
                r[1] = b[0];
                break;
            case MOVL_LOAD:
                r[0] = b[0];
                r[1] = h[1];
                break;
            case MOVMSK:
                long signs = 0;
                for (int k = 0; k < i.words; k++) {
                    signs |= Lanes.signs(b[k], i.lane) << k * (8 / i.lane);
                }
                core.put(i, signs);
                return;
            default:
                throw new IllegalStateException("no " + i.op + " here");
        }
        unit.result(i);
    }
}
