package org.penumbra.cpu.table;

import java.util.List;

/**
 * A row of the table.
 *
 * @param prefix mandatory prefix: 0x66, 0xf2, 0xf3; 0 for none of them allowed; -1 if they do not matter
 * @param map 0 one byte, 1 after 0F, 2 after 0F 38, 3 after 0F 3A
 * @param opcode the first of {@code span} consecutive opcodes: 8 for a register in the low bits, 16 for a condition, else 1
 * @param digit ModRM.reg, or -1
 * @param third the whole ModRM byte, the first of {@code span} if that is 8; or -1
 * @param op null for an instruction that is not executed
 * @param mnemonic lower case, without condition
 * @param attributes as the table has them, {@code undef=} and {@code as=} left out
 * @param undefined flags that are undefined afterwards, letters of "coszap"
 */
public record Entry(
        int prefix, int map, int opcode, int span, int digit, int third, Op op, String mnemonic, List<String> operands,
        List<String> attributes, String undefined, String section) {
    /** True if the row has {@code attribute}. */
    public boolean has(String attribute) {
        return attributes.contains(attribute);
    }

    /** Bytes of an element, of a vector instruction; 0 of another. */
    public int lane() {
        return attributes.stream().filter(a -> a.startsWith("lane=")).mapToInt(a -> Integer.parseInt(a.substring(5))).findFirst().orElse(0);
    }

    /** True if a ModRM byte follows the opcode. */
    public boolean modrm() {
        return digit >= 0 || third >= 0 || operands.stream().anyMatch(o -> isModrm(o));
    }

    /** True if vector registers are written or read, or only MMX registers. */
    public boolean vector(String letters) {
        return operands.stream().anyMatch(o -> o.length() == 2 && letters.indexOf(o.charAt(0)) >= 0 && Character.isLowerCase(o.charAt(1)));
    }

    private static boolean isModrm(String operand) {
        return !operand.equals("rAX") && operand.length() <= 3 && "EGMRSCDVWUPQN".indexOf(operand.charAt(0)) >= 0
                && operand.length() > 1 && Character.isLowerCase(operand.charAt(1)) || operand.equals("M") || operand.equals("X");
    }

    /** The opcode column of the table. */
    public String code() {
        StringBuilder s = new StringBuilder(prefix < 0 ? "" : prefix == 0 ? "np " : String.format("%02x ", prefix));
        s.append(new String[] {"", "0f ", "0f 38 ", "0f 3a "}[map]).append(String.format("%02x", opcode));
        if (third >= 0) {
            s.append(String.format(" %02x", third));
        }
        return s.append(digit >= 0 ? " /" + digit : "").append(span == 8 ? third >= 0 ? " +i" : " +r" : span == 16 ? " +cc" : "").toString();
    }
}
