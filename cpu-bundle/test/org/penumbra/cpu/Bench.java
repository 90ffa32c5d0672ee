package org.penumbra.cpu;

import java.util.Map;
import org.penumbra.api.clock.CostProfile;
import org.penumbra.api.cpu.EngineFactory;
import org.penumbra.api.cpu.ExecutionEngine;
import org.penumbra.api.cpu.HostProcessor;
import org.penumbra.api.cpu.MemoryPort;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.cpu.Segments;
import org.penumbra.api.device.IoPorts;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.api.paging.PagingState;
import org.penumbra.cpu.execute.X86EngineFactory;
import org.penumbra.hardware.cpu.LogicalProcessorFactory;
import org.penumbra.hardware.profile.JsonCostProfiles;

/**
 * A processor in 64-bit mode at privilege level 0 with code and data mapped, outside VMX operation.
 *
 * <pre>
 *  linear      CODE  2 MiB at CODE_HPA, write and execute      DATA  2 MiB at DATA_HPA, the page after it is not mapped
 *  physical    0 unused   1000 PML4   2000 PDPT   3000 PD   200000 code   400000 data
 * </pre>
 */
public final class Bench {
    public static final long CODE = 0x400000;
    public static final long DATA = 0x2000_0000L;
    public static final long CODE_HPA = 0x200000;
    public static final long DATA_HPA = 0x400000;
    public static final long HANDLERS = CODE + 0x10000;
    public static final long STACK = DATA + 0x80000;
    private static final long IDT = DATA + 0x10000;
    private static final long GDT = DATA + 0x12000;
    private static final int PRESENT_WRITABLE_USER = 7;
    private static final int LARGE = 0x80;

    public final PhysicalMemory memory = new PhysicalMemory(16 << 20);
    public final RegisterFile registers = new RegisterFile();
    public final HostProcessor cpu;
    public final MemoryPort port;
    public final ExecutionEngine engine;

    public Bench() {
        this(new X86EngineFactory(), true);
    }

    /** @param modelled whether TLBs are modelled, or functional */
    public Bench(boolean modelled) {
        this(new X86EngineFactory(), modelled);
    }

    /** The same with an engine of {@code engines}. */
    public Bench(EngineFactory engines) {
        this(engines, true);
    }

    private Bench(EngineFactory engines, boolean modelled) {
        JsonCostProfiles profiles = new JsonCostProfiles();
        CostProfile profile = profiles.with(profiles.all().get(0), Map.of("tlb.model", modelled ? 1L : 0L));
        cpu = new LogicalProcessorFactory().create(profile, memory, registers, new NoPorts(), null);
        engine = engines.create(null);
        port = new MemoryPort(cpu, 0);
        engine.attach(cpu, port, 0);
        memory.store64(0x1000, 0x2000 | PRESENT_WRITABLE_USER);
        memory.store64(0x2000, 0x3000 | PRESENT_WRITABLE_USER);
        memory.store64(0x3000 + 8 * (CODE >>> 21), CODE_HPA | LARGE | PRESENT_WRITABLE_USER);
        memory.store64(0x3000 + 8 * (DATA >>> 21), DATA_HPA | LARGE | PRESENT_WRITABLE_USER);
        registers.paging = PagingState.longMode(0x1000);
        registers.segments.set(Segments.CS, 8, 0, 0xffff_ffffL, 0xa09b);
        registers.segments.set(Segments.SS, 0, 0, 0, Segments.UNUSABLE);
        registers.segments.set(Segments.DS, 0, 0, 0, Segments.UNUSABLE);
        registers.segments.set(Segments.ES, 0, 0, 0, Segments.UNUSABLE);
        registers.rip = CODE;
    }

    /** Puts {@code code} at {@code at} and lets it begin there. */
    public void code(long at, byte... code) {
        for (int i = 0; i < code.length; i++) {
            memory.store(at + i - CODE + CODE_HPA, 1, code[i]);
        }
        registers.rip = at;
    }

    /** Exceptions get handlers: vector v leads to HANDLERS + 16 v, where a loop stands; RSP is {@link #STACK}. */
    public void handlers() {
        registers.segments.idtBase = IDT;
        registers.segments.idtLimit = 0xfff;
        registers.segments.gdtBase = GDT;
        registers.segments.gdtLimit = 15;
        data(GDT + 8, 0x00af_9b00_0000_ffffL);
        for (int v = 0; v < 32; v++) {
            long at = HANDLERS + 16 * v;
            data(IDT + 16 * v, at & 0xffff | 8 << 16 | 0x8eL << 40 | at >>> 16 << 48);
            code(at, (byte) 0xeb, (byte) 0xfe);
        }
        registers.gpr[4] = STACK;
    }

    /** Puts {@code value} into the data that are mapped at {@code gva}. */
    public void data(long gva, long value) {
        memory.store64(gva - DATA + DATA_HPA, value);
    }

    /** The eight bytes at {@code gva}, an address of data. */
    public long data(long gva) {
        return memory.load64(gva - DATA + DATA_HPA);
    }

    /** Runs {@code count} instructions. */
    public void run(long count) {
        engine.run(count);
    }

    private static final class NoPorts implements IoPorts {
        @Override
        public void out(int port, int width, long value) {}

        @Override
        public boolean poweredOff() {
            return false;
        }

        @Override
        public int exitCode() {
            return 0;
        }
    }
}
