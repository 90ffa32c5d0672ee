package org.penumbra.experiments.guest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.function.Function;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.clock.Work;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.guest.StepBuffer;
import org.penumbra.api.paging.PagingMode;

/** What the kernel does for its processes, in every paging mode that has pages. */
abstract class PagedKernelContract {
    private static final long PAGE = 4096;

    private final PagingMode mode;
    private final long data;
    private final long large;

    private GuestRig rig;
    private final List<Long> seen = new ArrayList<>();

    PagedKernelContract(PagingMode mode) {
        this.mode = mode;
        data = UserHalf.high(mode);
        large = mode == PagingMode.BITS_32 ? 4 << 20 : 2 << 20;
    }

    /** A program written as what it does between its system calls; after the last one it exits. */
    private final class Lines implements UserProgram {
        private final Deque<Function<StepBuffer, SystemCall>> lines = new ArrayDeque<>();

        Lines then(Function<StepBuffer, SystemCall> line) {
            lines.add(line);
            return this;
        }

        Lines call(SystemCall call) {
            return then(s -> call);
        }

        Lines store(long gva, long value) {
            return then(s -> {
                s.store(gva, 8, value);
                return null;
            });
        }

        /** Loads, and notes what was loaded in {@link #seen}. */
        Lines load(long gva) {
            return then(s -> {
                s.load(gva, 8);
                return null;
            }).then(s -> {
                seen.add(rig.accumulator());
                return null;
            });
        }

        @Override
        public SystemCall next(StepBuffer steps) {
            Function<StepBuffer, SystemCall> line = lines.poll();
            return line == null ? new SystemCall.Exit() : line.apply(steps);
        }
    }

    private Lines program() {
        return new Lines();
    }

    private Lines withData(int pages) {
        return program().call(SystemCall.Map.anonymous(data, pages * PAGE));
    }

    private GuestRig run(UserProgram first) {
        rig = GuestRig.of(mode, first);
        return rig.finish();
    }

    @Test
    @DisplayName("X02 a page is there when it is touched, zeroed, and powers off with nothing lost")
    void demandPaging() {
        run(withData(3).load(data + 8).store(data + 16, 7).load(data + 16).load(data + 2 * PAGE));
        assertThat(seen).containsExactly(0L, 7L, 0L);
        assertThat(rig.cpu.cycles.events(Work.EXCEPTION)).isEqualTo(2);
    }

    @Test
    @DisplayName("X02 a file page holds values of its own, an access may cross into an untouched page, and code executes")
    void filePages() {
        run(program().call(new SystemCall.Map(data, 4 * PAGE, false, true, Contents.FILE)).load(data).load(data + PAGE).load(data + 2 * PAGE + 4092)
                .then(s -> {
                    s.fetch(data + 1, 4);
                    return null;
                }));
        assertThat(seen.get(0)).isEqualTo(Contents.FILE.word(data)).isNotZero().isNotEqualTo(seen.get(1));
        assertThat(seen.get(2)).isEqualTo(Contents.FILE.word(data + 2 * PAGE) >>> 32 | Contents.FILE.word(data + 3 * PAGE) << 32);
    }

    @Test
    @DisplayName("X02 after fork parent and child share pages until one writes, and each sees its own writes only")
    void copyOnWrite() {
        Lines child = program().load(data).store(data, 20).load(data).load(data + PAGE).call(new SystemCall.Yield()).load(data + PAGE);
        run(withData(2).store(data, 10).store(data + PAGE, 11).call(new SystemCall.Fork(child)).store(data + PAGE, 31)
                .call(new SystemCall.Yield()).load(data).load(data + PAGE).call(new SystemCall.Wait()).store(data, 40).load(data));
        // Child until it yields; parent; child; parent.
        assertThat(seen).containsExactly(10L, 20L, 11L, 10L, 31L, 11L, 40L);
    }

