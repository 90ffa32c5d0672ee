package org.penumbra.api.guest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Label;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.penumbra.api.machine.MachineException;

class GuestHistoryPropertyTest {
    /** A program that writes down what it is asked, and whose steps depend on all of it. */
    private static final class Diary implements GuestProgram {
        private final List<String> asked = new ArrayList<>();
        private long state = 1;

        private void heard(String what, StepBuffer steps) {
            asked.add(what);
            state = state * 31 + what.hashCode();
            steps.store(0x1000, 8, state);
        }

        @Override
        public boolean refill(StepBuffer steps) {
            heard("refill", steps);
            return true;
        }

        @Override
        public void pageFault(long cr2, int errorCode, boolean user, StepBuffer handler) {
            heard("fault " + cr2 + " " + errorCode + " " + user, handler);
        }

        @Override
        public void interrupt(int vector, StepBuffer handler) {
            heard("interrupt " + vector, handler);
        }
    }

    private static byte[] saved(GuestState guest) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        guest.save(new DataOutputStream(bytes));
        return bytes.toByteArray();
    }

    private static GuestState restored(byte[] bytes, GuestProgram program) throws IOException {
        GuestState guest = new GuestState(program);
        ByteArrayInputStream in = new ByteArrayInputStream(bytes);
        guest.restore(new DataInputStream(in));
        assertThat(in.available()).as("bytes left").isZero();
        return guest;
    }

    private interface Event {
        void happen(GuestState guest);
    }

    @Provide
    Arbitrary<List<Event>> courses() {
        Arbitrary<Event> refills = Arbitraries.integers().between(1, 300).map(n -> g -> {
            for (int i = 0; i < n; i++) {
                g.refill();
            }
        });
        Arbitrary<Event> interrupts = Arbitraries.integers().between(0, 255).map(v -> g -> g.interrupt(v));
        Arbitrary<Event> faults = Combinators.combine(Arbitraries.longs(), Arbitraries.integers(), Arbitraries.of(true, false))
                .as((cr2, code, user) -> g -> g.pageFault(cr2, code & 0xffff, user));
        return Arbitraries.frequencyOf(net.jqwik.api.Tuple.of(2, refills), net.jqwik.api.Tuple.of(1, interrupts), net.jqwik.api.Tuple.of(3, faults))
                .list().ofMaxSize(60);
    }

    @Property(tries = 300)
    @Label("P10 a restored guest's program was asked what the saved one's was, in order, and both go on alike")
    void same(@ForAll("courses") List<Event> before, @ForAll("courses") List<Event> after) throws IOException {
        Diary diary = new Diary();
        GuestState guest = new GuestState(diary);
        before.forEach(e -> e.happen(guest));
        guest.digest = 17;
        Diary copy = new Diary();
        GuestState other = restored(saved(guest), copy);
        assertThat(copy.asked).isEqualTo(diary.asked);
        assertThat(other.batches).isEqualTo(guest.batches);
        assertThat(other.digest).isEqualTo(guest.digest);
        assertThat(other.batch.count).isEqualTo(guest.batch.count);
        assertThat(other.handler.count).isEqualTo(guest.handler.count);
        assertThat(other.batch.value[0]).isEqualTo(guest.batch.value[0]);
        assertThat(other.handler.value[0]).isEqualTo(guest.handler.value[0]);
        after.forEach(e -> e.happen(guest));
        after.forEach(e -> e.happen(other));
        assertThat(saved(other)).isEqualTo(saved(guest));
        assertThat(copy.asked).isEqualTo(diary.asked);
    }

    @Example
    @Label("P10 a million batches without a fault take a few bytes, and a fault near the one before four or so")
    void small() throws IOException {
        GuestState guest = new GuestState(new Diary());
        int empty = saved(guest).length;
        for (int i = 0; i < 1_000_000; i++) {
            guest.refill();
        }
        assertThat(saved(guest).length - empty).isLessThan(8);
        for (int i = 0; i < 1000; i++) {
            guest.pageFault(0x7fff_0000_0000L + 4096L * i, 6, true);
        }
        assertThat(saved(guest).length - empty).isLessThan(1000 * 6);
    }

    @Example
    @Label("P10 a program that is not the saved one's, a history that is cut short and one with unknown events are refused")
    void refused() throws IOException {
        GuestState guest = new GuestState(new Diary());
        guest.refill();
        guest.next = 1;
        byte[] bytes = saved(guest);
        GuestProgram silent = new GuestProgram() {
            @Override
            public boolean refill(StepBuffer steps) {
                return false;
            }

            @Override
            public void pageFault(long cr2, int errorCode, boolean user, StepBuffer handler) {}

            @Override
            public void interrupt(int vector, StepBuffer handler) {}
        };
        assertThatThrownBy(() -> restored(bytes, silent)).isInstanceOf(IllegalArgumentException.class).hasMessageContaining("no program of this snapshot");
        int at = bytes.length - 8 - 2;
        byte[] unknown = bytes.clone();
        unknown[at] = 9;
        assertThatThrownBy(() -> restored(unknown, new Diary())).isInstanceOf(IllegalArgumentException.class).hasMessageContaining("event 9");
        byte[] open = bytes.clone();
        open[at + 1] = (byte) 0x81;
        assertThatThrownBy(() -> restored(open, new Diary())).isInstanceOf(IllegalArgumentException.class).hasMessageContaining("ends within an event");
    }

    @Example
    @Label("P10 a guest with guests of its own is not saved")
    void nested() {
        GuestState guest = new GuestState(new Diary());
        guest.guests.put(0x1000L, new GuestState(new Diary()));
        assertThatThrownBy(() -> saved(guest)).isInstanceOf(MachineException.class).hasMessageContaining("a guest of its own");
    }
}
