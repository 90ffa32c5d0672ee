package org.penumbra.experiments.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.clock.Work;
import org.penumbra.api.cpu.ExecutionEngine.Stop;
import org.penumbra.api.cpu.GuestException;
import org.penumbra.api.cpu.GuestOperation;
import org.penumbra.api.cpu.GuestOperation.Kind;
import org.penumbra.api.cpu.MemoryPort;
import org.penumbra.api.cpu.Msr;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.cpu.UpdateFunction;
import org.penumbra.api.guest.GuestState;
import org.penumbra.api.guest.StepBuffer;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.observe.TranslationObserver;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.PagingState;

@DisplayName("Step engine")
class StepEngineTest {
    private static final long ALL = Long.MAX_VALUE;

    private final FakeProcessor cpu = new FakeProcessor(1 << 20);
    private MemoryPort port;
    private GuestState guest;

    private StepEngine engine(Script script) {
        port = new MemoryPort(cpu, 0);
        guest = new GuestState(script);
        StepEngine engine = new StepEngine(guest);
        engine.attach(cpu, port, 0);
        return engine;
    }

    private StepEngine engine(Consumer<StepBuffer> batch) {
        return engine(Script.of(batch));
    }

    private long accumulator() {
        return cpu.registers.gpr[RegisterFile.RAX];
    }

    @Test
    @DisplayName("X01 memory steps have the effect that the step table states")
    void memorySteps() {
        cpu.memory.store64(0x1000, 0x1122_3344_5566_7788L);
        StepEngine engine = engine(s -> {
            s.load(0x1002, 2);
            s.storeAccumulator(0x2000, 4);
            s.store(0x2010, 12, 0x0807_0605_0403_0201L);
            s.update(0x1000, 8, UpdateFunction.XOR, -1);
            s.andAccumulator(0xff);
            s.orAccumulator(0x100);
            s.fetch(0x3000, 3);
        });
        assertThat(engine.run(ALL)).isEqualTo(Stop.FINISHED);
        assertThat(cpu.memory.load64(0x2000)).isEqualTo(0x5566);
        assertThat(cpu.memory.load64(0x2010)).isEqualTo(0x0807_0605_0403_0201L);
        assertThat(cpu.memory.load64(0x2018)).isEqualTo(0x0403_0201L);
        assertThat(cpu.memory.load64(0x1000)).isEqualTo(~0x1122_3344_5566_7788L);
        assertThat(accumulator()).isEqualTo(0x188);
        assertThat(cpu.registers.rip).isEqualTo(0x3000);
        assertThat(cpu.time.retired()).isEqualTo(7);
        assertThat(cpu.cycles.events(Work.OPERATION)).isEqualTo(7);
        assertThat(port.accesses()).isEqualTo(5);
    }

    @Test
    @DisplayName("X01 privileged steps reach the processor, and ENTER_KERNEL and ENTER_USER change the privilege")
    void privilegedSteps() {
        List<Integer> privilege = new ArrayList<>();
        Script script = Script.of(StepBuffer::enterUser).then(s -> {
            privilege.add(cpu.registers.cpl);
            s.enterKernel();
        }).then(s -> {
            privilege.add(cpu.registers.cpl);
            s.invlpg(0x5000);
            s.movToCr0(1);
            s.movToCr3(0x2000);
            s.movToCr4(3);
            s.out(0xf4, 4, 7);
            s.vmcall();
            s.wrmsr(0x80b, 9);
            s.hlt();
            s.fetch(0x1000, 4);
        });
        StepEngine engine = engine(script);
        // A device may have powered the machine off: whoever drives the engine gets to look.
        assertThat(engine.run(ALL)).isEqualTo(Stop.BUDGET);
        assertThat(cpu.time.retired()).isEqualTo(7);
        assertThat(engine.run(ALL)).isEqualTo(Stop.HALTED);
        assertThat(privilege).containsExactly(3, 0);
        assertThat(cpu.done).containsExactly("invlpg 5000", "cr0 1", "cr3 2000", "cr4 3", "out f4 4 7", "vmcall", "wrmsr 80b 9", "hlt");
        assertThat(cpu.time.retired()).isEqualTo(10);
        assertThat(engine.run(ALL)).isEqualTo(Stop.FINISHED);
        assertThat(cpu.time.retired()).isEqualTo(11);
        assertThat(engine.run(ALL)).isEqualTo(Stop.FINISHED);
    }

