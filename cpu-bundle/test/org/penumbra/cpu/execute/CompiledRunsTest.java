package org.penumbra.cpu.execute;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.ref.WeakReference;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Label;
import net.jqwik.api.Property;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.memory.PhysicalAddressException;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.cpu.Bench;
import org.penumbra.cpu.decode.Decoder;
import org.penumbra.cpu.decode.Insn;
import org.penumbra.cpu.table.InstructionTable;

/** A guest cannot tell whether its code is interpreted or compiled, and nobody else can but by the clock on the wall. */
class CompiledRunsTest {
    private static final int CALLS = 60;

    @Property(tries = 250)
    @Label("G01 a program that is compiled is, at each stop, where the interpreter is: registers, memory, flags, faults, retired instructions, cycles, TLBs")
    void asInterpreted(@ForAll long seed, @ForAll boolean narrow) {
        SplittableRandom random = new SplittableRandom(seed);
        Bench one = new Bench(new X86InterpreterFactory());
        Bench other = new Bench(new X86EngineFactory(random.nextInt(4), 1 << random.nextInt(7)));
        new RandomProgram(seed).load(one, narrow);
        new RandomProgram(seed).load(other, narrow);
        boolean alive = true;
        for (int call = 0; call < CALLS && alive; call++) {
            int budget = 1 + random.nextInt(200);
            String expected = run(one, budget);
            assertThat(run(other, budget)).as("call %d of %d instructions", call, budget).isEqualTo(expected);
            alive = !expected.startsWith("dead");
        }
        assertThat(contents(other.memory)).isEqualTo(contents(one.memory));
    }

    @Example
    @Label("G01 a run is compiled when it was entered often enough; too many methods, and all are forgotten; their classes go with them")
    void bounded() throws InterruptedException {
        HotRuns hot = new HotRuns(2, 2);
        Block first = run(0x1000);
        assertThat(hot.enter(first)).isNull();
        assertThat(hot.enter(first)).isNull();
        CompiledRun method = hot.enter(first);
        assertThat(method).isNotNull().isSameAs(hot.enter(first)).isSameAs(first.method);
        assertThat(method.getClass().isHidden()).isTrue();
        WeakReference<Class<?>> type = new WeakReference<>(method.getClass());
        method = null;
        Block second = run(0x1010);
        Block third = run(0x1020);
        for (int i = 0; i < 3; i++) {
            hot.enter(second);
            hot.enter(third);
        }
        assertThat(first.method).as("the two that were there make way for a third").isNull();
        assertThat(second.method).isNull();
        assertThat(third.method).isNotNull();
        assertThat(hot.enter(first)).as("begins anew").isNull();
        expectGone(type);
        assertThat(new HotRuns(0, 0).enter(run(0x1000))).as("only interprets").isNull();
    }

    @Example
    @Label("G01 an engine that is given up leaves neither methods nor their classes")
    void unloaded() throws InterruptedException {
        Bench bench = new Bench(new X86EngineFactory(0, 64));
        new RandomProgram(1).load(bench, false);
        run(bench, 1000);
        WeakReference<Object> engine = new WeakReference<>(bench.engine);
        bench = null;
        expectGone(engine);
    }

    private static void expectGone(WeakReference<?> what) throws InterruptedException {
        for (int i = 0; i < 50 && what.get() != null; i++) {
            System.gc();
            Thread.sleep(10);
        }
        assertThat(what.get()).isNull();
    }

    private static Block run(long hpa) {
        Insn nop = new Decoder(new InstructionTable()).decode(new byte[] {(byte) 0x90}, 1, 64);
        return new Block(new PhysicalMemory(1 << 20), hpa, 64, new Insn[] {nop}, 1, true);
    }

    /** Runs, and answers all that there is to see afterwards but memory. */
    private static String run(Bench bench, int budget) {
        String end;
        try {
            end = bench.engine.run(budget).toString();
        } catch (MachineException | PhysicalAddressException e) {
            end = "dead: " + e.getMessage();
        }
        StringBuilder s = new StringBuilder(end);
        var r = bench.registers;
        s.append(String.format(" rip %x rflags %x cpl %d cr2 %x cr0 %x", r.rip, r.rflags, r.cpl, r.cr2, r.paging.cr0()));
        for (long value : r.gpr) {
            s.append(String.format(" %x", value));
        }
        for (long value : r.system.debug) {
            s.append(String.format(" %x", value));
        }
        s.append(String.format(" shadow %b pending %x vectoring %b", r.system.interruptShadow, r.system.pendingDebug, r.system.vectoring));
        s.append(String.format(" retired %d cycles %d", bench.cpu.guestTime().retired(), bench.cpu.cycles().total()));
        s.append(String.format(" accesses %d misses %d", bench.port.accesses(), bench.port.misses()));
        return s.append(bench.engine.report()).toString();
    }

    private static List<String> contents(PhysicalMemory memory) {
        List<String> words = new ArrayList<>();
        memory.resident(frame -> {
            for (int i = 0; i < PhysicalMemory.FRAME_BYTES; i += 8) {
                words.add(String.format("%x: %x", frame + i, memory.load64(frame + i)));
            }
        });
        return words;
    }
}
