package org.penumbra.experiments.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.clock.Work;
import org.penumbra.api.cpu.ExecutionEngine.Stop;
import org.penumbra.api.cpu.GuestException;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.cpu.GuestOperation;
import org.penumbra.api.cpu.GuestOperation.Kind;
import org.penumbra.api.cpu.MemoryPort;
import org.penumbra.api.guest.GuestState;
import org.penumbra.api.guest.StepBuffer;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.vmx.ExitReason;

@DisplayName("External interrupts in the step engine")
class InterruptDeliveryTest {
    private static final long ALL = Long.MAX_VALUE;
    private static final int VECTOR = 0x31;

    private final FakeProcessor cpu = new FakeProcessor(1 << 20);
    private final Script script = new Script();
    /** What happened, in order. */
    private final List<String> course = new ArrayList<>();
    private StepEngine engine;
    private boolean pending;

    private void start(Consumer<StepBuffer> batch) {
        script.then(batch);
        engine = new StepEngine(new GuestState(script));
        engine.attach(cpu, new MemoryPort(cpu, 0), 0);
    }

    private void raise() {
        pending = true;
        cpu.line.raise();
    }

    /** Runs as a hypervisor does that has one interrupt pending: injects it, or waits for the window. */
    private Stop run() {
        Stop stop = engine.run(ALL);
        while (stop == Stop.EXIT && (cpu.exit.reason == ExitReason.EXTERNAL_INTERRUPT.number()
                || cpu.exit.reason == ExitReason.INTERRUPT_WINDOW.number())) {
            course.add(ExitReason.of(cpu.exit.reason).name() + " after " + cpu.time.retired());
            boolean inject = pending && cpu.interruptible();
            if (inject) {
                pending = false;
                cpu.injected = new GuestException();
                cpu.injected.setExternal(VECTOR);
            }
            cpu.line.awaitWindow(pending);
            stop = engine.run(ALL);
        }
        return stop;
    }

    @Test
    @DisplayName("V09 an interrupt that is open gets the vCPU out before the next operation; its handler runs at CPL 0 with IF = 0")
    void open() {
        script.onInterrupt(s -> {
            course.add("handler at CPL " + cpu.registers.cpl + ", IF " + cpu.interruptible());
            s.store(0x9000, 8, 1);
        }).then(s -> {
            raise();
            s.store(0x8000, 8, 1);
        }).then(s -> course.add("after IRET at CPL " + cpu.registers.cpl + ", IF " + cpu.interruptible() + ", handled "
                + cpu.memory.load64(0x9000)));
        start(s -> {});
        cpu.registers.cpl = 3;
        cpu.registers.rflags |= 1 << 9;
        assertThat(run()).isEqualTo(Stop.FINISHED);
        assertThat(course).containsExactly("EXTERNAL_INTERRUPT after 0", "handler at CPL 0, IF false",
                "after IRET at CPL 3, IF true, handled 1");
        assertThat(script.interrupts).containsExactly(VECTOR);
        assertThat(cpu.cycles.events(Work.EXCEPTION)).isEqualTo(1);
        assertThat(cpu.time.retired()).as("delivery itself is no operation").isEqualTo(2);
    }

    @Test
    @DisplayName("V09 while IF = 0 an interrupt waits, and the window opens with the first operation after ENTER_USER")
    void closed() {
        start(s -> {
            s.enterKernel();
            s.store(0x8000, 8, 1);
            s.store(0x8008, 8, 1);
            s.enterUser();
            s.store(0x8010, 8, 1);
        });
        cpu.registers.rflags |= 1 << 9;
        assertThat(engine.run(2)).isEqualTo(Stop.BUDGET);
        raise();
        assertThat(run()).isEqualTo(Stop.FINISHED);
        assertThat(course).containsExactly("EXTERNAL_INTERRUPT after 2", "INTERRUPT_WINDOW after 4");
        assertThat(cpu.time.retired()).isEqualTo(5);
    }

    @Test
    @DisplayName("V09 an interrupt that comes inside the page-fault handler is delivered after its IRET, before the fault is repeated")
    void notInsideHandler() {
        cpu.faultOnce(0x4000, 4);
        script.onFault(s -> {
            raise();
            s.store(0x4000, 8, 7);
            course.add("fault");
        }).onInterrupt(s -> course.add("interrupt with " + cpu.memory.load64(0x4000) + ", retired " + cpu.time.retired()));
        start(s -> {
            s.enterUser();
            s.load(0x4000, 8);
        });
        assertThat(run()).isEqualTo(Stop.FINISHED);
        assertThat(course).containsExactly("fault", "EXTERNAL_INTERRUPT after 1", "INTERRUPT_WINDOW after 2", "interrupt with 7, retired 2");
        assertThat(cpu.registers.cpl).isEqualTo(3);
        assertThat(cpu.time.retired()).isEqualTo(3);
    }

