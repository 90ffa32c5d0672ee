package org.penumbra.experiments.engine;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Label;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.Tuple;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import org.penumbra.api.cpu.ExecutionEngine.Stop;
import org.penumbra.api.cpu.MemoryPort;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.guest.GuestState;
import org.penumbra.api.guest.StepBuffer;
import org.penumbra.api.machine.MemoryDigest;

/** However a step is executed, directly, emulated or after interruptions, its effect is the same. */
class EmulationPropertyTest {
    private static final long BASE = 0x4000;
    private static final int PAGES = 4;

    record Op(int kind, long gva, int width, int function, long value) {
        void append(StepBuffer s) {
            switch (kind) {
                case 0 -> s.load(gva, width);
                case 1 -> s.store(gva, width, value);
                case 2 -> s.storeAccumulator(gva, width);
                case 3 -> s.update(gva, Math.min(width, 8), function, value);
                case 4 -> s.andAccumulator(value);
                case 5 -> s.orAccumulator(value);
                default -> s.fetch(gva, Math.min(width, 15));
            }
        }
    }

    @Provide
    Arbitrary<List<Op>> programs() {
        Arbitrary<Integer> widths = Arbitraries.frequencyOf(
                Tuple.of(8, Arbitraries.integers().between(1, 8)),
                Tuple.of(2, Arbitraries.integers().between(9, 64)),
                Tuple.of(1, Arbitraries.integers().between(65, 4096)));
        Arbitrary<Long> addresses = Arbitraries.frequencyOf(
                Tuple.of(1, Arbitraries.longs().between(BASE, BASE + 4096L * (PAGES - 1))),
                Tuple.of(1, Arbitraries.longs().between(BASE + 4080, BASE + 4096)));
        return Combinators.combine(Arbitraries.integers().between(0, 6), addresses, widths, Arbitraries.integers().between(0, 4),
                Arbitraries.longs()).as(Op::new).list().ofMinSize(1).ofMaxSize(40);
    }

    private record Result(long digest, long accumulator, long retired, long rip, long memory) {}

    private interface Driver {
        void run(StepEngine engine, FakeProcessor cpu, GuestState guest);
    }

    private static Result result(List<Op> program, Driver driver) {
        FakeProcessor cpu = new FakeProcessor(1 << 16);
        for (long a = BASE; a < BASE + 4096L * PAGES; a += 8) {
            cpu.memory.store64(a, a * 0x9e37_79b9_7f4a_7c15L);
        }
        GuestState guest = new GuestState(Script.of(s -> program.forEach(op -> op.append(s))));
        driver.run(engine(guest, cpu), cpu, guest);
        long memory = MemoryDigest.of(cpu.memory);
        return new Result(guest.digest, cpu.registers.gpr[RegisterFile.RAX], cpu.time.retired(), cpu.registers.rip, memory);
    }

    private static StepEngine engine(GuestState guest, FakeProcessor cpu) {
        StepEngine engine = new StepEngine(guest);
        engine.attach(cpu, new MemoryPort(cpu, 0), 0);
        return engine;
    }

    private static final Driver DIRECTLY = (engine, cpu, guest) -> assertThat(engine.run(Long.MAX_VALUE)).isEqualTo(Stop.FINISHED);

    @Property(tries = 300)
    @Label("V05 completing every operation against hooks has the same effect as executing it")
    void emulated(@ForAll("programs") List<Op> program) {
        Result emulated = result(program, (engine, cpu, guest) -> {
            cpu.alwaysExit = true;
            DirectHooks hooks = new DirectHooks(cpu.memory);
            while (engine.run(Long.MAX_VALUE) == Stop.EXIT) {
                assertThat(engine.complete(hooks)).isTrue();
            }
        });
        assertThat(emulated).isEqualTo(result(program, DIRECTLY));
    }

    @Property(tries = 200)
    @Label("X02 exits, faults and budgets at any place change nothing")
    void interrupted(@ForAll("programs") List<Op> program, @ForAll @IntRange(min = 1, max = 5) int budget,
            @ForAll @Size(max = 12) List<@IntRange(min = 0, max = 9) Integer> troubles) {
        Result disturbed = result(program, (engine, cpu, guest) -> {
            for (int t : troubles) {
                if (t < PAGES) {
                    cpu.exitOnce(BASE + 4096L * t);
                } else if (t < 2 * PAGES) {
                    cpu.faultOnce(BASE + 4096L * (t - PAGES), 2);
                }
            }
            while (engine.run(budget) != Stop.FINISHED) {
                // Goes on until nothing is left.
            }
        });
        assertThat(disturbed).isEqualTo(result(program, DIRECTLY));
    }

    @Property(tries = 200)
    @Label("P04 an engine that is replaced after every few operations has the same effect as one that stays")
    void replaced(@ForAll("programs") List<Op> program, @ForAll @IntRange(min = 1, max = 4) int budget,
            @ForAll @Size(max = 8) List<@IntRange(min = 0, max = PAGES - 1) Integer> faults) {
        Result replaced = result(program, (engine, cpu, guest) -> {
            faults.forEach(page -> cpu.faultOnce(BASE + 4096L * page, 2));
            StepEngine current = engine;
            while (current.run(budget) != Stop.FINISHED) {
                current = engine(guest, cpu);
            }
        });
        assertThat(replaced).isEqualTo(result(program, DIRECTLY));
    }
}