    @Test
    @DisplayName("X01 a budget ends between two steps and the rest follows")
    void budget() {
        StepEngine engine = engine(s -> {
            for (int i = 0; i < 10; i++) {
                s.store(0x1000 + 8 * i, 8, 1);
            }
        });
        assertThat(engine.run(4)).isEqualTo(Stop.BUDGET);
        assertThat(cpu.time.retired()).isEqualTo(4);
        assertThat(cpu.memory.load64(0x1018)).isEqualTo(1);
        assertThat(cpu.memory.load64(0x1020)).isZero();
        assertThat(engine.run(6)).isEqualTo(Stop.BUDGET);
        assertThat(engine.run(1)).isEqualTo(Stop.FINISHED);
        assertThat(cpu.time.retired()).isEqualTo(10);
    }

    @Test
    @DisplayName("X02 a page fault runs the guest's handler at CPL 0 and then repeats the access at CPL 3")
    void pageFault() {
        List<Integer> access = new ArrayList<>();
        cpu.faultOnce(0x4000, 6);
        Script script = Script.of(s -> {
            s.enterUser();
            s.store(0x4008, 8, 5);
        }).onFault(s -> s.store(0x9000, 8, 1)).then(s -> access.add(cpu.registers.cpl));
        StepEngine engine = engine(script);
        assertThat(engine.run(ALL)).isEqualTo(Stop.FINISHED);
        assertThat(script.faults).containsExactly("4008 6 user");
        assertThat(access).containsExactly(3);
        assertThat(cpu.registers.cr2).isEqualTo(0x4008);
        assertThat(cpu.memory.load64(0x9000)).isEqualTo(1);
        assertThat(cpu.memory.load64(0x4008)).isEqualTo(5);
        assertThat(cpu.time.retired()).isEqualTo(3);
        assertThat(cpu.cycles.events(Work.EXCEPTION)).isEqualTo(1);
    }

    @Test
    @DisplayName("X02 an access across a page whose second page faults has no effect before it is repeated")
    void crossingFault() {
        cpu.faultOnce(0x5000, 6);
        List<Long> before = new ArrayList<>();
        Script script = Script.of(s -> s.store(0x4ffc, 8, -1)).onFault(s -> before.add(cpu.memory.load64(0x4ff8)));
        engine(script).run(ALL);
        assertThat(script.faults).containsExactly("5000 6 kernel");
        assertThat(before).containsExactly(0L);
        assertThat(cpu.memory.load64(0x4ff8)).isEqualTo(0xffff_ffff_0000_0000L);
        assertThat(cpu.memory.load64(0x5000)).isEqualTo(0xffff_ffffL);
    }

    @Test
    @DisplayName("X02 an injected page fault is delivered before the next operation")
    void injection() {
        Script script = Script.of(s -> s.load(0x4000, 8)).onFault(s -> s.store(0x4000, 8, 9));
        cpu.exitOnce(0x4000);
        StepEngine engine = engine(script);
        assertThat(engine.run(ALL)).isEqualTo(Stop.EXIT);
        cpu.injected = new GuestException();
        cpu.injected.set(GuestException.PF, 4, 0x4000);
        assertThat(engine.run(ALL)).isEqualTo(Stop.FINISHED);
        assertThat(script.faults).containsExactly("4000 4 kernel");
        assertThat(accumulator()).isEqualTo(9);
        assertThat(cpu.cycles.events(Work.EXCEPTION)).isEqualTo(1);
    }

    @Test
    @DisplayName("X02 a fault in the page-fault handler is a double fault that names both places")
    void doubleFault() {
        cpu.faultOnce(0x4000, 4);
        cpu.faultOnce(0x8000, 2);
        StepEngine engine = engine(Script.of(s -> s.load(0x4000, 8)).onFault(s -> s.store(0x8000, 8, 1)));
        assertThatThrownBy(() -> engine.run(ALL)).isInstanceOf(MachineException.class)
                .hasMessageContaining("guest kernel double fault: page fault at 0x8000 (W) in its own handler").hasMessageContaining("STORE of 8 bytes at 0x8000");
    }

    @Test
    @DisplayName("X02 a fault that the handler never mends ends the run")
    void noProgress() {
        for (int i = 0; i < 100; i++) {
            cpu.faultOnce(0x4000, 4);
        }
        StepEngine engine = engine(Script.of(s -> s.load(0x4000, 8)));
        assertThatThrownBy(() -> engine.run(ALL)).isInstanceOf(MachineException.class)
                .hasMessageContaining("no progress").hasMessageContaining("0x4000");
    }

