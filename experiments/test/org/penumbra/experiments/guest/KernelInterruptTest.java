package org.penumbra.experiments.guest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.cpu.ExecutionEngine.Stop;
import org.penumbra.api.guest.StepBuffer;
import org.penumbra.api.machine.MachineException;
import org.penumbra.experiments.guest.GuestRig.Cpu;

@DisplayName("Interrupts in the miniature guest kernel")
class KernelInterruptTest {
    private static final long DATA = 0x7f00_0000_0000L;
    private static final int VECTOR = 0x31;
    private static final int OTHER = 0xe0;
    private static final int WORK = 30;

    private final List<String> course = new ArrayList<>();

    /** Computes for {@link #WORK} operations and waits, {@code waits} times. */
    private final class Waiter implements UserProgram {
        private final String name;
        private final int waits;
        private int step;

        Waiter(String name, int waits) {
            this.name = name;
            this.waits = waits;
        }

        @Override
        public SystemCall next(StepBuffer steps) {
            course.add(name + step);
            for (int i = 0; i < WORK; i++) {
                steps.orAccumulator(0);
            }
            return step++ < waits ? new SystemCall.WaitForInterrupt() : new SystemCall.Exit();
        }
    }

    private static long delivered(GuestRig rig, int vcpu, int vector) {
        return rig.memory.load64(MiniatureGuest.interruptCounter(vcpu, vector));
    }

    /** Runs until the vCPU idles. */
    private static void untilIdle(Cpu c) {
        do {
            assertThat(c.run(1000)).as("still alive").isTrue();
        } while (c.stop != Stop.HALTED);
    }

    private static List<String> endsOfInterrupt(Cpu c) {
        return c.processor.done.stream().filter(d -> d.startsWith("wrmsr")).toList();
    }

    @Test
    @DisplayName("X02 an interrupt at any place of a program is counted, ended with an EOI, and changes nothing else")
    void transparent() {
        long undisturbed = GuestRig.of(program()).finish().accumulator();
        for (int at = 0; at < 60; at += 3) {
            GuestRig rig = GuestRig.of(program());
            Cpu c = rig.cpus.get(0);
            c.run(at + 1);
            c.interrupt(at % 2 == 0 ? VECTOR : OTHER);
            rig.finish();
            assertThat(rig.accumulator()).isEqualTo(undisturbed);
            assertThat(delivered(rig, 0, VECTOR) + delivered(rig, 0, OTHER)).isEqualTo(1);
            assertThat(delivered(rig, 0, at % 2 == 0 ? VECTOR : OTHER)).isEqualTo(1);
            assertThat(endsOfInterrupt(c)).containsExactly("wrmsr 80b 0");
        }
    }

    /** Keeps a value in the accumulator over many steps, and stores it at the end of each. */
    private static UserProgram program() {
        return new UserProgram() {
            private int step;

            @Override
            public SystemCall next(StepBuffer steps) {
                if (step++ == 0) {
                    return SystemCall.Map.anonymous(DATA, 4 << 12);
                }
                if (step == 40) {
                    return new SystemCall.Exit();
                }
                steps.orAccumulator(1L << step);
                steps.storeAccumulator(DATA + step % 4 * 4096L, 8);
                return null;
            }
        };
    }

    @Test
    @DisplayName("X02 a kernel without a runnable process idles with interrupts on, and goes on with the process when one comes")
    void idle() {
        GuestRig rig = GuestRig.of(new Waiter("a", 2));
        Cpu c = rig.cpus.get(0);
        untilIdle(c);
        assertThat(course).containsExactly("a0");
        assertThat(c.processor.interruptible()).isTrue();
        assertThat(c.processor.registers.cpl).isZero();
        c.interrupt(VECTOR);
        untilIdle(c);
        assertThat(course).containsExactly("a0", "a1");
        c.interrupt(VECTOR);
        rig.finish();
        assertThat(course).containsExactly("a0", "a1", "a2");
        assertThat(delivered(rig, 0, VECTOR)).isEqualTo(2);
    }

