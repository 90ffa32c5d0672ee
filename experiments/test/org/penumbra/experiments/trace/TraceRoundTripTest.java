package org.penumbra.experiments.trace;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Label;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.penumbra.experiments.trace.TraceFiles.Access;

@Label("X03 trace round trip")
class TraceRoundTripTest {

    @Property(tries = 100)
    @Label("X03 any records come back as they were written, in each form and compression")
    void roundTrip(@ForAll("accesses") List<Access> accesses, @ForAll("endings") String ending) throws IOException {
        Path file = Files.createTempFile("penumbra-round-trip-", ending);
        try {
            TraceBatch batch = new TraceBatch(accesses.size());
            accesses.forEach(access -> batch.add(access.kind(), access.address(), access.size()));
            try (TraceWriter writer = TraceWriter.create(file, List.of("a comment"))) {
                writer.write(batch);
                assertThat(writer.commit()).isEqualTo(Files.size(file));
            }
            assertThat(TraceFiles.read(file)).isEqualTo(accesses);
        } finally {
            Files.delete(file);
        }
    }

    @Provide
    Arbitrary<List<Access>> accesses() {
        Arbitrary<Byte> kinds = Arbitraries.bytes().between((byte) 0, (byte) 3);
        Arbitrary<Integer> sizes = Arbitraries.integers().between(1, TraceBatch.MAX_SIZE);
        Arbitrary<Long> addresses = Arbitraries.longs().between(0, TraceBatch.ADDRESS_END - TraceBatch.MAX_SIZE);
        return Combinators.combine(kinds, addresses, sizes).as(Access::new).list().ofMinSize(1).ofMaxSize(3000);
    }

    @Provide
    Arbitrary<String> endings() {
        return Arbitraries.of(".txt", ".gz", ".xz", ".zst", ".ptrace", ".ptrace.zst");
    }
}
