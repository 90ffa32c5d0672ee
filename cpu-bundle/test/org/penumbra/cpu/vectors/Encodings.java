package org.penumbra.cpu.vectors;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.penumbra.cpu.table.Entry;
import org.penumbra.cpu.table.InstructionTable;
import org.penumbra.cpu.table.Op;

/**
 * The instructions whose effect in user mode is compared with a processor: every row of the table that works on registers, immediates and one memory
 * operand alone, in each operand size, with several registers and immediates.
 */
public final class Encodings {
    private static final Set<String> SECTIONS = Set.of("arithmetic and logic", "data movement", "flags", "sse moves", "sse integers", "sse floating point", "mmx", "avx",
            "x87 arithmetic");
    /** Not in 64-bit mode, undefined as a whole, approximations, or with addresses that depend on register contents. */
    private static final Set<String> LEFT_OUT = Set.of("MOV_FROM_SEG", "MOV_TO_SEG", "XLAT", "PAUSE", "LDMXCSR", "STMXCSR", "MASKMOV", "VGATHER_D", "VGATHER_Q", "RCP_F",
            "RSQRT_F");
    /** What they do of an invalid operation that is not masked is not the same on all processors. */
    private static final Set<String> UNORDERED = Set.of("FCOM", "FUCOM", "FCOMI", "FUCOMI", "FTST");
    /** Those that define all condition codes. */
    private static final Set<String> COMPARISONS = Set.of("FCOM", "FUCOM", "FTST", "FXAM", "FPREM", "FPREM1");
    private static final Set<String> VECTORS = Set.of("sse moves", "sse integers", "sse floating point", "mmx", "avx");
    private static final long[] IMMEDIATES = {0, 1, 0x7f, 0x80, 0xff, 0x12345678, 0x7fff_ffff, 0x8000_0000L, 0xffff_ffffL, 0x8123_4567_89ab_cdefL};
    private static final long[] COUNTS = {0, 1, 7, 8, 15, 16, 31, 33, 63, 255};
    private static final int[][] REGISTERS = {{0, 1, 2}, {2, 0, 1}, {1, 9, 12}, {8, 2, 0}, {15, 15, 15}, {6, 13, 8}, {0, 0, 3}};
    private static final int[] MOST_DEFINED = {0x1, 0x4, 0x10, 0x40, 0x80, 0x800};
    private static final int OF = 0x800;
    private static final int CASES = 512;
    private static final int VECTOR_CASES = 256;
    private static final long[] SELECTORS = new long[128];

    static {
        // All that the low five bits say, each with some of the others.
        Arrays.setAll(SELECTORS, k -> k < 32 ? k : k * 77L & 0xff);
    }

    private Encodings() {}

    /** Prints a line for each, as {@code vectors.c} reads it. */
    public static void main(String[] arguments) {
        lines().forEach(System.out::println);
    }

    static List<String> lines() {
        Set<String> lines = new LinkedHashSet<>();
        for (Entry e : new InstructionTable().entries()) {
            if (SECTIONS.contains(e.section()) && !e.has("i64") && !e.has("end") && e.op() != null && !LEFT_OUT.contains(e.op().name())
                    && e.operands().stream().noneMatch(o -> o.charAt(0) == 'O')) {
                add(e, lines);
            }
        }
        return new ArrayList<>(lines);
    }

    private static void add(Entry e, Set<String> lines) {
        boolean x87 = e.section().startsWith("x87");
        boolean sized = !x87 && (e.operands().stream().anyMatch(o -> o.equals("rAX") || o.length() == 2 && (o.charAt(1) == 'v' || o.charAt(1) == 'z'))
                || e.operands().isEmpty() && e.prefix() < 0);
        boolean y = e.operands().stream().anyMatch(o -> o.endsWith("y"));
        for (int size : sized ? new int[] {2, 4, 8} : y ? new int[] {4, 8} : new int[] {4}) {
            if (e.op().name().equals("BSWAP") && size == 2) {
                continue;
            }
            for (int r = 0; r < REGISTERS.length; r++) {
                for (boolean wide : !e.has("vex") || e.has("l0") ? new boolean[1] : e.has("l1") ? new boolean[] {true} : new boolean[] {false, true}) {
                    sized(e, size, wide, REGISTERS[r], r, lines);
                }
            }
        }
    }

