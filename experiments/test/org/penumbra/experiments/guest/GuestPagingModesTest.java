package org.penumbra.experiments.guest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.penumbra.api.paging.ControlBits.CR4_LA57;
import static org.penumbra.api.paging.ControlBits.CR4_PAE;
import static org.penumbra.api.paging.ControlBits.CR4_PGE;
import static org.penumbra.api.paging.ControlBits.CR4_PSE;
import static org.penumbra.api.paging.ControlBits.CR4_SMEP;
import static org.penumbra.api.paging.ControlBits.EFER_LMA;
import static org.penumbra.api.paging.ControlBits.EFER_LME;
import static org.penumbra.api.paging.ControlBits.EFER_NXE;

import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.guest.StepBuffer;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.Pdptes;

@DisplayName("Paging modes of the miniature guest")
class GuestPagingModesTest {
    private static final long MEMORY = 64 << 20;
    private static final long PAGE = 4096;
    private static final UserProgram NOTHING = steps -> new SystemCall.Exit();

    private static MiniatureGuest guest(PagingMode mode) {
        return new MiniatureGuest("test", 1, seed -> NOTHING).in(mode);
    }

    private static PagingState booted(PagingMode mode) {
        RegisterFile registers = new RegisterFile();
        guest(mode).boot((gpa, value) -> {}, new RegisterFile[] {registers}, MEMORY);
        return registers.paging;
    }

    /** Does each of its steps, with a system call after it or none, and exits. */
    private static final class Course implements UserProgram {
        private final List<Runnable> steps = new ArrayList<>();
        private StepBuffer out;
        private SystemCall call;
        private int next;

        Course then(Runnable step) {
            steps.add(step);
            return this;
        }

        Course call(SystemCall c) {
            return then(() -> call = c);
        }

        Course store(long gva, long value) {
            return then(() -> out.store(gva, 8, value));
        }

        Course load(long gva) {
            return then(() -> out.load(gva, 8));
        }

        @Override
        public SystemCall next(StepBuffer buffer) {
            if (next == steps.size()) {
                return new SystemCall.Exit();
            }
            out = buffer;
            call = null;
            steps.get(next++).run();
            return call;
        }
    }

    @Test
    @DisplayName("T04 a guest boots in its mode: the mode of its registers is the one asked for, with what that mode has and no more")
    void registers() {
        for (PagingMode mode : PagingMode.values()) {
            assertThat(booted(mode).mode()).isEqualTo(mode);
        }
        assertThat(booted(PagingMode.BITS_32).cr4()).isEqualTo(CR4_PSE | CR4_PGE | CR4_SMEP);
        assertThat(booted(PagingMode.BITS_32).efer()).isZero();
        assertThat(booted(PagingMode.PAE).cr4()).isEqualTo(CR4_PAE | CR4_PGE | CR4_SMEP);
        assertThat(booted(PagingMode.PAE).efer()).isEqualTo(EFER_NXE);
        assertThat(booted(PagingMode.FOUR_LEVEL).cr4()).isEqualTo(CR4_PAE | CR4_PGE | CR4_SMEP);
        assertThat(booted(PagingMode.FIVE_LEVEL).cr4()).isEqualTo(CR4_PAE | CR4_PGE | CR4_SMEP | CR4_LA57);
        assertThat(booted(PagingMode.FIVE_LEVEL).efer()).isEqualTo(EFER_LME | EFER_LMA | EFER_NXE);
    }

    @Test
    @DisplayName("T03 PDPTE registers hold at boot what memory holds; only the last one, the kernel's, is present")
    void pdptesAtBoot() {
        GuestRig rig = GuestRig.of(PagingMode.PAE, NOTHING);
        PagingState state = rig.cpu.registers.paging;
        assertThat(state.pdptes().allowed(40)).isTrue();
        for (int i = 0; i < 4; i++) {
            assertThat(state.pdptes().get(i)).isEqualTo(rig.memory.load64(state.root() + 8L * i));
            assertThat(state.pdptes().get(i) & Pte.P).isEqualTo(i == 3 ? Pte.P : 0);
        }
    }

    @Test
    @DisplayName("T03 PDPTEs come when a gigabyte is first touched and go with its last page, and the registers are loaded each time")
    void pdptes() {
        List<Integer> present = new ArrayList<>();
        GuestRig[] rig = new GuestRig[1];
        Runnable look = () -> {
            Pdptes p = rig[0].cpu.registers.paging.pdptes();
            present.add((int) (p.get(0) & 1 | (p.get(1) & 1) << 1 | (p.get(2) & 1) << 2 | (p.get(3) & 1) << 3));
        };
        rig[0] = GuestRig.of(PagingMode.PAE, new Course().call(SystemCall.Map.anonymous(0x4000_0000L, PAGE))
                .call(SystemCall.Map.anonymous(0xb000_0000L, PAGE)).then(look).store(0x4000_0000L, 1).then(look).load(0xb000_0000L).then(look)
                .call(new SystemCall.Unmap(0x4000_0000L, PAGE)).then(look));
        rig[0].finish();
        assertThat(present).containsExactly(0b1000, 0b1010, 0b1110, 0b1100);
    }

    @Test
    @DisplayName("T03 top-level tables are aligned to 32 bytes, and not all of them to more")
    void rootAlignment() {
        TreeSet<Long> offsets = new TreeSet<>();
        GuestRig[] rig = new GuestRig[1];
        Course first = new Course();
        for (int i = 0; i < 5; i++) {
            first.call(new SystemCall.Fork(new Course().then(() -> offsets.add(rig[0].cpu.registers.paging.cr3() % PAGE))));
        }
        for (int i = 0; i < 5; i++) {
            first.call(new SystemCall.Wait());
        }
        rig[0] = GuestRig.of(PagingMode.PAE, first);
        rig[0].finish();
        assertThat(offsets).hasSizeGreaterThan(1).allMatch(o -> o % 32 == 0);
    }

