package org.penumbra.experiments.trace;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * A trace that was written anew in another form or compression.
 *
 * @param target the file written
 * @param from the form it had
 * @param to the form it has now
 * @param records its records
 * @param bytesBefore size of the file it was in
 * @param bytesAfter size of the file it is in
 */
public record TraceConversion(Path target, TraceFormat from, TraceFormat to, long records, long bytesBefore, long bytesAfter) {

    /**
     * Writes the records of {@code source} and the comments at its head to {@code target}, in the form and compression that the name
     * of {@code target} says ({@link TraceWriter#create}). An older file of that name is replaced when the new one is whole; so a trace
     * can take its own place.
     *
     * @throws TraceFormatException if the source is no good trace; the target is as it was before
     * @throws IOException if the target cannot be written
     */
    public static TraceConversion convert(Path source, Path target) throws IOException {
        TraceBatch batch = new TraceBatch(4096);
        try (TraceReader reader = TraceReader.open(source)) {
            int n = reader.read(batch);
            long before = Files.size(source);
            try (TraceWriter writer = TraceWriter.create(target, reader.comments())) {
                while (n > 0) {
                    writer.write(batch);
                    n = reader.read(batch);
                }
                long after = writer.commit();
                return new TraceConversion(target, reader.format(), TraceFormat.ofName(target), reader.records(), before, after);
            }
        }
    }
}
