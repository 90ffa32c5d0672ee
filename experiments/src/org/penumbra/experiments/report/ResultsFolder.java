package org.penumbra.experiments.report;

import java.io.IOException;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.stream.Stream;
import org.penumbra.experiments.run.CampaignResult;
import org.penumbra.experiments.run.RefusedException;
import org.penumbra.experiments.run.ServiceRegistry.BundleVersion;

/**
 * The folder that {@code --out} names: {@code results.csv}, {@code run.json} and {@code timings.json}. Each file is replaced in
 * one step, so that whoever stops a run finds whole files with the trials that had finished.
 */
public final class ResultsFolder {
    private static final String RESULTS = "results.csv";
    private static final String RUN = "run.json";
    private static final String TIMINGS = "timings.json";

    private final Path folder;

    /**
     * The results folder {@code folder}; nothing is created yet.
     *
     * @param force whether the three files of an earlier run may be replaced; other files are never touched
     * @throws RefusedException if results cannot go there
     */
    public ResultsFolder(Path folder, boolean force) {
        this.folder = folder;
        if (Files.exists(folder) && !Files.isDirectory(folder)) {
            throw new RefusedException("--out: '" + folder + "' is a file; name a folder");
        }
        if (Files.isDirectory(folder) && !force && !isEmpty(folder)) {
            throw new RefusedException("--out: folder '" + folder + "' is not empty; name another, or give --force to replace "
                    + RESULTS + ", " + RUN + " and " + TIMINGS + " in it");
        }
        Path existing = folder.toAbsolutePath();
        while (!Files.exists(existing)) {
            existing = existing.getParent();
        }
        if (!Files.isDirectory(existing) || !Files.isWritable(existing)) {
            throw new RefusedException("--out: cannot make '" + folder + "', because '" + existing + "' is not a writable folder");
        }
    }

    /** Writes all three files as of {@code campaign}. */
    public void write(CampaignResult campaign, List<BundleVersion> bundles) throws IOException {
        Files.createDirectories(folder);
        replace(RUN, out -> Json.write(RunJson.document(campaign, bundles), out));
        replace(TIMINGS, out -> Json.write(TimingsJson.document(campaign), out));
        replace(RESULTS, out -> ResultsCsv.write(Measurements.of(campaign), out));
    }

    private interface Content {
        void writeTo(Writer out) throws IOException;
    }

    private void replace(String name, Content content) throws IOException {
        Path part = folder.resolve("." + name + ".part");
        try {
            try (Writer out = Files.newBufferedWriter(part)) {
                content.writeTo(out);
            }
            Files.move(part, folder.resolve(name), StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } finally {
            Files.deleteIfExists(part);
        }
    }

    private static boolean isEmpty(Path folder) {
        try (Stream<Path> files = Files.list(folder)) {
            return files.findAny().isEmpty();
        } catch (IOException e) {
            throw new RefusedException("--out: folder '" + folder + "' cannot be read", e);
        }
    }
}
