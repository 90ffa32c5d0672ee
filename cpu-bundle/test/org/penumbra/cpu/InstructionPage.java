package org.penumbra.cpu;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.penumbra.cpu.table.Entry;
import org.penumbra.cpu.table.InstructionTable;

/** The page {@code docs/instructions.md}, made from the table. */
public final class InstructionPage {
    private InstructionPage() {}

    /** Writes the page to the file that the first argument names. */
    public static void main(String[] arguments) throws IOException {
        Files.writeString(Path.of(arguments[0]), text());
    }

    static String text() {
        List<Entry> entries = new InstructionTable().entries();
        StringBuilder s = new StringBuilder("# Instructions\n\n"
                + "Made from the table of `cpu-bundle` by its test class `InstructionPage`; a test fails when it is not up to date. Operands are written as in "
                + "SDM vol. 2, appendix \"Key to Abbreviations\"; the head of `instructions.txt` explains the rest.\n\n"
                + "Whatever stands in neither list is #UD.\n");
        s.append("\n## Missing\n\nKnown and not executed: #UD.\n\n");
        List<Entry> missing = entries.stream().filter(e -> e.op() == null).toList();
        missing.forEach(e -> s.append("- `").append(e.code()).append("` ").append(e.mnemonic()).append('\n'));
        s.append(missing.isEmpty() ? "Nothing in the table; what it does not have: " : "\nAnd what the table does not have: ")
                .append(String.join(", ", ABSENT)).append(".\n");
        Map<String, List<Entry>> sections = entries.stream().filter(e -> e.op() != null)
                .collect(Collectors.groupingBy(Entry::section, LinkedHashMap::new, Collectors.toList()));
        sections.forEach((name, rows) -> {
            s.append("\n## ").append(Character.toUpperCase(name.charAt(0))).append(name.substring(1))
                    .append("\n\n| instruction | encodings | undefined flags |\n|---|---|---|\n");
            Map<String, List<Entry>> byName = rows.stream().collect(Collectors.groupingBy(
                    e -> e.mnemonic() + (e.span() == 16 ? "cc" : ""), LinkedHashMap::new, Collectors.toList()));
            byName.forEach((mnemonic, encodings) -> s.append("| ").append(mnemonic).append(" | ")
                    .append(encodings.stream().map(InstructionPage::encoding).collect(Collectors.joining(", "))).append(" | ")
                    .append(encodings.get(0).undefined().isEmpty() ? "" : flags(encodings.get(0).undefined())).append(" |\n"));
        });
        return s.toString();
    }

    private static final List<String> ABSENT = List.of("XSAVEC, XSAVES, XRSTORS", "FMA, F16C, SHA, GFNI, VAES and whatever EVEX encodes",
            "RDRAND, RDSEED", "MONITOR, MWAIT", "XBEGIN and its kin", "VMX and SVM instructions but VMCALL and VMMCALL", "RSM",
            "JMPE, LOADALL and others that the manuals do not have");

    private static String encoding(Entry e) {
        String notes = (e.has("i64") ? " (not in 64-bit mode)" : "") + (e.has("o64") ? " (64-bit mode)" : "") + (e.has("vex") ? " VEX" + (e.has("l0") ? ".128" : e.has("l1") ? ".256" : "") + (e.has("w1") ? ".W1" : "") : "");
        return "`" + e.code() + (e.operands().isEmpty() ? "" : " " + String.join(",", e.operands())) + "`" + notes;
    }

    private static String flags(String letters) {
        return letters.chars().mapToObj(c -> Character.toUpperCase((char) c) + "F").collect(Collectors.joining(" "));
    }
}