    @Test
    @DisplayName("V09 a hypervisor that injects into a handler breaks the guest, and the message says so")
    void injectedIntoHandler() {
        cpu.faultOnce(0x4000, 4);
        cpu.exitOnce(0x8000);
        script.onFault(s -> s.store(0x8000, 8, 1));
        start(s -> s.load(0x4000, 8));
        assertThat(engine.run(ALL)).isEqualTo(Stop.EXIT);
        cpu.injected = new GuestException();
        cpu.injected.setExternal(VECTOR);
        assertThatThrownBy(() -> engine.run(ALL)).isInstanceOf(MachineException.class)
                .hasMessageContaining("double fault: external interrupt 49 in its own handler, at STORE of 8 bytes at 0x8000");
    }

    @Test
    @DisplayName("V09 a raised line gets a vCPU out that has nothing left to do")
    void finished() {
        start(s -> {});
        assertThat(engine.run(ALL)).isEqualTo(Stop.FINISHED);
        cpu.line.raise();
        assertThat(engine.run(ALL)).isEqualTo(Stop.EXIT);
        assertThat(cpu.exit.reason).isEqualTo(ExitReason.EXTERNAL_INTERRUPT.number());
        assertThat(engine.run(ALL)).isEqualTo(Stop.FINISHED);
    }

    @Test
    @DisplayName("V09 an external interrupt is no operation: there is nothing to complete or to skip")
    void noOperation() {
        start(s -> s.store(0x8000, 8, 1));
        cpu.line.raise();
        assertThat(engine.run(ALL)).isEqualTo(Stop.EXIT);
        assertThatThrownBy(engine::skip).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> engine.complete(new DirectHooks(cpu.memory))).isInstanceOf(IllegalStateException.class);
        assertThat(cpu.time.retired()).isZero();
    }

    @Test
    @DisplayName("V09 an interrupt that is pending at STI; HLT comes after the HLT, never between the two")
    void stiHlt() {
        script.onInterrupt(s -> course.add("interrupt, retired " + cpu.time.retired()));
        start(s -> {
            s.stiHlt();
            s.cli();
            s.store(0x8000, 8, 1);
        });
        raise();
        assertThat(run()).isEqualTo(Stop.HALTED);
        assertThat(cpu.interruptible()).isTrue();
        assertThat(run()).isEqualTo(Stop.FINISHED);
        assertThat(course).containsExactly("EXTERNAL_INTERRUPT after 0", "INTERRUPT_WINDOW after 1", "interrupt, retired 1");
        assertThat(cpu.interruptible()).as("CLI closes what STI opened").isFalse();
    }

    @Test
    @DisplayName("V09 an STI; HLT that exits is a HLT to the hypervisor, with interrupts already on")
    void stiHltExits() {
        start(StepBuffer::stiHlt);
        cpu.exitPrivilegedOnce();
        assertThat(engine.run(ALL)).isEqualTo(Stop.EXIT);
        assertThat(engine.operation().kind).isEqualTo(Kind.HLT);
        assertThat(cpu.interruptible()).isTrue();
        engine.skip();
        assertThat(engine.run(ALL)).isEqualTo(Stop.FINISHED);
    }

    @Test
    @DisplayName("S20 where changes of privilege trap, SYSCALL, SYSRET and CLI are exposed and skipped, and so is the IRET that ends a handler")
    void changesTrap() {
        cpu.trapsPrivilege = true;
        cpu.registers.cpl = 3;
        cpu.registers.rflags |= ControlBits.RFLAGS_IF;
        start(s -> {
            s.enterKernel();
            s.cli();
            s.enterUser();
        });
        for (int cpl : new int[] {0, 0, 3}) {
            assertThat(engine.run(ALL)).isEqualTo(Stop.EXIT);
            change(cpl, cpl == 3);
        }
        assertThat(cpu.time.retired()).isEqualTo(3);
        cpu.injected = new GuestException();
        cpu.injected.setExternal(VECTOR);
        assertThat(engine.run(ALL)).isEqualTo(Stop.EXIT);
        assertThat(cpu.registers.cpl).as("in the handler until the IRET").isZero();
        change(3, true);
        assertThat(engine.run(ALL)).isEqualTo(Stop.FINISHED);
        assertThat(cpu.time.retired()).as("the IRET is no operation").isEqualTo(3);
    }

    /** What a monitor does with a change to {@code cpl} that trapped. */
    private void change(int cpl, boolean interruptible) {
        GuestOperation operation = engine.operation();
        assertThat(operation.kind).isEqualTo(GuestOperation.Kind.CHANGE_PRIVILEGE);
        assertThat(operation.function).isEqualTo(cpl);
        assertThat((operation.value & ControlBits.RFLAGS_IF) != 0).isEqualTo(interruptible);
        cpu.registers.cpl = operation.function;
        cpu.registers.rflags = operation.value;
        engine.skip();
    }
}
