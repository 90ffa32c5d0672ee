package org.penumbra.cpu.table;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** The instructions, from the resource {@code instructions.txt}, whose head says what its columns mean. Immutable. */
public final class InstructionTable {
    private static final String RESOURCE = "instructions.txt";

    private final List<Entry> entries = new ArrayList<>();
    private final Entry[][][] byOpcode = new Entry[4][256][];

    /** Reads the resource. */
    public InstructionTable() {
        String section = "";
        try (BufferedReader in = new BufferedReader(new InputStreamReader(
                InstructionTable.class.getResourceAsStream(RESOURCE), StandardCharsets.UTF_8))) {
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                if (line.startsWith("## ")) {
                    section = line.substring(3);
                } else if (!line.isBlank() && !line.startsWith("#")) {
                    Entry e = entry(line, section);
                    entries.add(e);
                    entries.addAll(Variants.of(e));
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        for (Entry e : entries) {
            for (int opcode = e.opcode(); opcode < e.opcode() + (e.third() >= 0 ? 1 : e.span()); opcode++) {
                List<Entry> row = new ArrayList<>(List.of(candidates(e.map(), opcode)));
                row.add(e);
                byOpcode[e.map()][opcode] = row.toArray(Entry[]::new);
            }
        }
    }

    /** All rows, in their order. */
    public List<Entry> entries() {
        return List.copyOf(entries);
    }

    /** The rows for {@code opcode} in {@code map}; of those that fit, the first counts. */
    public Entry[] candidates(int map, int opcode) {
        Entry[] row = byOpcode[map][opcode];
        return row == null ? new Entry[0] : row;
    }

    private static Entry entry(String line, String section) {
        try {
            String[] words = line.strip().split("\\s+");
            int at = 0;
            int prefix = -1;
            int digit = -1;
            int span = 1;
            List<Integer> bytes = new ArrayList<>();
            for (; !words[at].matches("[A-Z][A-Z0-9_]*"); at++) {
                String w = words[at];
                if (w.equals("np")) {
                    prefix = 0;
                } else if (w.startsWith("/")) {
                    digit = Integer.parseInt(w.substring(1));
                } else if (w.equals("+r") || w.equals("+i") || w.equals("+cc")) {
                    span = w.equals("+cc") ? 16 : 8;
                } else {
                    bytes.add(Integer.parseInt(w, 16));
                }
            }
            boolean first = bytes.size() > 1 && (bytes.get(0) == 0x66 || bytes.get(0) == 0xf2 || bytes.get(0) == 0xf3);
            if (first) {
                prefix = bytes.remove(0);
            }
            int map = 0;
            if (bytes.get(0) == 0x0f && bytes.size() > 1) {
                bytes.remove(0);
                map = bytes.size() > 1 && bytes.get(0) == 0x38 ? 2 : bytes.size() > 1 && bytes.get(0) == 0x3a ? 3 : 1;
                if (map > 1) {
                    bytes.remove(0);
                }
            }
            String name = words[at++];
            List<String> operands = words.length <= at || words[at].equals("-") ? List.of() : List.of(words[at].split(","));
            String mnemonic = name.toLowerCase(Locale.ROOT);
            String undefined = "";
            List<String> attributes = new ArrayList<>();
            for (at++; at < words.length; at++) {
                if (words[at].startsWith("as=")) {
                    mnemonic = words[at].substring(3);
                } else if (words[at].startsWith("undef=")) {
                    undefined = words[at].substring(6);
                } else {
                    attributes.add(words[at]);
                }
            }
            Op op = attributes.contains("missing") ? null : Op.valueOf(name);
            return new Entry(prefix, map, bytes.get(0), span, digit, bytes.size() > 1 ? bytes.get(1) : -1, op, mnemonic,
                    operands, List.copyOf(attributes), undefined, section);
        } catch (RuntimeException e) {
            throw new IllegalStateException(RESOURCE + ": cannot read '" + line + "': " + e.getMessage(), e);
        }
    }
}
