package org.penumbra.experiments.workload;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import org.penumbra.api.experiment.Workload;
import org.penumbra.api.machine.GuestBoot;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.experiments.guest.MiniatureGuest;
import org.penumbra.experiments.trace.TraceBatch;
import org.penumbra.experiments.trace.TraceReader;

/**
 * A recorded trace, replayed by one process of the miniature guest. Streamed, so that a trace may be larger than memory. Equal
 * seeds and equal bytes of the trace give equal guests; the recorded values being unknown, the seed decides what is stored. Outside
 * IA-32e mode recorded addresses are moved, by {@link RegionFold}.
 */
public final class TraceWorkload implements Workload {
    /** Opens the trace's bytes as they are, compressed or not. */
    @FunctionalInterface
    interface Source {
        InputStream open() throws IOException;
    }

    /** Opens the trace for reading; fails with a message for the user. */
    @FunctionalInterface
    interface Opener {
        TraceReader open() throws IOException;
    }

    private final String name;
    private final String description;
    private final Opener opener;
    private final Source source;
    private final long records;
    private String identity;
    /** Bytes of the regions that the trace touches; 0: not counted yet. */
    private long regionBytes;

    private TraceWorkload(String name, String description, Opener opener, Source source, long records, long regionBytes) {
        this.name = name;
        this.description = description;
        this.opener = opener;
        this.source = source;
        this.records = records;
        this.regionBytes = regionBytes;
    }

    /**
     * The trace in {@code file}, in a format and compression that {@link TraceReader} knows. Reads it through once, so that a bad
     * record is found before anything has run.
     *
     * @throws UncheckedIOException if the file cannot be used, with a message for the user
     */
    public static TraceWorkload ofFile(Path file) {
        Opener opener = () -> TraceReader.open(file);
        try {
            Extent extent = Extent.of(opener);
            return new TraceWorkload(file.toString(), "a recorded trace: " + file, opener, () -> Files.newInputStream(file),
                    extent.records(), extent.regionBytes());
        } catch (IOException e) {
            throw new UncheckedIOException(e.getMessage(), e);
        }
    }

    /** A trace that is known to be good and to have {@code records} records (0: unknown), such as one of a bundle. Not read yet. */
    static TraceWorkload ofSource(String name, String description, Source source, long records) {
        return new TraceWorkload(name, description, () -> TraceReader.open(name, source.open()), source, records, 0);
    }

    /** How much a trace, read through once, has of what. */
    private record Extent(long records, long regionBytes) {
        static Extent of(Opener opener) throws IOException {
            try (TraceReader reader = opener.open()) {
                TraceBatch batch = new TraceBatch(4096);
                RegionFold regions = new RegionFold();
                while (reader.read(batch) > 0) {
                    for (int i = 0; i < batch.count; i++) {
                        while (regions.addMissing(batch.address[i], batch.size[i]) >= 0) {
                            // Both regions of an access that lies in two.
                        }
                    }
                }
                return new Extent(reader.records(), regions.count() * RegionFold.REGION);
            }
        }
    }

    private static String sha256(Source source) throws IOException {
        try (InputStream in = source.open()) {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            byte[] buffer = new byte[1 << 16];
            for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
                digest.update(buffer, 0, n);
            }
            return HexFormat.of().formatHex(digest.digest());
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }

    @Override
    public String description() {
        return description;
    }

    @Override
    public GuestBoot prepare(long seed, PagingMode mode) {
        if (mode.isLong()) {
            return new MiniatureGuest(name, seed, s -> new TraceProgram(open(), s, null)).in(mode);
        }
        return new MiniatureGuest(name, seed, s -> new TraceProgram(open(), s, new RegionFold())).in(mode).mapping(regionBytes());
    }

    private synchronized long regionBytes() {
        if (regionBytes == 0) {
            try {
                regionBytes = Extent.of(opener).regionBytes();
            } catch (IOException e) {
                throw new UncheckedIOException(e.getMessage(), e);
            }
        }
        return regionBytes;
    }

    private TraceReader open() {
        try {
            return opener.open();
        } catch (IOException e) {
            throw new UncheckedIOException(e.getMessage(), e);
        }
    }

    /** The digest of the trace's bytes as they are, compressed or not. Reads them the first time. */
    @Override
    public synchronized String inputIdentity() {
        if (identity == null) {
            try {
                identity = "sha256:" + sha256(source);
            } catch (IOException e) {
                throw new UncheckedIOException(e.getMessage(), e);
            }
        }
        return identity;
    }

    /** The records of the trace; the kernel's operations come on top. */
    @Override
    public long expectedOperations() {
        return records;
    }
}
