package org.penumbra.api.snapshot;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.util.Arrays;
import java.util.Map;
import net.jqwik.api.ForAll;
import net.jqwik.api.Label;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import net.jqwik.api.constraints.StringLength;
import org.penumbra.api.machine.MachineException;

class SnapshotHeaderPropertyTest {
    private static byte[] written(Map<String, String> facts) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        new SnapshotHeader(facts).write(new DataOutputStream(bytes));
        return bytes.toByteArray();
    }

    private static SnapshotHeader read(byte[] bytes) throws IOException {
        return SnapshotHeader.read(new DataInputStream(new ByteArrayInputStream(bytes)));
    }

    @Property(tries = 200)
    @Label("P10 what a snapshot says of itself is read as it was written, and nothing beyond it")
    void same(@ForAll @Size(max = 20) Map<@StringLength(max = 40) String, @StringLength(max = 40) String> facts) throws IOException {
        byte[] bytes = Arrays.copyOf(written(facts), written(facts).length + 3);
        ByteArrayInputStream in = new ByteArrayInputStream(bytes);
        assertThat(SnapshotHeader.read(new DataInputStream(in)).facts()).isEqualTo(facts);
        assertThat(in.available()).isEqualTo(3);
    }

    @Property(tries = 500)
    @Label("P10 a changed bit anywhere in what a snapshot says of itself, and an early end, are noticed")
    void damaged(@ForAll @IntRange(max = 10_000) int where, @ForAll @IntRange(max = 7) int bit) throws IOException {
        byte[] good = written(Map.of("memory", "268435456", "engine", "x86", "guest.workload", "fork-heavy"));
        byte[] bad = good.clone();
        bad[where % bad.length] ^= (byte) (1 << bit);
        assertThatThrownBy(() -> read(bad)).isInstanceOf(MachineException.class);
        assertThatThrownBy(() -> read(Arrays.copyOf(good, where % good.length))).isInstanceOf(MachineException.class);
    }
}