    @Test
    @DisplayName("X02 a processor that wakes without an interrupt halts again")
    void spuriousWake() {
        GuestRig rig = GuestRig.of(new Waiter("a", 1));
        Cpu c = rig.cpus.get(0);
        for (int i = 0; i < 4; i++) {
            untilIdle(c);
        }
        assertThat(course).containsExactly("a0");
        c.interrupt(VECTOR);
        rig.finish();
        assertThat(course).containsExactly("a0", "a1");
    }

    @Test
    @DisplayName("X02 interrupts that came before a process waits are not waited for again, and count as one")
    void earlier() {
        GuestRig rig = GuestRig.of(new Waiter("a", 3));
        Cpu c = rig.cpus.get(0);
        untilIdle(c);
        c.interrupt(VECTOR);
        // Into the process; two more come while it computes.
        while (c.processor.registers.cpl != 3) {
            c.run(1);
        }
        c.interrupt(VECTOR);
        c.run(1);
        c.interrupt(OTHER);
        untilIdle(c);
        // The wait after a1 returned at once, the one after a2 waits.
        assertThat(course).containsExactly("a0", "a1", "a2");
        assertThat(delivered(rig, 0, VECTOR)).isEqualTo(2);
        assertThat(delivered(rig, 0, OTHER)).isEqualTo(1);
        c.interrupt(VECTOR);
        rig.finish();
    }

    /** An interrupt between the decision to make the call and its first step must not be slept through. */
    @Test
    @DisplayName("X02 an interrupt that comes at any moment around the wait wakes the process")
    void noLostWake() {
        for (int at = 0; at < 80; at++) {
            GuestRig rig = GuestRig.of(new Waiter("a", 1));
            Cpu c = rig.cpus.get(0);
            for (int i = 0; i < at && c.stop != Stop.HALTED; i++) {
                c.run(1);
            }
            c.interrupt(VECTOR);
            rig.finish();
            assertThat(delivered(rig, 0, VECTOR)).isEqualTo(1);
        }
    }

    @Test
    @DisplayName("X02 one interrupt wakes every process that waits; others run meanwhile, and one may exit while all others wait")
    void severalProcesses() {
        GuestRig rig = GuestRig.of(new UserProgram() {
            private int step;

            @Override
            public SystemCall next(StepBuffer steps) {
                course.add("p" + step);
                switch (step++) {
                    case 0:
                        return new SystemCall.Fork(new Waiter("a", 1));
                    case 1:
                        return new SystemCall.Fork(new Waiter("b", 1));
                    case 2:
                        return new SystemCall.Yield();
                    default:
                        return new SystemCall.Exit();
                }
            }
        });
        Cpu c = rig.cpus.get(0);
        untilIdle(c);
        assertThat(course).containsExactly("p0", "p1", "p2", "a0", "b0", "p3");
        assertThat(c.processor.registers.paging.root()).as("the tables of the dead process are gone").isEqualTo(GuestLayout.BOOT_TABLES);
        c.interrupt(VECTOR);
        rig.finish();
        assertThat(course).endsWith("a1", "b1");
    }

    @Test
    @DisplayName("X02 vCPUs count their own interrupts")
    void perVcpu() {
        GuestRig rig = new GuestRig(64 << 20, new MiniatureGuest("test", 1, seed -> new Waiter("", 2)), 2);
        for (int round = 0; round < 2; round++) {
            for (Cpu c : rig.cpus) {
                untilIdle(c);
            }
            rig.cpus.get(0).interrupt(VECTOR);
            rig.cpus.get(1).interrupt(OTHER);
        }
        rig.finish();
        assertThat(delivered(rig, 0, VECTOR)).isEqualTo(2);
        assertThat(delivered(rig, 1, OTHER)).isEqualTo(2);
        assertThat(delivered(rig, 0, OTHER) + delivered(rig, 1, VECTOR)).isZero();
    }

    @Test
    @DisplayName("X02 processes of which all wait for one another are named; the kernel does not idle for ever")
    void deadlock() {
        GuestRig rig = GuestRig.of(steps -> new SystemCall.Wait());
        assertThatThrownBy(rig::finish).isInstanceOf(MachineException.class).hasMessageContaining("waits for a child and has none");
    }
}