    @Test
    @DisplayName("X02 page faults and system calls keep the accumulator")
    void accumulator() {
        run(withData(3).store(data, 7).then(s -> {
            s.load(data, 8);
            s.storeAccumulator(data + PAGE, 8);
            return new SystemCall.Yield();
        }).then(s -> {
            s.storeAccumulator(data + 2 * PAGE, 8);
            return null;
        }).load(data + PAGE).load(data + 2 * PAGE));
        assertThat(seen).containsExactly(7L, 7L);
    }

    @Test
    @DisplayName("X02 the last user of a shared page writes to it without a copy")
    void reuse() {
        run(withData(1).store(data, 10).call(new SystemCall.Fork(program())).call(new SystemCall.Wait()).store(data, 11).load(data));
        long withoutCopy = rig.operations();
        assertThat(seen).containsExactly(11L);
        run(withData(1).store(data, 10).call(new SystemCall.Fork(program())).store(data, 11).call(new SystemCall.Wait()).load(data));
        assertThat(rig.operations() - withoutCopy).isGreaterThan(1024);
    }

    @Test
    @DisplayName("X02 the kernel reads accessed and dirty bits of a forked page from memory: the child starts with A clear")
    void accessedBit() {
        List<Long> ptes = new ArrayList<>();
        Lines child = program().then(s -> {
            ptes.add(pte(data));
            s.load(data, 8);
            return null;
        }).then(s -> {
            ptes.add(pte(data));
            return null;
        });
        run(withData(1).store(data, 10).call(new SystemCall.Fork(child)).call(new SystemCall.Wait()));
        assertThat(ptes.get(0) & (Pte.P | Pte.W | Pte.A | Pte.D)).isEqualTo(Pte.P | Pte.D);
        assertThat(ptes.get(1)).isEqualTo(ptes.get(0) | Pte.A);
    }

    private long pte(long gva) {
        int bytes = mode.entryBytes();
        int bits = bytes == 4 ? 10 : 9;
        long table = mode == PagingMode.PAE ? rig.cpu.registers.paging.pdptes().of(gva) & -PAGE : rig.cpu.registers.paging.root();
        for (int level = mode.levels(); ; level--) {
            long entry = rig.memory.load(table + bytes * (gva >>> 12 + bits * (level - 1) & 4096 / bytes - 1), bytes);
            if (level == 1) {
                return entry;
            }
            table = entry & 0x000f_ffff_ffff_f000L;
        }
    }

    @Test
    @DisplayName("X02 unmapped pages are gone, short and long ranges alike, and fault again when mapped anew")
    void unmap() {
        for (int pages : new int[] {1, AddressRanges.FLUSH_CEILING, AddressRanges.FLUSH_CEILING + 1}) {
            seen.clear();
            Lines p = withData(pages);
            for (int i = 0; i < pages; i++) {
                p.store(data + i * PAGE, 5);
            }
            p.call(new SystemCall.Unmap(data, pages * PAGE)).call(SystemCall.Map.anonymous(data, pages * PAGE));
            for (int i = 0; i < pages; i++) {
                p.load(data + i * PAGE);
            }
            run(p);
            assertThat(seen).hasSize(pages).containsOnly(0L);
        }
    }

    @Test
    @DisplayName("X02 munmap in the middle of a mapping leaves both ends")
    void unmapMiddle() {
        run(withData(3).store(data, 1).store(data + PAGE, 2).store(data + 2 * PAGE, 3).call(new SystemCall.Unmap(data + PAGE, PAGE))
                .load(data).load(data + 2 * PAGE));
        assertThat(seen).containsExactly(1L, 3L);
        assertThatThrownBy(() -> run(withData(3).store(data + PAGE, 2).call(new SystemCall.Unmap(data + PAGE, PAGE)).load(data + PAGE)))
                .isInstanceOf(MachineException.class)
                .hasMessage(String.format("process 1 of workload test reads 0x%x (U), which it has not mapped", data + PAGE));
    }