    @Test
    @DisplayName("T02 entries have 4 bytes: a table maps 4 MiB, and neighbours in it are changed one by one")
    void narrowEntries() {
        GuestRig[] rig = new GuestRig[1];
        long[] root = new long[1];
        rig[0] = GuestRig.of(PagingMode.BITS_32, new Course().call(SystemCall.Map.anonymous(0, 8 << 20)).store(0x3f_f000, 1)
                .store(0x40_0000, 2).store(0x3f_e000, 3).then(() -> {
                    root[0] = rig[0].cpu.registers.paging.root();
                    long low = rig[0].memory.load(root[0], 4) & -PAGE;
                    long high = rig[0].memory.load(root[0] + 4, 4) & -PAGE;
                    assertThat(rig[0].memory.load(root[0] + 8, 4)).isZero();
                    assertThat(rig[0].memory.load64(rig[0].memory.load(low + 4 * 1023, 4) & -PAGE)).isEqualTo(1);
                    assertThat(rig[0].memory.load64(rig[0].memory.load(low + 4 * 1022, 4) & -PAGE)).isEqualTo(3);
                    assertThat(rig[0].memory.load64(rig[0].memory.load(high, 4) & -PAGE)).isEqualTo(2);
                    assertThat(rig[0].memory.load(high + 4, 4)).isZero();
                }));
        rig[0].finish();
        assertThat(root[0]).isNotZero();
    }

    @Test
    @DisplayName("T01 without paging a process is relocated to physical memory, which is filled when it is mapped, and nothing faults")
    void unpaged() {
        GuestRig[] rig = new GuestRig[1];
        List<Long> seen = new ArrayList<>();
        Runnable note = () -> seen.add(rig[0].accumulator());
        rig[0] = GuestRig.of(PagingMode.NONE, new Course().call(SystemCall.Map.anonymous(0xb000_0000L, 2 * PAGE))
                .call(new SystemCall.Map(0x1000, PAGE, false, true, Contents.FILE)).store(0xb000_0000L + PAGE - 4, 0x1234_5678_9abc_def0L)
                .load(0xb000_0000L + PAGE).then(note).load(0x1ff8).then(note).load(0xb000_0008L).then(note));
        rig[0].finish();
        assertThat(seen).containsExactly(0x1234_5678L, Contents.FILE.word(0x1000), 0L);
        assertThat(rig[0].faults()).isZero();
        assertThat(rig[0].cpu.done).as("nothing to load into CR3, nothing to flush").noneMatch(d -> d.startsWith("cr3"));
        assertThat(rig[0].memory.load(GuestLayout.FREE_FRAMES + 2 * PAGE - 4, 4)).as("frames after the kernel stack's").isEqualTo(0x9abc_def0L);
    }

    @Test
    @DisplayName("T01 without paging what a process has not mapped, or cannot do, is named")
    void unpagedMisuse() {
        Course stray = new Course().call(SystemCall.Map.anonymous(0x1000, PAGE)).load(0x1ffc);
        assertThatThrownBy(() -> GuestRig.of(PagingMode.NONE, stray).finish()).isInstanceOf(MachineException.class)
                .hasMessage("the process of workload test makes a LOAD of 8 bytes at 0x1ffc, which it has not mapped");
        Course forks = new Course().call(new SystemCall.Fork(NOTHING));
        assertThatThrownBy(() -> GuestRig.of(PagingMode.NONE, forks).finish()).isInstanceOf(MachineException.class)
                .hasMessage("the process of workload test forks, and without paging it can only map memory and use it");
    }

    @Test
    @DisplayName("X02 what cannot run in a mode is refused in one line, and boots nowhere")
    void refusals() {
        refused(guest(PagingMode.BITS_32), 1 << 30,
                "the miniature guest runs in 8 MiB to 896 MiB of memory with 32bit paging, not in 1 GiB; choose with --memory");
        refused(guest(PagingMode.NONE), 8L << 30, "the miniature guest runs in 8 MiB to 4 GiB of memory without paging, not in 8 GiB; choose with --memory");
        refused(guest(PagingMode.PAE).withPcids(), MEMORY,
                "workload test uses PCIDs, which exist in IA-32e mode only; choose --paging 4level or 5level");
        refused(guest(PagingMode.NONE).needingPaging("it forks"), MEMORY,
                "workload test cannot run without paging: it forks; choose another --paging than none");
        refused(guest(PagingMode.PAE).mapping((3L << 30) + PAGE), MEMORY,
                "workload test maps 3072 MiB, and a process has 3 GiB of address space with pae paging; choose --paging 4level");
        refused(guest(PagingMode.NONE).mapping(60 << 20), MEMORY,
                "workload test maps 60 MiB, and without paging all of it must be in memory, of which 60 MiB are free; choose with --memory");
        assertThat(guest(PagingMode.PAE).mapping(3L << 30).refusal(1, 896 << 20)).isEmpty();
        assertThat(guest(PagingMode.NONE).mapping((60 << 20) - PAGE).refusal(1, MEMORY)).isEmpty();
        assertThat(guest(PagingMode.FOUR_LEVEL).needingPaging("it forks").withPcids().refusal(1, 256L << 30)).isEmpty();
    }

    private static void refused(MiniatureGuest guest, long memory, String message) {
        assertThat(guest.refusal(1, memory)).hasValue(message);
        assertThatThrownBy(() -> guest.boot((gpa, value) -> {}, new RegisterFile[] {new RegisterFile()}, memory))
                .isInstanceOf(MachineException.class).hasMessage(message);
    }
}
