package org.penumbra.vmx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.penumbra.api.cpu.GuestOperation.Kind.FETCH;
import static org.penumbra.api.cpu.GuestOperation.Kind.HLT;
import static org.penumbra.api.cpu.GuestOperation.Kind.INVLPG;
import static org.penumbra.api.cpu.GuestOperation.Kind.LOAD;
import static org.penumbra.api.cpu.GuestOperation.Kind.MOV_TO_CR3;
import static org.penumbra.api.cpu.GuestOperation.Kind.MOV_TO_CR4;
import static org.penumbra.api.cpu.GuestOperation.Kind.OUT;
import static org.penumbra.api.cpu.GuestOperation.Kind.STORE;
import static org.penumbra.api.cpu.GuestOperation.Kind.VMCALL;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.clock.Work;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.mmu.Resolution;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.vmx.ExitReason;

/** The run loop, the stock handlers and the emulator, around a guest and an MMU that do as they are told. */
class VirtualMachineTest {
    private final Rig rig = new Rig();
    private final ScriptedEngine guest = new ScriptedEngine();
    private final ScriptedMmu mmu = new ScriptedMmu();

    private VirtualMachine machine(Map<String, String> settings) {
        rig.design("scripted", mmu);
        return rig.machine("scripted", settings, guest);
    }

    private VirtualMachine run() {
        VirtualMachine machine = machine(Map.of());
        assertThat(machine.run(100)).isFalse();
        return machine;
    }

    @Test
    @DisplayName("S07 an emulated store reaches memory in parts of 8 bytes, and the MMU and the trackers hear of each")
    void emulatedStore() {
        guest.then(STORE, 0x1ffc, 8, 0x1122_3344_5566_7788L).then(LOAD, 0x1ffc, 8, 0);
        VirtualMachine machine = machine(Map.of());
        List<String> heard = new ArrayList<>();
        machine.tracking.track(2, (gpa, bytes) -> heard.add(Long.toHexString(gpa) + " " + bytes));
        assertThat(machine.run(100)).isFalse();
        assertThat(guest.loaded).containsExactly(0x1122_3344_5566_7788L);
        assertThat(mmu.calls).contains("protect 2", "walk 1ffc supervisor write", "walk 2000 supervisor write", "written 1ffc 4", "written 2000 4");
        assertThat(heard).containsExactly("2000 4");
        assertThat(machine.counters()).containsEntry("insn_emulation", 2L).containsEntry("exits", 2L);
        assertThat(machine.operations()).isEqualTo(2);
    }

    @Test
    @DisplayName("S07 an emulated locked operation of 4 bytes fails if they have changed, and keeps what is beside them")
    void emulatedCompareAndSet() {
        List<Boolean> done = new ArrayList<>();
        guest.emulated = hooks -> {
            hooks.store(0x2000, 8, 0x1111_1111_2222_2222L);
            done.add(hooks.compareAndSet(0x2004, 4, 0x3333_3333, 7));
            done.add(hooks.compareAndSet(0x2004, 4, 0x1111_1111, 7));
        };
        guest.then(STORE, 0x2004, 4, 0).then(LOAD, 0x2000, 8, 0);
        run();
        assertThat(done).containsExactly(false, true);
        assertThat(guest.loaded).containsExactly(0x7_2222_2222L);
        assertThat(mmu.calls).containsSubsequence("written 2000 8", "written 2004 4");
    }

    @Test
    @DisplayName("S07 a page fault that the emulator meets on the second page leaves the first untouched, drops what is stale, and is injected")
    void emulatedFault() {
        mmu.refused = 0x2000;
        guest.then(STORE, 0x1ffc, 8, -1).then(LOAD, 0x1ff8, 8, 0);
        run();
        assertThat(guest.delivered).containsExactly("14 2 2000");
        assertThat(mmu.calls).contains("invalidate 2000");
        assertThat(guest.loaded).containsExactly(0L);
    }

    @Test
    @DisplayName("T05 an emulated operation that runs into the hole of 4-level addresses gets #GP")
    void emulatedNonCanonical() {
        guest.then(STORE, 0x7fff_ffff_fffcL, 8, -1).then(LOAD, 0x3f_fff8, 8, 0);
        run();
        assertThat(guest.delivered).containsExactly("13 0 0");
        assertThat(guest.loaded).containsExactly(0L);
    }

    @Test
    @DisplayName("T06 an emulated fetch is walked as a fetch")
    void emulatedFetch() {
        guest.then(FETCH, 0x3000, 4, 0);
        run();
        assertThat(mmu.calls).contains("walk 3000 supervisor fetch");
    }

    @Test
    @DisplayName("V05 RETRY repeats the operation, INJECT delivers the guest's own fault, an error ends the run and says why")
    void resolutions() {
        int[] tries = {0};
        mmu.resolve = fault -> ++tries[0] < 3 ? Resolution.RETRY : Resolution.INJECT;
        guest.then(LOAD, 0x5000, 8, 0);
        run();
        assertThat(tries[0]).isEqualTo(3);
        assertThat(guest.delivered).containsExactly("14 0 5000");
        mmu.resolve = fault -> {
            fault.reason = "the disk is gone";
            return Resolution.HOST_ERROR;
        };
        guest.then(LOAD, 0x6000, 8, 0);
        assertThatThrownBy(this::run).isInstanceOf(MachineException.class)
                .hasMessageContaining("EXCEPTION_NMI").hasMessageContaining("the disk is gone").hasMessageContaining("error 14");
        mmu.resolve = fault -> Resolution.MMIO;
        assertThatThrownBy(this::run).hasMessageContaining("neither memory nor a device");
    }

