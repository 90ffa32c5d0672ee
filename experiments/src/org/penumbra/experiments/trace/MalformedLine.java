package org.penumbra.experiments.trace;

import java.nio.charset.StandardCharsets;

/** Says what is wrong with a line that is no record. Slow and careful: it runs once, before the reading ends. */
final class MalformedLine {

    private static final int EXCERPT = 48;
    private static final String EXAMPLE = "a record such as \"I  04001000,3\" or \" L 1ffeffe7e,8\"";

    private final byte[] line;
    private int column;

    private MalformedLine(byte[] line) {
        this.line = line;
    }

    /**
     * @param line the line without its line feed
     * @param unfinished whether the text ended where the line feed should be
     */
    static String explain(byte[] line, boolean unfinished) {
        return new MalformedLine(line).explain(unfinished);
    }

    /** @param start the first bytes of the line */
    static String overlong(byte[] start, int max) {
        if (binary(start)) {
            return expected("binary data " + excerpt(start));
        }
        return expected("a line of more than " + max + " bytes, " + excerpt(start));
    }

    private String explain(boolean unfinished) {
        if (binary(line)) {
            return expected("binary data " + excerpt(line));
        }
        String what = firstFault();
        if (what == null) {
            // Only the line feed is missing. The last digits of the size may be, too.
            return "the text ends inside the record " + excerpt(line)
                    + "; record it again, or end the line if it is all there";
        }
        return what + ", found " + excerpt(line) + (unfinished ? ", where the text ends" : "");
    }

    private String firstFault() {
        String mark = new String(line, 0, Math.min(3, line.length), StandardCharsets.ISO_8859_1);
        if (!mark.equals("I  ") && !mark.equals(" L ") && !mark.equals(" S ") && !mark.equals(" M ")) {
            return "expected " + EXAMPLE;
        }
        column = 3;
        String address = digits(16);
        if (address.isEmpty()) {
            return expectedHere("a hexadecimal address");
        }
        if (address.length() > 16 || Long.parseUnsignedLong(address, 16) >>> 47 != 0) {
            return "expected a user address below 800000000000 (hexadecimal)";
        }
        if (column == line.length || line[column] != ',') {
            return expectedHere("a comma after the address");
        }
        column++;
        String size = digits(10);
        if (size.isEmpty()) {
            return expectedHere("a size in bytes");
        }
        if (size.length() > 4 || Integer.parseInt(size) < 1 || Integer.parseInt(size) > TraceBatch.MAX_SIZE) {
            return "expected a size of 1 to " + TraceBatch.MAX_SIZE + " bytes";
        }
        if (column < line.length) {
            return expectedHere("the end of the line");
        }
        if (Long.parseUnsignedLong(address, 16) + Integer.parseInt(size) > TraceBatch.ADDRESS_END) {
            return "expected an access that ends below 800000000000 (hexadecimal)";
        }
        return null;
    }

    private String digits(int radix) {
        int start = column;
        while (column < line.length && line[column] >= 0 && Character.digit(line[column], radix) >= 0) {
            column++;
        }
        return new String(line, start, column - start, StandardCharsets.US_ASCII);
    }

    private String expectedHere(String what) {
        return "expected " + what + " in column " + (column + 1);
    }

    private static String expected(String found) {
        return "expected " + EXAMPLE + ", found " + found;
    }

    private static boolean binary(byte[] bytes) {
        for (byte b : bytes) {
            if (b >= 0 && b < ' ' && b != '\t' && b != '\r') {
                return true;
            }
        }
        return false;
    }

    /** The beginning of the line in quotes, whatever bytes it holds. */
    private static String excerpt(byte[] bytes) {
        StringBuilder text = new StringBuilder("\"");
        for (int i = 0; i < bytes.length && i < EXCERPT; i++) {
            char c = (char) (bytes[i] & 0xff);
            if (c == '"' || c == '\\') {
                text.append('\\').append(c);
            } else if (c >= ' ' && c < 0x7f) {
                text.append(c);
            } else {
                text.append(String.format("\\x%02x", (int) c));
            }
        }
        return text.append(bytes.length > EXCERPT ? "…\"" : "\"").toString();
    }
}