    @Test
    @DisplayName("X02 #GP and #UD end the run and name the step")
    void otherExceptions() {
        cpu.raisePrivilegedOnce(GuestException.GP);
        StepEngine engine = engine(s -> {
            s.store(0x1000, 8, 1);
            s.movToCr3(-1L >>> 1);
        });
        assertThatThrownBy(() -> engine.run(ALL)).isInstanceOf(MachineException.class)
                .hasMessageContaining("#GP").hasMessageContaining("MOV CR3, 0x7fffffffffffffff, after 1 operations");
        assertThat(cpu.time.retired()).isEqualTo(1);
    }

    @Test
    @DisplayName("V05 an exit exposes the operation, and run repeats it")
    void exitAndRetry() {
        cpu.exitOnce(0x4000);
        cpu.exitOnce(0x4000);
        StepEngine engine = engine(s -> {
            s.orAccumulator(0x77);
            s.storeAccumulator(0x4000, 2);
            s.update(0x4001, 1, UpdateFunction.ADD, 5);
        });
        assertThat(engine.run(ALL)).isEqualTo(Stop.EXIT);
        assertThat(engine.operation().kind).isEqualTo(Kind.STORE);
        assertThat(engine.operation().gva).isEqualTo(0x4000);
        assertThat(engine.operation().width).isEqualTo(2);
        assertThat(engine.operation().value).isEqualTo(0x77);
        assertThat(engine.run(ALL)).isEqualTo(Stop.EXIT);
        assertThat(engine.run(ALL)).isEqualTo(Stop.FINISHED);
        assertThat(cpu.memory.load64(0x4000)).isEqualTo(0x0577);
        assertThat(cpu.time.retired()).isEqualTo(3);
    }

