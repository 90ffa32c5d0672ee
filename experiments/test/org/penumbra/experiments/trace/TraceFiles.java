package org.penumbra.experiments.trace;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;

/** Makes the files that the tests of this package read, and reads them the long way round: one object a record. */
final class TraceFiles {

    /** A record as tests compare it. */
    record Access(byte kind, long address, int size) {
    }

    private TraceFiles() {
    }

    static byte[] compress(TraceCompression compression, byte[] text) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (OutputStream out = compression.encode(bytes)) {
            out.write(text);
        }
        return bytes.toByteArray();
    }

    static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.ISO_8859_1);
    }

    static Path write(Path folder, String name, String text) throws IOException {
        return Files.write(folder.resolve(name), ascii(text));
    }

    /** Loads of 8 bytes at 1000, 2003, 3006 … (hexadecimal), one a line; at most half a million. */
    static String lines(int count) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < count; i++) {
            text.append(" L ").append(HexFormat.of().toHexDigits((int) (0x1000 + i * 4099L))).append(",8\n");
        }
        return text.toString();
    }

    static List<Access> read(TraceReader reader, int capacity) throws IOException {
        List<Access> accesses = new ArrayList<>();
        TraceBatch batch = new TraceBatch(capacity);
        while (reader.read(batch) > 0) {
            accesses.addAll(accesses(batch));
        }
        return accesses;
    }

    static List<Access> read(Path file) throws IOException {
        try (TraceReader reader = TraceReader.open(file)) {
            return read(reader, 1000);
        }
    }

    static List<Access> read(String text) throws IOException {
        return read(ascii(text));
    }

    static List<Access> read(byte[] bytes) throws IOException {
        try (TraceReader reader = TraceReader.open("trace", new ByteArrayInputStream(bytes))) {
            return read(reader, 1000);
        }
    }

    static List<Access> accesses(TraceBatch batch) {
        List<Access> accesses = new ArrayList<>();
        for (int i = 0; i < batch.count; i++) {
            accesses.add(new Access(batch.kind[i], batch.address[i], batch.size[i]));
        }
        return accesses;
    }

    /** A stream whose device fails at the first read. */
    static InputStream failing() {
        return new InputStream() {
            @Override
            public int read() throws IOException {
                throw new IOException("Input/output error");
            }

            @Override
            public int read(byte[] bytes, int offset, int length) throws IOException {
                throw new IOException("Input/output error");
            }
        };
    }
}
