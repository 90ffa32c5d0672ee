package org.penumbra.experiments.report;

import java.io.IOException;
import java.io.Writer;
import java.util.List;
import org.apache.commons.csv.CSVFormat;
import org.apache.commons.csv.CSVPrinter;
import org.penumbra.api.experiment.Measurement;

/** {@code results.csv}: a row for each figure of each trial. The same measurements give the same bytes. */
final class ResultsCsv {
    private static final CSVFormat FORMAT = CSVFormat.DEFAULT.builder()
            .setHeader("experiment", "trial", "workload", "design", "hardware", "seed", "metric", "unit", "value")
            .setRecordSeparator('\n').get();

    private ResultsCsv() {}

    static void write(List<Measurement> measurements, Writer out) throws IOException {
        try (CSVPrinter printer = new CSVPrinter(out, FORMAT)) {
            for (Measurement m : measurements) {
                printer.printRecord(m.experiment(), m.trial(), m.workload(), m.design(), m.hardware(), m.seed(), m.metric(), m.unit(),
                        Measurements.text(m));
            }
        }
    }
}