    @Test
    @DisplayName("V05 a read-modify-write that exits names its function and operand and is completed against hooks")
    void completeUpdate() {
        cpu.memory.store64(0x4000, 0xff);
        cpu.exitOnce(0x4000);
        StepEngine engine = engine(s -> s.update(0x4000, 8, UpdateFunction.AND, 0x0f));
        engine.run(ALL);
        assertThat(engine.operation().kind).isEqualTo(Kind.UPDATE);
        assertThat(engine.operation().function).isEqualTo(UpdateFunction.AND);
        assertThat(engine.operation().value).isEqualTo(0x0f);
        DirectHooks hooks = new DirectHooks(cpu.memory);
        hooks.refuse = true;
        long digest = guest.digest;
        assertThat(engine.complete(hooks)).isFalse();
        assertThat(cpu.time.retired()).isZero();
        assertThat(cpu.memory.load64(0x4000)).isEqualTo(0xff);
        assertThat(guest.digest).isEqualTo(digest);
        hooks.refuse = false;
        assertThat(engine.complete(hooks)).isTrue();
        assertThat(cpu.time.retired()).isEqualTo(1);
        assertThat(cpu.memory.load64(0x4000)).isEqualTo(0x0f);
        assertThat(accumulator()).isEqualTo(0xff);
        assertThat(engine.run(ALL)).isEqualTo(Stop.FINISHED);
        assertThatThrownBy(() -> engine.complete(hooks)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(engine::skip).isInstanceOf(IllegalStateException.class);
    }

    @Test
    @DisplayName("V05 each privileged step that exits names its kind and operands, and is retired by skip")
    void skip() {
        List<String> seen = new ArrayList<>();
        StepEngine engine = engine(s -> {
            s.movToCr0(1);
            s.movToCr3(2);
            s.movToCr4(3);
            s.invlpg(0x4000);
            s.out(0x3f8, 1, 65);
            s.hlt();
            s.vmcall();
            s.wrmsr(0x80b, 9);
        });
        cpu.alwaysExit = true;
        while (engine.run(ALL) == Stop.EXIT) {
            GuestOperation o = engine.operation();
            seen.add(o.kind + " " + o.gva + " " + o.value + " " + o.port + " " + o.msr);
            engine.skip();
        }
        assertThat(seen).containsExactly("MOV_TO_CR0 0 1 0 0", "MOV_TO_CR3 0 2 0 0", "MOV_TO_CR4 0 3 0 0", "INVLPG 16384 0 0 0",
                "OUT 0 65 1016 0", "HLT 0 0 0 0", "VMCALL 0 0 0 0", "WRMSR 0 9 0 2059");
        assertThat(cpu.done).isEmpty();
        assertThat(cpu.time.retired()).isEqualTo(8);
    }

    @Test
    @DisplayName("X02 an exit inside the page-fault handler is transparent")
    void exitInHandler() {
        cpu.faultOnce(0x4000, 4);
        cpu.exitOnce(0x8000);
        StepEngine engine = engine(Script.of(s -> {
            s.enterUser();
            s.load(0x4000, 8);
        }).onFault(s -> {
            s.store(0x8000, 8, 1);
            s.store(0x4000, 8, 2);
        }));
        assertThat(engine.run(ALL)).isEqualTo(Stop.EXIT);
        assertThat(cpu.registers.cpl).isZero();
        assertThat(engine.operation().gva).isEqualTo(0x8000);
        assertThat(engine.run(ALL)).isEqualTo(Stop.FINISHED);
        assertThat(accumulator()).isEqualTo(2);
        assertThat(cpu.registers.cpl).isEqualTo(3);
    }

    @Test
    @DisplayName("X01 accessed and dirty bits of an entry reach the accumulator and not the digest; its other bits reach both")
    void entryDigest() {
        Consumer<StepBuffer> reads = s -> {
            s.loadEntry(0x4000, 8);
            s.updateEntry(0x5000, 8, UpdateFunction.AND, ~0x20L);
        };
        long[] digests = new long[3];
        long[] entries = {0x7007, 0x7067, 0x7027 | 1L << 63};
        for (int i = 0; i < 3; i++) {
            cpu.memory.store64(0x4000, entries[i]);
            cpu.memory.store64(0x5000, entries[i]);
            StepEngine engine = engine(reads);
            engine.run(ALL);
            digests[i] = guest.digest;
            assertThat(accumulator()).isEqualTo(entries[i]);
            assertThat(cpu.memory.load64(0x5000)).isEqualTo(entries[i] & ~0x20L);
        }
        assertThat(digests[1]).isEqualTo(digests[0]);
        assertThat(digests[2]).isNotEqualTo(digests[0]);
    }

    @Test
    @DisplayName("X01 the digest depends on each loaded value and their order, and not on repeated attempts")
    void digest() {
        cpu.memory.store64(0x4000, 1);
        cpu.memory.store64(0x5000, 2);
        Consumer<StepBuffer> ordered = s -> {
            s.load(0x4000, 8);
            s.load(0x5000, 8);
        };
        StepEngine plain = engine(ordered);
        plain.run(ALL);
        long digest = guest.digest;
        StepEngine reversed = engine(s -> {
            s.load(0x5000, 8);
            s.load(0x4000, 8);
        });
        reversed.run(ALL);
        assertThat(guest.digest).isNotEqualTo(digest);
        cpu.exitOnce(0x4000);
        cpu.faultOnce(0x5000, 4);
        cpu.exitOnce(0x5000);
        StepEngine disturbed = engine(Script.of(ordered));
        assertThat(disturbed.run(ALL)).isEqualTo(Stop.EXIT);
        assertThat(disturbed.run(ALL)).isEqualTo(Stop.EXIT);
        assertThat(disturbed.run(ALL)).isEqualTo(Stop.FINISHED);
        assertThat(guest.digest).isEqualTo(digest);
    }

    @Test
    @DisplayName("X02 the observer is told of faults, invalidations and control-register loads when they retire, whoever executes them")
    void observer() {
        List<String> told = new ArrayList<>();
        cpu.observer = new TranslationObserver() {
            @Override
            public void translated(int vcpu, long gva, int access, long hpa) {
                told.add(String.format("use %x %d", gva, access));
            }

            @Override
            public void written(long hpa, int bytes) {
                told.add(String.format("write %x %d", hpa, bytes));
            }

            @Override
            public void updated(long hpa) {
                told.add(String.format("update %x", hpa));
            }

            @Override
            public void moved(long gfn) {
                told.add(String.format("move %x", gfn));
            }

            @Override
            public void pageFault(int vcpu, long gva, int errorCode, boolean ac) {
                told.add(String.format("fault %x %x", gva, errorCode));
            }

            @Override
            public void invalidatedPage(int vcpu, long gva) {
                told.add(String.format("invlpg %x", gva));
            }

            @Override
            public void invalidatedPcid(int vcpu, int type, int pcid, long gva) {}

            @Override
            public void loaded(int vcpu, PagingState state, boolean keepPcid) {
                told.add(String.format("load %x %x %x %x %b", state.cr3(), state.cr4(), state.efer(), state.pkrs(), keepPcid));
            }
        };
        cpu.registers.paging = cpu.registers.paging.withCr4(ControlBits.CR4_PCIDE);
        cpu.faultOnce(0x4000, 6);
        StepEngine engine = engine(s -> {
            s.store(0x4000, 8, 1);
            s.invlpg(0x4000);
            s.movToCr3(0x3000 | ControlBits.CR3_NO_FLUSH);
            s.movToCr3(0x3001);
            s.invlpg(0x5000);
            s.wrmsr(Msr.IA32_EFER, ControlBits.EFER_NXE);
            s.wrmsr(Msr.IA32_EFER, ControlBits.EFER_NXE);
            s.wrmsr(Msr.X2APIC_EOI, 0);
            s.wrmsr(Msr.IA32_PKRS, 4);
            s.movToCr4(ControlBits.CR4_PCIDE);
            s.movToCr4(ControlBits.CR4_PCIDE | ControlBits.CR4_PGE);
            s.movToCr3(0x3001);
        });
        engine.run(2);
        engine.run(1);
        assertThat(told).containsExactly("fault 4000 6", "use 4000 1", "write 4000 8", "invlpg 4000", "load 3000 20000 0 0 true");
        told.clear();
        cpu.exitPrivilegedOnce();
        cpu.exitPrivilegedOnce();
        assertThat(engine.run(ALL)).isEqualTo(Stop.EXIT);
        assertThat(told).isEmpty();
        cpu.registers.paging = cpu.registers.paging.withCr3(0x3001);
        engine.skip();
        assertThat(engine.run(ALL)).isEqualTo(Stop.EXIT);
        engine.skip();
        assertThat(told).containsExactly("load 3001 20000 0 0 false", "invlpg 5000");
        told.clear();
        assertThat(engine.run(ALL)).isEqualTo(Stop.FINISHED);
        assertThat(told).as("WRMSR and MOV to CR4 where they change something, MOV to CR3 always")
                .containsExactly("load 3001 20000 800 0 false", "load 3001 20000 800 4 false", "load 3001 20080 800 4 false",
                        "load 3001 20080 800 4 false");
    }

    @Test
    @DisplayName("X01 steps that no processor could execute are refused when they are appended")
    void impossibleSteps() {
        StepBuffer s = new StepBuffer(1);
        assertThatThrownBy(() -> s.load(0, 0)).isInstanceOf(IllegalArgumentException.class).hasMessageContaining("1 to 4096");
        assertThatThrownBy(() -> s.store(0, 4097, 0)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> s.update(0, 16, UpdateFunction.ADD, 0)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> s.update(0, 8, 5, 0)).isInstanceOf(IllegalArgumentException.class);
        assertThat(s.size()).isZero();
    }

    @Test
    @DisplayName("S21 a switch through a slot loads what the slot says, is told as the address space it stands for, and leaves no trace in the digest")
    void switchThroughSlot() {
        List<String> told = new ArrayList<>();
        cpu.observer = (TranslationObserver) Proxy.newProxyInstance(
                TranslationObserver.class.getClassLoader(), new Class<?>[] {TranslationObserver.class}, (proxy, method, arguments) -> {
                    if (method.getName().equals("loaded")) {
                        told.add(Long.toHexString(((PagingState) arguments[1]).cr3()));
                    }
                    return null;
                });
        cpu.memory.store64(0x1000, 0x7800);
        StepEngine engine = engine(s -> {
            s.movToCr3(0x3000, 0x1000);
            s.movToCr4(cpu.registers.paging.cr4());
            s.movToCr3(0x4000, 0x1008);
        });
        long digest = guest.digest;
        assertThat(engine.run(1)).isEqualTo(Stop.BUDGET);
        assertThat(cpu.registers.paging.cr3()).as("what the processor was given").isEqualTo(0x7800);
        assertThat(engine.run(1)).isEqualTo(Stop.BUDGET);
        assertThat(told).as("MOV to CR4 changed nothing").containsExactly("3000");
        cpu.exitPrivilegedOnce();
        assertThat(engine.run(ALL)).isEqualTo(Stop.EXIT);
        assertThat(engine.operation().kind).isEqualTo(Kind.MOV_TO_CR3);
        assertThat(engine.operation().value).as("an empty slot").isEqualTo(0x4000);
        cpu.registers.paging = cpu.registers.paging.withCr3(0x4000);
        engine.skip();
        assertThat(told).containsExactly("3000", "4000");
        assertThat(guest.digest).isEqualTo(digest);
    }

    @Test
    @DisplayName("S21 a hypercall has its number in RAX and its arguments in RBX and RCX")
    void hypercall() {
        StepEngine engine = engine(s -> s.vmcall(0x5043, 0x3000, 0x1008));
        assertThat(engine.run(ALL)).isEqualTo(Stop.FINISHED);
        assertThat(cpu.registers.gpr[RegisterFile.RAX]).isEqualTo(0x5043);
        assertThat(cpu.registers.gpr[RegisterFile.RBX]).isEqualTo(0x3000);
        assertThat(cpu.registers.gpr[RegisterFile.RCX]).isEqualTo(0x1008);
    }
}