    private static void sized(Entry e, int size, boolean wide, int[] registers, int number, Set<String> lines) {
        boolean memoryOnly = e.operands().stream().anyMatch(o -> o.charAt(0) == 'M');
        boolean rm = memoryOnly || e.operands().stream().anyMatch(o -> "EWRQ".indexOf(o.charAt(0)) >= 0 && !o.equals("rAX") && !o.startsWith("R"));
        boolean shift = List.of("ROL", "ROR", "RCL", "RCR", "SHL", "SHR", "SAR", "SHLD", "SHRD", "RORX").contains(e.op().name());
        boolean bitOfMemory = e.op().name().startsWith("BT") && !e.operands().contains("Ib");
        boolean immediate = e.operands().stream().anyMatch(o -> o.charAt(0) == 'I' || o.equals("Lx"));
        boolean vectors = VECTORS.contains(e.section());
        int share = vectors ? e.op().name().equals("PCMPSTR") ? 7 : 21 : 3;
        long[] values = immediate && vectors ? SELECTORS : immediate ? shift || e.operands().contains("Ib") ? COUNTS : IMMEDIATES : new long[] {0};
        for (boolean memory : new boolean[] {false, true}) {
            if (memory && (!rm || bitOfMemory || number > 2) || !memory && memoryOnly) {
                continue;
            }
            for (int k = 0; k < values.length; k++) {
                if (immediate && k % share != (vectors ? number + (memory ? 7 : 0) + (wide ? 3 : 0) : number) % share) {
                    continue;
                }
                Encoder c = new Encoder(e);
                c.size = size;
                c.reg = registers[0];
                c.rm = registers[1];
                c.vvvv = registers[2];
                c.memory = memory;
                c.wide = wide;
                c.disp = vectors || e.section().startsWith("x87") ? 32 : 8;
                c.imm = values[k];
                c.condition = (number * 5 + size) & 15;
                c.rex = number == 5;
                // With a pointer in RBX it is no operand: BX, BL, BH.
                if (memory && (c.reg == 3 || c.reg == 7 && !c.rex || c.vvvv == 3)) {
                    continue;
                }
                boolean wide16 = size == 2 && (e.op().name().equals("SHLD") || e.op().name().equals("SHRD"));
                if (wide16 && (!immediate || values[k] > 16)) {
                    continue;
                }
                if (e.span() == 16) {
                    for (c.condition = number & 1; c.condition < 16; c.condition += 2) {
                        line(c, e, memory, shift, lines);
                    }
                } else {
                    line(c, e, memory, shift, lines);
                }
            }
        }
    }

    private static void line(Encoder c, Entry e, boolean memory, boolean shift, Set<String> lines) {
        int mask = 0;
        for (int f = 0; f < MOST_DEFINED.length; f++) {
            mask |= e.undefined().indexOf("cpazso".charAt(f)) < 0 ? MOST_DEFINED[f] : 0;
        }
        boolean byOne = e.operands().contains("1") || c.imm == 1 && e.operands().contains("Ib");
        if (shift && !byOne) {
            mask &= ~OF;
        }
        int status = e.section().equals("mmx") ? 0xffff : COMPARISONS.contains(e.op().name()) ? 0xffff : e.op().name().endsWith("COMI") ? 0xb8ff : 0xbaff;
        mask |= (kind(e) & 8) != 0 ? status << 16 : 0;
        lines.add(HexFormat.of().formatHex(c.bytes()) + " " + Integer.toHexString(mask) + " " + ((memory ? 1 : 0) + kind(e)) + " "
                + (VECTORS.contains(e.section()) ? VECTOR_CASES : CASES));
    }

    private static int kind(Entry e) {
        return (VECTORS.contains(e.section()) ? 2 : 0) + (e.op().group == Op.Group.FLOATS ? 4 : 0) + (e.section().equals("mmx") || e.section().startsWith("x87") ? 8 : 0)
                + (UNORDERED.contains(e.op().name()) ? 16 : 0);
    }
}
