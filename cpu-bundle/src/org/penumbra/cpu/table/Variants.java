package org.penumbra.cpu.table;

import java.util.ArrayList;
import java.util.List;

/** Further encodings that the attributes of a row stand for: VEX, and MMX registers. */
final class Variants {
    private Variants() {}

    /** The rows that {@code e} stands for besides itself. */
    static List<Entry> of(Entry e) {
        List<Entry> variants = new ArrayList<>();
        List<String> operands = new ArrayList<>(e.operands());
        if (e.has("avx3")) {
            operands.add(1, "Hx");
        } else if (e.has("avxd")) {
            operands.add(0, "Hx");
        }
        if (e.has("avx") || e.has("avx3") || e.has("avxd")) {
            variants.add(variant(e, e.prefix(), "v" + e.mnemonic(), operands, "vex", "avx"));
        }
        if (e.has("mmx")) {
            variants.add(variant(e, 0, e.mnemonic().replace("dqu", "q"), e.operands().stream().map(o -> mmx(o, e)).toList(), "", "mmx"));
        }
        return variants;
    }

    private static String mmx(String operand, Entry e) {
        int kind = "VWU".indexOf(operand.charAt(0));
        // PUNPCKLBW and its kin read 4 bytes of memory only.
        return kind < 0 ? operand : "PQN".charAt(kind) + (kind == 1 && e.op() == Op.UNPCKL ? "d" : "q");
    }

    private static Entry variant(Entry e, int prefix, String mnemonic, List<String> operands, String added, String section) {
        List<String> attributes = new ArrayList<>(e.attributes());
        attributes.removeAll(List.of("avx", "avx3", "avxd", "mmx"));
        if (added.isEmpty()) {
            attributes.remove("l0");
        } else {
            attributes.add(added);
        }
        return new Entry(prefix, e.map(), e.opcode(), e.span(), e.digit(), e.third(), e.op(), mnemonic, operands, List.copyOf(attributes),
                e.undefined(), section);
    }
}
