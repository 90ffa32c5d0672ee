package org.penumbra.benchmarks;

import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;
import org.penumbra.api.clock.CostProfile;
import org.penumbra.api.cpu.EngineFactory;
import org.penumbra.api.cpu.ExecutionEngine;
import org.penumbra.api.cpu.HostProcessor;
import org.penumbra.api.cpu.MemoryPort;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.cpu.Segments;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.api.paging.PagingState;
import org.penumbra.cpu.execute.X86EngineFactory;
import org.penumbra.cpu.execute.X86InterpreterFactory;
import org.penumbra.hardware.cpu.LogicalProcessorFactory;
import org.penumbra.hardware.profile.JsonCostProfiles;

/**
 * Instructions of machine code in 64-bit mode, executed by the engine on a processor without a hypervisor, whose TLBs are modelled or functional.
 * Throughput in operations a microsecond is million instructions a second.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 5, time = 1)
@Measurement(iterations = 10, time = 1)
@Fork(value = 1, jvmArgsAppend = "-XX:+UseSerialGC")
public class InstructionBenchmark {
    private static final int INSTRUCTIONS = 100_000;
    private static final long CODE = 0x40_0000;
    private static final long DATA = 0x60_0000;
    /** 512 pages, whose page table is at {@link #DATA}. */
    private static final long WINDOW = 0x4000_0000;
    private static final int PRESENT_WRITABLE_USER = 7;
    private static final int LARGE = 0x80;
    private static final int RSP = 4;
    private static final int RSI = 6;
    private static final int RDI = 7;

    /** 13 instructions on registers. */
    private static final int[] INTEGER = {
        0x48, 0x89, 0xd8, // mov rax, rbx
        0x48, 0x01, 0xc8, // add rax, rcx
        0x48, 0x31, 0xc2, // xor rdx, rax
        0x48, 0xc1, 0xe2, 0x03, // shl rdx, 3
        0x48, 0x81, 0xe2, 0xff, 0xff, 0x00, 0x00, // and rdx, 0xffff
        0x48, 0x8d, 0x34, 0x42, // lea rsi, [rdx + 2 * rax]
        0x48, 0x29, 0xf7, // sub rdi, rsi
        0x49, 0x09, 0xf8, // or r8, rdi
        0x44, 0x0f, 0xb6, 0xca, // movzx r9d, dl
        0x48, 0xff, 0xc3, // inc rbx
        0x4c, 0x39, 0xc7, // cmp rdi, r8
        0x48, 0xff, 0xc9, // dec rcx
        0x75, -45, // jnz to the first
    };
    /** 10 instructions, of which 7 touch memory: an array, the stack, a call. */
    private static final int[] MEMORY = {
        0x48, 0x8b, 0x06, // mov rax, [rsi]
        0x48, 0x03, 0x46, 0x08, // add rax, [rsi + 8]
        0x48, 0x89, 0x46, 0x10, // mov [rsi + 16], rax
        0x50, // push rax
        0x5a, // pop rdx
        0xe8, 0x06, 0x00, 0x00, 0x00, // call the ret
        0x48, 0xff, 0xc9, // dec rcx
        0x75, -23, // jnz to the first
        0x90, // nop, never reached
        0xc3, // ret
    };

    /** 14 instructions that give a page another frame, invalidate it, write and read it: what the kernel {@code tables} does. */
    private static final int[] TABLES = {
        0x8d, 0x04, 0x0b, // lea eax, [rbx + rcx]
        0x25, 0xff, 0x01, 0x00, 0x00, // and eax, 511
        0xc1, 0xe0, 0x0c, // shl eax, 12
        0x05, 0x03, 0x00, 0x80, 0x00, // add eax, the first frame | P | W
        0x48, 0x89, 0x04, 0xce, // mov [rsi + 8 * rcx], rax
        0x0f, 0x01, 0x3f, // invlpg [rdi]
        0x48, 0x89, 0x07, // mov [rdi], rax
        0x48, 0x8b, 0x17, // mov rdx, [rdi]
        0x48, 0x29, 0xc2, // sub rdx, rax
        0x48, 0x09, 0xd5, // or rbp, rdx
        0x81, 0xc7, 0x00, 0x10, 0x00, 0x00, // add edi, 4096
        0xff, 0xc1, // inc ecx
        0x81, 0xf9, 0x00, 0x02, 0x00, 0x00, // cmp ecx, 512
        0x75, -51, // jne to the first
        0x31, 0xc9, // xor ecx, ecx
        0xbf, 0x00, 0x00, 0x00, 0x40, // mov edi, the window
        0xff, 0xc3, // inc ebx
        0xeb, -62, // jmp to the first
    };

    /** What stands for the TLBs of the processor. */
    @Param({"modelled", "functional"})
    public String tlb = "modelled";

    /** Whether hot code becomes methods. */
    @Param({"x86", "x86-interpreter"})
    public String engine = "x86";

    private ExecutionEngine integer;
    private ExecutionEngine memory;
    private ExecutionEngine tables;

    @Setup
    public void boot() {
        integer = engine(INTEGER);
        memory = engine(MEMORY);
        tables = engine(TABLES);
    }

    private ExecutionEngine engine(int[] code) {
        PhysicalMemory physical = new PhysicalMemory(32 << 20);
        RegisterFile registers = new RegisterFile();
        JsonCostProfiles profiles = new JsonCostProfiles();
        CostProfile hardware = profiles.with(profiles.all().get(0), Map.of("tlb.model", tlb.equals("modelled") ? 1L : 0L));
        HostProcessor cpu = new LogicalProcessorFactory().create(hardware, physical, registers, new NoPorts(), null);
        physical.store64(0x1000, 0x2000 | PRESENT_WRITABLE_USER);
        physical.store64(0x2000, 0x3000 | PRESENT_WRITABLE_USER);
        physical.store64(0x3000 + 8 * (CODE >>> 21), CODE | LARGE | PRESENT_WRITABLE_USER);
        physical.store64(0x3000 + 8 * (DATA >>> 21), DATA | LARGE | PRESENT_WRITABLE_USER);
        physical.store64(0x2000 + 8 * (WINDOW >>> 30), 0x4000 | PRESENT_WRITABLE_USER);
        physical.store64(0x4000, DATA | PRESENT_WRITABLE_USER);
        for (int i = 0; i < code.length; i++) {
            physical.store(CODE + i, 1, code[i]);
        }
        registers.paging = PagingState.longMode(0x1000);
        registers.segments.set(Segments.CS, 8, 0, 0xffff_ffffL, 0xa09b);
        registers.segments.set(Segments.SS, 0, 0, 0, Segments.UNUSABLE);
        registers.rip = CODE;
        registers.gpr[RSP] = DATA + 0x8000;
        registers.gpr[RSI] = DATA;
        registers.gpr[RDI] = WINDOW;
        EngineFactory engines = engine.equals("x86") ? new X86EngineFactory() : new X86InterpreterFactory();
        ExecutionEngine made = engines.create(null);
        made.attach(cpu, new MemoryPort(cpu, 0), 0);
        return made;
    }

    @Benchmark
    @OperationsPerInvocation(INSTRUCTIONS)
    public Object integer() {
        return run(integer);
    }

    @Benchmark
    @OperationsPerInvocation(INSTRUCTIONS)
    public Object memory() {
        return run(memory);
    }

    @Benchmark
    @OperationsPerInvocation(INSTRUCTIONS)
    public Object tables() {
        return run(tables);
    }

    private static Object run(ExecutionEngine engine) {
        ExecutionEngine.Stop stop = engine.run(INSTRUCTIONS);
        if (stop != ExecutionEngine.Stop.BUDGET) {
            throw new IllegalStateException("the program has stopped: " + stop);
        }
        return stop;
    }
}