    @Test
    @DisplayName("V04 CR_ACCESS loads what the guest may load, keeps a PCID on request, and answers the rest with #GP")
    void controlRegisters() {
        guest.then(MOV_TO_CR3, 0, 8, 0x2000)
                .then(MOV_TO_CR3, 0, 8, 1L << 50)
                .then(MOV_TO_CR4, 0, 8, Rig.STATE.cr4() | ControlBits.CR4_PKE)
                .then(MOV_TO_CR4, 0, 8, Rig.STATE.cr4() | ControlBits.CR4_SMEP)
                .then(MOV_TO_CR3, 0, 8, ControlBits.CR3_NO_FLUSH | 0x3000);
        VirtualMachine machine = run();
        assertThat(guest.delivered).containsExactly("13 0 0", "13 0 0", "13 0 0");
        assertThat(mmu.calls).containsExactly("load 1000", "load 2000", "load 2000");
        assertThat(machine.exits().rows()).singleElement().satisfies(row -> {
            assertThat(row.reason()).isEqualTo(ExitReason.CR_ACCESS);
            assertThat(row.samples()).isEqualTo(5);
        });
    }

    @Test
    @DisplayName("V04 INVLPG and VMCALL are done in the guest's stead and not repeated")
    void others() {
        guest.then(INVLPG, 0x7000, 0, 0).then(VMCALL, 0, 0, 0);
        VirtualMachine machine = run();
        assertThat(mmu.calls).contains("invalidate 7000");
        assertThat(machine.operations()).isEqualTo(2);
        assertThat(machine.counters()).containsEntry("hypercalls", 1L);
    }

    @Test
    @DisplayName("I10 a guest that a device powers off is finished, with its code; a halt that nothing can end is an error")
    void powerOff() {
        guest.then(OUT, 0xf4, 1, 3).then(LOAD, 0, 8, 0);
        VirtualMachine machine = run();
        assertThat(machine.exitCode()).isEqualTo(3);
        assertThat(guest.loaded).isEmpty();
        rig.out.clear();
        guest.then(HLT, 0, 0, 0);
        mmu.resolve = fault -> Resolution.EMULATE;
        assertThatThrownBy(this::run).hasMessageContaining("halted").hasMessageContaining("no device can wake it");
    }

    @Test
    @DisplayName("X08 an exit's time is the transition and what its handler spent, the operation that it completed included")
    void exitTimes() {
        guest.then(STORE, 0x1000, 8, 1);
        VirtualMachine machine = run();
        long walks = Stream.of(Work.values()).filter(w -> w.key().startsWith(Work.WALK_REFERENCE.key())).mapToLong(machine.cycles()::cycles).sum();
        long spent = machine.cycles().total() - walks - Rig.SKYLAKE.figure(Work.FRAME.key());
        assertThat(machine.exits().rows()).singleElement().satisfies(row -> assertThat(row.cycles()).isEqualTo(spent));
        assertThat(spent).isGreaterThan(Rig.SKYLAKE.figure(Work.EXIT.key()) + Rig.SKYLAKE.figure(Work.EMULATION.key()));
    }

    @Test
    @DisplayName("P08 whatever a design throws ends in one line that names it, and its frames go back")
    void brokenDesign() {
        mmu.resolve = fault -> {
            throw new IllegalStateException("oops");
        };
        guest.then(LOAD, 0, 8, 0);
        VirtualMachine machine = machine(Map.of());
        assertThatThrownBy(() -> machine.run(1)).isInstanceOf(MachineException.class).hasMessageContaining("scripted (test 1)").hasMessageContaining("java.lang.IllegalStateException: oops");
        assertThat(machine.mmuFrames()).isZero();
        mmu.failing = true;
        assertThatThrownBy(() -> machine(Map.of())).isInstanceOf(MachineException.class).hasMessageContaining("broken on purpose");
    }

    @Test
    @DisplayName("X04 a setting that the design does not have, or a value it does not know, is refused")
    void settings() {
        assertThatThrownBy(() -> machine(Map.of("scripted.mode", "c"))).hasMessageContaining("one of a, b is needed");
        assertThatThrownBy(() -> machine(Map.of("scripted.mood", "a"))).hasMessageContaining("has no setting scripted.mood");
    }

    @Test
    @DisplayName("P03 closing twice closes the MMU once; numbers stay")
    void close() {
        guest.then(STORE, 0x1000, 8, 1);
        VirtualMachine machine = run();
        long digest = machine.memoryDigest();
        machine.close();
        machine.close();
        assertThat(mmu.calls).containsOnlyOnce("close");
        assertThat(machine.mmuFrames()).isEqualTo(1);
        assertThat(machine.memoryDigest()).isEqualTo(digest);
    }
}
