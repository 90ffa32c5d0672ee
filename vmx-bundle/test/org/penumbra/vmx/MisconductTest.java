package org.penumbra.vmx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.penumbra.api.cpu.GuestOperation.Kind.LOAD;
import static org.penumbra.api.cpu.GuestOperation.Kind.MOV_TO_CR4;
import static org.penumbra.api.cpu.GuestOperation.Kind.STORE;

import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.function.Function;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.penumbra.api.cpu.GuestOperation.Kind;
import org.penumbra.api.cpu.Outcome;
import org.penumbra.api.machine.MachineConfig;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.memory.FrameAccess;
import org.penumbra.api.memory.GuestMemory;
import org.penumbra.api.mmu.MmuFault;
import org.penumbra.api.mmu.Resolution;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.TranslationRoot;

/** A design that breaks its contract loses its lease; the guest goes on under the design before it, or stops with a report. */
@Timeout(value = 30, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class MisconductTest {
    private final Rig rig = new Rig();
    private final ScriptedMmu good = new ScriptedMmu();
    private final ScriptedMmu bad = new ScriptedMmu();
    private final ScriptedEngine guest = new ScriptedEngine();
    private VirtualMachine machine;

    /** A machine that has been swapped from a good design to the bad one, with a guest of two stores and two loads. */
    private VirtualMachine underBad(Function<MmuFault, Resolution> answer) {
        guest.then(STORE, 0x1000, 8, 1).then(STORE, 0x2008, 8, 2).then(LOAD, 0x1000, 8, 0).then(LOAD, 0x2008, 8, 0);
        rig.design("good", good);
        rig.design("bad", bad);
        rig.checker = new Watch();
        machine = rig.machine(new MachineConfig(Rig.MEMORY, 1, Rig.SKYLAKE, "good", Map.of(), false).withWatchdog(200), state -> guest);
        machine.hotSwap().swap("bad", Map.of());
        bad.resolve = answer;
        return machine;
    }

    /** The guest ran as if nothing had been, under the good design again, and the report says who did what. */
    private void goesOn(String... reported) {
        assertThat(machine.run(100)).isFalse();
        assertThat(guest.loaded).containsExactly(1L, 2L);
        assertThat(machine.operations()).isEqualTo(4);
        assertThat(machine.hotSwap().design()).isEqualTo("good");
        assertThat(machine.hotSwap().misconduct()).singleElement().asString()
                .contains("bad (test 2)").contains("law").contains(reported);
        assertThat(machine.hotSwap().reports()).last().satisfies(r -> {
            assertThat(r.from()).isEqualTo("bad (test 2)");
            assertThat(r.to()).isEqualTo("good (test 1)");
            assertThat(r.cause()).contains(reported);
        });
    }

    @AfterEach
    @Timeout(value = 30, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
    void close() {
        if (machine != null) {
            machine.close();
            assertThat(machine.memory.newLease().allocate(machine.hostClock)).as("frames went back").isNotNegative();
        }
    }

    @Test
    @DisplayName("P01 an MMU that throws loses its lease, and the guest goes on under the design before it")
    void throwing() {
        underBad(fault -> {
            throw new IllegalStateException("oops");
        });
        goesOn("MmuContext.resolve threw", "oops");
    }

    @Test
    @DisplayName("P01 an MMU that throws an error of the Java machine's linkage loses its lease as well")
    void linkage() {
        underBad(fault -> {
            throw new NoClassDefFoundError("org/example/Gone");
        });
        goesOn("NoClassDefFoundError");
    }

    @Test
    @DisplayName("P01 an MMU that answers null loses its lease")
    void nonsense() {
        underBad(fault -> null);
        goesOn("answered null", "law 1");
    }

    @Test
    @DisplayName("P01 an MMU that has the guest retry for ever loses its lease")
    void endlessRetry() {
        underBad(fault -> Resolution.RETRY);
        goesOn("RETRY", "0x1000");
    }

    @Test
    @DisplayName("P01 an MMU whose root is not in its lease loses it: the processor never walks there")
    void foreignRoot() {
        underBad(fault -> Resolution.EMULATE);
        bad.root(new TranslationRoot.OneDimensional(0x3000));
        goesOn("law 2", "0x3000");
    }

    @Test
    @DisplayName("H04 an MMU that reaches for a frame outside its lease loses it, and nothing is written")
    void outsideLease() {
        long guests = rig.memory.pfn(9, true) << 12;
        underBad(fault -> {
            bad.host().lease().access(machine.hostClock).store(guests, -1);
            return Resolution.EMULATE;
        });
        goesOn("law 4");
        assertThat(rig.memory.physical().load64(guests)).isZero();
    }

    @Test
    @DisplayName("P01 an MMU that blocks past the watchdog is left to itself: another thread goes on with the guest")
    void blocked() {
        CountDownLatch never = new CountDownLatch(1);
        underBad(fault -> {
            while (true) {
                try {
                    never.await();
                } catch (InterruptedException e) {
                    // It does not even listen.
                }
            }
        });
        goesOn("MmuContext.resolve has not returned for 200 ms");
    }

    @Test
    @DisplayName("P01 an MMU that fails while it is looked at before it goes leaves no processor in its structures")
    void failingOverAudit() {
        guest.then(MOV_TO_CR4, 0, 8, Rig.STATE.cr4() | ControlBits.CR4_PGE);
        underBad(fault -> Resolution.EMULATE);
        machine.run(1);
        assertThat(machine.counters()).as("it has not come out of the guest yet").containsEntry("exits", 0L);
        machine.flushTlbs(machine.hostClock);
        bad.failOverRoot = true;
        machine.hotSwap().swap("good", Map.of());
        assertThat(machine.hotSwap().misconduct()).singleElement().asString().contains("MmuContext.root threw");
        assertThat(machine.vcpus[0].processor().vmcall()).as("#UD, outside the guest").isEqualTo(Outcome.FAULT);
        assertThat(machine.run(100)).isFalse();
        assertThat(guest.loaded).containsExactly(1L, 2L);
    }

    @Test
    @DisplayName("P01 an MMU that blocks in its close keeps neither the swap nor the guest waiting")
    void blockedInClose() {
        underBad(fault -> Resolution.EMULATE);
        bad.stuckIn = "close";
        machine.hotSwap().swap("good", Map.of());
        assertThat(machine.hotSwap().misconduct()).singleElement().asString().contains("Mmu.close has not returned").contains("bad (test 2)");
        assertThat(machine.run(100)).isFalse();
        assertThat(guest.loaded).containsExactly(1L, 2L);
        assertThat(machine.hotSwap().design()).isEqualTo("good");
    }

    @ParameterizedTest
    @ValueSource(strings = {"create", "load"})
    @DisplayName("P01 a design that blocks while it is attached is given up, and the guest goes on under the one before it")
    void blockedInSwap(String where) {
        underBad(fault -> Resolution.EMULATE);
        ScriptedMmu worse = new ScriptedMmu();
        worse.stuckIn = where;
        rig.design("worse", worse);
        assertThatThrownBy(() -> machine.hotSwap().swap("worse", Map.of())).isInstanceOf(MachineException.class).hasMessageContaining("has not returned");
        assertThat(machine.hotSwap().misconduct()).singleElement().asString().contains("worse (test 4)");
        assertThat(machine.hotSwap().design()).isEqualTo("bad");
        assertThat(machine.run(100)).isFalse();
        assertThat(guest.loaded).containsExactly(1L, 2L);
    }

    @Test
    @DisplayName("P01 an MMU that blocks in a host event is given up: the event fails, the page is where it was, later events and the guest go on")
    void blockedInHostEvent() {
        underBad(fault -> Resolution.EMULATE);
        assertThat(machine.run(1)).isTrue();
        bad.stuckIn = "host";
        Thread host = new Thread(() -> {
            try {
                machine.hostPages().migrate(1);
            } catch (MachineException e) {
                // It never gets here: the thread is the test's, and stays stuck.
            }
        });
        host.setDaemon(true);
        host.start();
        while (machine.hotSwap().misconduct().isEmpty()) {
            Thread.onSpinWait();
        }
        goesOn("Mmu.hostRangeChanged has not returned");
        assertThat(machine.hostPages().migrate(1)).isTrue();
    }

    @Test
    @DisplayName("P02 a design that fails while another is waited for changes nothing: the guest waits on")
    void failingWhileWaiting() {
        rig.design("bad", bad);
        bad.failOverLoad = true;
        Object id = rig.design("good", good);
        guest.then(STORE, 0x1000, 8, 1);
        machine = rig.machine("good", Map.of(), guest);
        rig.designs.remove(id);
        machine.swapper().gone(id);
        assertThatThrownBy(() -> machine.hotSwap().swap("bad", Map.of())).isInstanceOf(MachineException.class);
        assertThat(machine.hotSwap().waiting()).isTrue();
        assertThat(machine.hotSwap().design()).isEqualTo("good");
        rig.design("good", new ScriptedMmu());
        machine.swapper().arrived("good");
        assertThat(machine.run(100)).isFalse();
        assertThat(machine.operations()).isEqualTo(1);
    }

    @Test
    @DisplayName("V12 with a thread per vCPU, one that fails ends the run of the others, halted ones too")
    void failureEndsAll() {
        rig.design("good", good);
        MachineConfig config = new MachineConfig(Rig.MEMORY, 1, Rig.SKYLAKE, "good", Map.of(), false).withVcpus(2, true);
        int[] made = {0};
        good.resolve = fault -> {
            fault.reason = "the disk is gone";
            return Resolution.HOST_ERROR;
        };
        machine = rig.machine(config, state -> made[0]++ == 0
                ? new ScriptedEngine().then(Kind.HLT, 0, 0, 0)
                : new ScriptedEngine().then(Kind.VMCALL, 0, 0, 0).then(LOAD, 0x1000, 8, 0));
        assertThatThrownBy(() -> machine.run(100)).hasMessageContaining("the disk is gone");
    }

    @Test
    @DisplayName("P01 an MMU that comes back after the watchdog finds every handle shut, and its thread does no more to the guest")
    void late() throws InterruptedException {
        CountDownLatch back = new CountDownLatch(1);
        StringBuilder outcome = new StringBuilder();
        underBad(fault -> Resolution.EMULATE);
        GuestMemory old = bad.host().guestMemory(machine.hostClock);
        FrameAccess frames = bad.host().lease().access(machine.hostClock);
        long[] frame = {bad.host().lease().allocate(machine.hostClock)};
        bad.resolve = fault -> {
            try {
                Thread.sleep(2_000);
            } catch (InterruptedException e) {
                outcome.append("interrupted");
            }
            try {
                old.store(0x1000, 8, 99);
            } catch (RuntimeException e) {
                outcome.append(", ").append(e.getMessage());
            }
            try {
                frames.store(frame[0], 99);
            } catch (RuntimeException e) {
                outcome.append(", ").append(e.getMessage());
            }
            back.countDown();
            return Resolution.EMULATE;
        };
        goesOn("has not returned");
        back.await();
        Thread.sleep(100);
        assertThat(outcome.toString()).matches("interrupted,.*revoked.*,.*revoked.*");
        assertThat(machine.operations()).isEqualTo(4);
        assertThat(guest.loaded).containsExactly(1L, 2L);
    }

    @Test
    @DisplayName("P01 an MMU that fails while it is told of a store does not have the store repeated or lost")
    void failingOverAStore() {
        underBad(fault -> Resolution.EMULATE);
        bad.failOverStores = true;
        goesOn("guestTableWritten");
    }

    @Test
    @DisplayName("P01 without a design to go back to the guest stops, and the report is the error")
    void stops() {
        guest.then(LOAD, 0x1000, 8, 0);
        rig.design("bad", bad);
        bad.resolve = fault -> null;
        machine = rig.machine("bad", Map.of(), guest);
        assertThatThrownBy(() -> machine.run(100)).isInstanceOf(MachineException.class)
                .hasMessageContaining("bad (test 1)").hasMessageContaining("answered null").hasMessageContaining("no design to go back to");
        assertThat(machine.operations()).isZero();
        assertThat(machine.mmuFrames()).isZero();
    }

    @Test
    @DisplayName("P01 a design that fails while it is attached leaves the guest under the one before it")
    void failingAtSwap() {
        underBad(fault -> Resolution.EMULATE);
        ScriptedMmu worse = new ScriptedMmu();
        worse.failing = true;
        rig.design("worse", worse);
        assertThatThrownBy(() -> machine.hotSwap().swap("worse", Map.of())).isInstanceOf(MachineException.class).hasMessageContaining("broken on purpose");
        assertThat(machine.hotSwap().design()).isEqualTo("bad");
        worse.failing = false;
        worse.failOverLoad = true;
        assertThatThrownBy(() -> machine.hotSwap().swap("worse", Map.of())).isInstanceOf(MachineException.class).hasMessageContaining("MmuContext.load");
        assertThat(machine.hotSwap().design()).isEqualTo("bad");
        assertThat(machine.run(100)).isFalse();
        assertThat(guest.loaded).containsExactly(1L, 2L);
    }
}