    @Test
    @DisplayName("X02 mprotect takes the right to write away at once and gives it back")
    void protect() {
        run(withData(2).store(data, 1).call(new SystemCall.Protect(data, PAGE, false)).load(data).store(data + PAGE, 3)
                .call(new SystemCall.Protect(data, PAGE, true)).store(data, 2).load(data).load(data + PAGE));
        assertThat(seen).containsExactly(1L, 2L, 3L);
        assertThatThrownBy(() -> run(withData(2).store(data, 1).call(new SystemCall.Protect(data, PAGE, false)).store(data, 2)))
                .isInstanceOf(MachineException.class).hasMessageContaining("writes 0x%x (P W U), which it has no right to", data);
    }

    @Test
    @DisplayName("X02 after mprotect a page that is still shared is copied, not given away")
    void protectShared() {
        Lines child = program().call(new SystemCall.Protect(data, PAGE, false)).call(new SystemCall.Protect(data, PAGE, true)).store(data, 2);
        run(withData(1).store(data, 1).call(new SystemCall.Fork(child)).call(new SystemCall.Wait()).load(data));
        assertThat(seen).containsExactly(1L);
    }

    private Lines withLarge(int largePages) {
        return program().call(SystemCall.Map.large(data, largePages * large));
    }

    @Test
    @DisplayName("X02 a large page is one fault for 2 MiB, where the range has room for it")
    void largePages() {
        run(withLarge(2).store(data + large - 8, 1).load(data + 8).load(data + large - 8)
                .call(SystemCall.Map.large(data + 4 * large + PAGE, large)).load(data + 4 * large + PAGE).load(data + 4 * large + 2 * PAGE));
        assertThat(seen).containsExactly(0L, 1L, 0L, 0L);
        assertThat(rig.cpu.cycles.events(Work.EXCEPTION)).isEqualTo(3);
    }

    @Test
    @DisplayName("X02 a shared large page is split when one side writes, and only the page written is copied")
    void largeCopyOnWrite() {
        Lines child = program().load(data + 5 * PAGE).store(data + 5 * PAGE, 20).load(data + 5 * PAGE).load(data + 6 * PAGE);
        run(withLarge(1).store(data + 5 * PAGE, 10).store(data + 6 * PAGE, 11).call(new SystemCall.Fork(child))
                .call(new SystemCall.Wait()).load(data + 5 * PAGE).store(data + 6 * PAGE, 12).load(data + 6 * PAGE));
        assertThat(seen).containsExactly(10L, 20L, 11L, 10L, 12L);
        // First touch; the child's copy; the parent gets its large page back whole.
        assertThat(rig.cpu.cycles.events(Work.EXCEPTION)).isEqualTo(3);
    }

    @Test
    @DisplayName("X02 munmap and mprotect of a part of a large page split it")
    void largePartly() {
        run(withLarge(1).store(data, 1).store(data + PAGE, 2).store(data + 2 * PAGE, 3).call(new SystemCall.Unmap(data + PAGE, PAGE))
                .call(new SystemCall.Protect(data + 2 * PAGE, PAGE, false)).load(data).load(data + 2 * PAGE).store(data, 4).load(data));
        assertThat(seen).containsExactly(1L, 3L, 4L);
        assertThatThrownBy(() -> run(withLarge(1).store(data + PAGE, 2).call(new SystemCall.Unmap(data + PAGE, PAGE)).load(data + PAGE)))
                .isInstanceOf(MachineException.class).hasMessageContaining("not mapped");
    }

    @Test
    @DisplayName("X02 without room for a large page small ones do, and blocks that came back are broken up when frames run out")
    void fragmentation() {
        Lines p = program().call(SystemCall.Map.large(data, 2 * large)).store(data, 1).store(data + large, 2).load(data)
                .call(new SystemCall.Unmap(data, large)).call(SystemCall.Map.anonymous(data + 8 * large, large));
        for (int i = 0; i < 500; i++) {
            p.store(data + 8 * large + i * PAGE, 3);
        }
        rig = new GuestRig(8 << 20, new MiniatureGuest("test", 1, seed -> p.load(data + large)).in(mode));
        rig.finish();
        assertThat(seen).containsExactly(1L, 2L);
    }

