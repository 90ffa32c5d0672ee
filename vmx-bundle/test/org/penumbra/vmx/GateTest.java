package org.penumbra.vmx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.penumbra.api.cpu.GuestOperation.Kind;
import org.penumbra.api.machine.MachineConfig;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.machine.SwapReport;
import org.penumbra.api.mmu.Resolution;

@Timeout(value = 30, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class GateTest {
    private final AtomicInteger hurried = new AtomicInteger();
    private final Gate gate = new Gate(hurried::incrementAndGet);

    private Thread inside(String who, CountDownLatch leave) throws InterruptedException {
        CountDownLatch in = new CountDownLatch(1);
        Thread t = new Thread(() -> {
            try {
                gate.enter(who);
                in.countDown();
                leave.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            } finally {
                gate.leave();
            }
        });
        t.start();
        in.await();
        return t;
    }

    @Test
    @DisplayName("P01 closing waits for everybody inside and hurries them; nobody comes in before it opens")
    void waits() throws InterruptedException {
        CountDownLatch leave = new CountDownLatch(1);
        inside("vCPU 0", leave);
        AtomicInteger entered = new AtomicInteger();
        CountDownLatch closed = new CountDownLatch(1);
        Thread closer = new Thread(() -> {
            assertThat(gate.close(10_000)).isEmpty();
            closed.countDown();
        });
        closer.start();
        assertThat(closed.await(100, TimeUnit.MILLISECONDS)).isFalse();
        assertThat(gate.closing()).isTrue();
        assertThat(hurried.get()).isPositive();
        Thread late = new Thread(() -> {
            try {
                gate.enter("late");
                entered.incrementAndGet();
                gate.leave();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });
        late.start();
        leave.countDown();
        assertThat(closed.await(5, TimeUnit.SECONDS)).isTrue();
        late.join(100);
        assertThat(entered.get()).isZero();
        gate.open();
        late.join();
        assertThat(entered.get()).isEqualTo(1);
    }

    @Test
    @DisplayName("P01 a closing that takes too long names who is inside")
    void names() throws InterruptedException {
        CountDownLatch leave = new CountDownLatch(1);
        Thread a = inside("vCPU 3", leave);
        Thread b = inside("host event: migrating gfn 0x5", leave);
        assertThat(gate.close(50)).containsExactlyInAnyOrder("vCPU 3", "host event: migrating gfn 0x5");
        gate.expel(a);
        gate.expel(b);
        assertThat(gate.close(50)).isEmpty();
        gate.open();
        leave.countDown();
    }

    @Test
    @DisplayName("P01 those who wait are turned away when the machine is closed for good")
    void shut() {
        gate.close(10);
        gate.shut();
        assertThatThrownBy(() -> gate.enter("x")).isInstanceOf(MachineException.class).hasMessageContaining("closed");
    }

    @Test
    @DisplayName("P01 the report of a swap says why, from what to what, when, what it cost, what was dropped and rebuilt")
    void report() {
        Rig rig = new Rig();
        ScriptedMmu first = new ScriptedMmu();
        ScriptedMmu second = new ScriptedMmu();
        rig.design("first", first);
        rig.design("second", second);
        ScriptedEngine guest = new ScriptedEngine();
        for (int i = 0; i < 10; i++) {
            guest.then(Kind.STORE, 0x1000 + 8 * i, 8, i);
        }
        VirtualMachine machine = rig.machine("first", Map.of(), guest);
        assertThat(machine.run(5)).isTrue();
        long cycles = machine.cycles().total();
        SwapReport report = machine.hotSwap().swap("second", Map.of());
        assertThat(report.from()).isEqualTo("first (test 1)");
        assertThat(report.to()).isEqualTo("second (test 2)");
        assertThat(report.cause()).isEqualTo("asked for");
        assertThat(report.guestTime()).isEqualTo(5);
        assertThat(report.droppedFrames()).isEqualTo(1);
        assertThat(report.cycles()).isEqualTo(machine.cycles().total() - cycles).isPositive();
        assertThat(report.pauseNanos()).isPositive();
        assertThat(first.calls).last().isEqualTo("close");
        assertThat(machine.run(100)).isFalse();
        assertThat(machine.hotSwap().reports().get(0).rebuiltFrames()).isEqualTo(1);
        assertThat(machine.operations()).isEqualTo(10);
        machine.close();
    }

    @Test
    @DisplayName("P01 a design is asked whether it can run the guest before the old one is given up")
    void objection() {
        Rig rig = new Rig();
        ScriptedMmu first = new ScriptedMmu();
        ScriptedMmu choosy = new ScriptedMmu();
        choosy.objection = "it is too hot";
        rig.design("first", first);
        rig.design("choosy", choosy);
        ScriptedEngine guest = new ScriptedEngine().then(Kind.STORE, 0x1000, 8, 1);
        VirtualMachine machine = rig.machine("first", Map.of(), guest);
        assertThatThrownBy(() -> machine.hotSwap().swap("choosy", Map.of())).hasMessageContaining("choosy").hasMessageContaining("it is too hot");
        assertThatThrownBy(() -> machine.hotSwap().swap("chosy", Map.of())).hasMessageContaining("no MMU design").hasMessageContaining("choosy");
        assertThat(first.calls).doesNotContain("close");
        assertThat(machine.run(100)).isFalse();
        machine.close();
    }

    @Test
    @DisplayName("P02 a guest whose design goes waits until one of that name comes; its run goes on then")
    void waitsForDesign() throws InterruptedException {
        Rig rig = new Rig();
        ScriptedMmu mmu = new ScriptedMmu();
        Object id = rig.design("scripted", mmu);
        ScriptedEngine guest = new ScriptedEngine().then(Kind.STORE, 0x1000, 8, 1).then(Kind.STORE, 0x1008, 8, 1);
        VirtualMachine machine = rig.machine("scripted", Map.of(), guest);
        machine.run(1);
        rig.designs.remove(id);
        machine.swapper().gone(id);
        assertThat(machine.hotSwap().waiting()).isTrue();
        assertThat(mmu.calls).last().isEqualTo("close");
        Thread runner = new Thread(() -> machine.run(100));
        runner.start();
        runner.join(100);
        assertThat(runner.isAlive()).as("the guest waits").isTrue();
        assertThat(machine.operations()).isEqualTo(1);
        rig.design("scripted", new ScriptedMmu());
        machine.swapper().arrived("scripted");
        runner.join();
        assertThat(machine.hotSwap().waiting()).isFalse();
        assertThat(machine.operations()).isEqualTo(2);
        assertThat(machine.hotSwap().reports()).extracting(SwapReport::cause).containsExactly("bundle stopped", "design is there again");
        machine.close();
    }

    @Test
    @DisplayName("P01 a swap from inside the gate is refused instead of waiting for itself")
    void fromInside() {
        Rig rig = new Rig();
        ScriptedMmu mmu = new ScriptedMmu();
        rig.design("scripted", mmu);
        ScriptedEngine guest = new ScriptedEngine().then(Kind.LOAD, 0x1000, 8, 0);
        VirtualMachine[] machine = new VirtualMachine[1];
        mmu.resolve = fault -> {
            machine[0].hotSwap().swap("scripted", Map.of());
            return Resolution.EMULATE;
        };
        machine[0] = rig.machine(new MachineConfig(Rig.MEMORY, 1, Rig.SKYLAKE, "scripted", Map.of(), false), state -> guest);
        assertThatThrownBy(() -> machine[0].run(1)).hasMessageContaining("inside the gate");
        machine[0].close();
    }
}