    @Test
    @DisplayName("X02 a process has no access to kernel memory")
    void isolation() {
        long directMap = GuestLayout.of(mode).direct(0);
        assertThatThrownBy(() -> run(program().load(directMap))).isInstanceOf(MachineException.class)
                .hasMessageContaining("reads 0x%x (P U), which it has not mapped", directMap);
    }

    @Test
    @DisplayName("T06 data pages execute only where entries have no execute-disable bit")
    void noExecution() {
        Lines p = withData(1).store(data, 1).then(s -> {
            s.fetch(data, 4);
            return null;
        });
        if (mode == PagingMode.BITS_32) {
            run(p);
            return;
        }
        assertThatThrownBy(() -> run(p)).isInstanceOf(MachineException.class)
                .hasMessageContaining("executes 0x%x (P U I), which it has no right to", data);
    }

    @Test
    @DisplayName("X02 a guest that needs more memory than it has says so")
    void outOfMemory() {
        Lines p = withData(4096);
        for (int i = 0; i < 4096; i++) {
            p.store(data + i * PAGE, 1);
        }
        rig = new GuestRig(8 << 20, new MiniatureGuest("hungry", 1, seed -> p).in(mode));
        assertThatThrownBy(rig::finish).isInstanceOf(MachineException.class)
                .hasMessage("guest out of memory: workload hungry needs more than 8 MiB; give more with --memory");
    }

    @Test
    @DisplayName("X02 memory that the guest cannot boot in is refused")
    void impossibleMemory() {
        assertThatThrownBy(() -> new GuestRig(4 << 20, new MiniatureGuest("w", 1, seed -> program()).in(mode))).isInstanceOf(MachineException.class)
                .hasMessageContaining("in 8 MiB to ").hasMessageContaining("not in 4 MiB");
    }

    @Test
    @DisplayName("X02 programs that ask for the impossible are named")
    void bugs() {
        assertThatThrownBy(() -> run(program().call(new SystemCall.Wait()))).isInstanceOf(MachineException.class)
                .hasMessageContaining("process 1 of workload test waits for a child and has none");
        assertThatThrownBy(() -> run(withData(2).call(SystemCall.Map.anonymous(data + PAGE, PAGE)))).isInstanceOf(MachineException.class)
                .hasMessageContaining("over another mapping");
        assertThatThrownBy(() -> run(program().call(SystemCall.Map.anonymous(data + 1, PAGE)))).isInstanceOf(MachineException.class)
                .hasMessageContaining("page-aligned");
    }

    @Test
    @DisplayName("X02 an orphan runs on after its parent has exited")
    void orphan() {
        Lines child = program().call(new SystemCall.Yield()).call(new SystemCall.Yield()).load(data);
        run(withData(1).store(data, 6).call(new SystemCall.Fork(child)));
        assertThat(seen).containsExactly(6L);
    }

    @Test
    @DisplayName("X02 exits at any memory access leave the guest as it is")
    void exits() {
        Lines[] programs = new Lines[2];
        for (int i = 0; i < 2; i++) {
            programs[i] = withData(4).store(data, 1).store(data + PAGE, 2)
                    .call(new SystemCall.Fork(program().store(data, 3).load(data).load(data + PAGE))).store(data + PAGE, 4)
                    .call(new SystemCall.Wait()).load(data).load(data + PAGE);
        }
        run(programs[0]);
        GuestRig plain = rig;
        rig = GuestRig.of(mode, programs[1]);
        rig.cpu.exitEvery = 2;
        rig.finish();
        assertThat(rig.digest()).isEqualTo(plain.digest());
        assertThat(rig.operations()).isEqualTo(plain.operations());
        assertThat(rig.memoryDigest()).isEqualTo(plain.memoryDigest());
    }
}
