package org.penumbra.cpu.execute;

import java.util.function.LongUnaryOperator;
import org.penumbra.api.cpu.ExecutionEngine.Stop;
import org.penumbra.api.cpu.GuestOperation;
import org.penumbra.api.cpu.GuestOperation.Kind;
import org.penumbra.api.cpu.Processor;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.cpu.Segments;
import org.penumbra.api.cpu.SystemRegisters;
import org.penumbra.api.observe.TranslationObserver;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.PagingState;
import org.penumbra.cpu.decode.Insn;
import org.penumbra.cpu.table.Op;

/**
 * System instructions. Whatever the processor may refuse, or exit at, goes through its operations; what remains to be done afterwards is the
 * {@link Core#completion}, executed here or, after an exit, when a handler has done the operation's work. Long, since there are many and each is short.
 */
final class SystemOps {
    private static final long DR6_BD = 1 << 13;
    private static final long CR0_TS = 1 << 3;
    private static final long CR4_TSD = 1 << 2;
    private static final long CR4_FSGSBASE = 1 << 16;
    private static final long CR4_OSXSAVE = 1 << 18;
    private static final long ALL = 0xffff_ffffL;
    private static final LongUnaryOperator NOTHING = v -> 1;

    private final Core core;
    private final Processor cpu;
    private final RegisterFile registers;
    private final Segments segments;
    private final SystemRegisters system;
    private final long[] gpr;
    private final Flags flags;
    private final SegmentLoader loader;
    private final Transfers transfers;
    private final Events events;
    private final FastCalls fastCalls;
    private final DescriptorOps descriptors;
    private final GuestOperation operation;
    private final TranslationObserver observer;
    private final int vcpu;
    /** What is the same for all instructions of a kind is made once. */
    private final LongUnaryOperator pageInvalidated = this::pageInvalidated;
    private final LongUnaryOperator rootLoaded = this::rootLoaded;
    private final LongUnaryOperator pagingLoaded = this::loaded;
    /** The paging state that the observer heard of last. */
    private PagingState told;

    SystemOps(Core core, SegmentLoader loader, Events events, int vcpu) {
        this.core = core;
        this.cpu = core.cpu;
        this.registers = core.registers;
        this.segments = core.segments;
        this.system = registers.system;
        this.gpr = core.gpr;
        this.flags = core.flags;
        this.loader = loader;
        this.events = events;
        this.fastCalls = new FastCalls(core);
        this.descriptors = new DescriptorOps(core, loader);
        this.transfers = new Transfers(core, loader, events);
        this.operation = core.memory.operation;
        this.observer = cpu.observer();
        this.vcpu = vcpu;
        core.pagingChanged = () -> loaded(0);
    }

    void execute(Insn i) {
        if (i.entry != null) {
            if (i.entry.has("pm") && core.realSegments) {
                throw core.ud();
            }
            if (registers.cpl != 0 && i.entry.has("priv")) {
                throw core.gp0();
            }
        }
        switch (i.op) {
            case UNDEFINED:
                throw core.ud();
            case TOO_LONG:
                throw core.gp0();
            case JMP_FAR:
                transfers.jump(i);
                break;
            case CALL_FAR:
                transfers.call(i);
                break;
            case RET_FAR:
                transfers.ret(i);
                break;
            case IRET:
                transfers.iret(i);
                break;
            case INT:
                core.requireVirtualIopl();
                interrupt((int) i.imm & 0xff);
                break;
            case INT3:
                interrupt(Core.BP);
                break;
            case INTO:
                if (flags.of()) {
                    interrupt(Core.OFLOW);
                }
                break;
            case INT1:
                debugTrap();
                break;
            case SYSCALL:
            case SYSRET:
            case SYSENTER:
            case SYSEXIT:
                fastCalls.execute(i);
                break;
            default:
                registersOf(i);
        }
    }

    /** These clear TF before the trap would come (SDM vol. 3, "Single-Step Exception Condition"). */
    private void interrupt(int vector) {
        events.deliver(vector, false, 0, core.next, true);
        core.steps = false;
    }

    /** INT1 is a debug exception: what MOV SS has held back comes with it, but for the single step. */
    private void debugTrap() {
        events.deliver(Core.DB, false, 0, core.next, false);
        core.steps = false;
        core.breakpoints.report(system.pendingDebug & ~Breakpoints.BS);
        system.pendingDebug = 0;
        system.debug[7] &= ~Breakpoints.GD;
    }

    private void registersOf(Insn i) {
        switch (i.op) {
            case MOV_FROM_SEG:
                core.put(i, segments.selector[i.br]);
                break;
            case MOV_TO_SEG:
                loadSegment(i, (int) core.b(i) & 0xffff);
                break;
            case PUSH_SEG:
                core.push(segments.selector[i.ar], i.size);
                break;
            case POP_SEG:
                loadSegment(i, (int) core.peek(0, i.size) & 0xffff);
                core.drop(i.size);
                break;
            case LES:
                loadPointer(i, Segments.ES);
                break;
            case LDS:
                loadPointer(i, Segments.DS);
                break;
            case LSS:
                loadPointer(i, Segments.SS);
                break;
            case LFS:
                loadPointer(i, Segments.FS);
                break;
            case LGS:
                loadPointer(i, Segments.GS);
                break;
            case SWAPGS:
                long gs = segments.base[Segments.GS];
                segments.base[Segments.GS] = system.kernelGsBase;
                system.kernelGsBase = gs;
                break;
            case RDFSBASE:
            case RDGSBASE:
                requireFsgsbase();
                core.put(i, segments.base[i.op == Op.RDFSBASE ? Segments.FS : Segments.GS]);
                break;
            case WRFSBASE:
            case WRGSBASE:
                requireFsgsbase();
                long base = core.a(i);
                if (!registers.paging.mode().holds(base)) {
                    throw core.gp0();
                }
                segments.base[i.op == Op.WRFSBASE ? Segments.FS : Segments.GS] = base;
                break;
            case SGDT:
            case SIDT:
            case LGDT:
            case LIDT:
            case SLDT:
            case STR:
            case LLDT:
            case LTR:
            case SMSW:
            case VERR:
            case VERW:
            case LAR:
            case LSL:
            case ARPL:
                descriptors.execute(i);
                break;
            default:
                privileged(i);
        }
    }

    private void loadSegment(Insn i, int selector) {
        int segment = i.ar;
        loader.load(segment, selector);
        if (segment == Segments.SS) {
            system.interruptShadow = true;
        }
    }

    private void loadPointer(Insn i, int segment) {
        int size = i.size;
        long at = core.linear(i, size + 2, false);
        long offset = core.memory.load(at, size, core.reading);
        loader.load(segment, (int) core.memory.load(at + size, 2, core.reading));
        core.write(i.ar, size, offset);
    }

    private void requireXsave() {
        if (!registers.paging.has4(CR4_OSXSAVE)) {
            throw core.ud();
        }
    }

    private void requireFsgsbase() {
        if (!registers.paging.has4(CR4_FSGSBASE)) {
            throw core.ud();
        }
    }

    /** Does what follows {@code outcome} of the processor's operation; not yet if that has exited. */
    private void finish(int outcome, LongUnaryOperator rest) {
        core.completion = rest;
        core.require(outcome);
        core.completion = null;
        rest.applyAsLong(cpu.result());
    }

    private void privileged(Insn i) {
        switch (i.op) {
            case MOV_FROM_CR:
                fromControl(i);
                break;
            case MOV_TO_CR:
                toControl(i);
                break;
            case LMSW:
                long word = core.a(i) & 15 | registers.paging.cr0() & 1;
                toCr0(registers.paging.cr0() & ~15L | word);
                break;
            case CLTS:
                toCr0(registers.paging.cr0() & ~CR0_TS);
                break;
            case MOV_FROM_DR:
                core.put(i, system.debug[debugRegister(i.br)]);
                break;
            case MOV_TO_DR:
                toDebug(debugRegister(i.ar), core.b(i));
                break;
            case INVLPG:
                operation.kind = Kind.INVLPG;
                long gva = core.in64 && i.segment < Segments.FS ? core.offset(i) : core.offset(i) + segments.base[i.segment];
                operation.gva = core.in64 ? gva : gva & ALL;
                finish(cpu.invlpg(operation.gva), pageInvalidated);
                break;
            case INVPCID:
                invpcid(i);
                break;
            case HLT:
                operation.kind = Kind.HLT;
                finish(cpu.hlt(), NOTHING);
                core.stop = Stop.HALTED;
                break;
            case CPUID:
                operation.kind = Kind.CPUID;
                finish(cpu.cpuid(), NOTHING);
                break;
            case VMCALL:
                operation.kind = Kind.VMCALL;
                finish(cpu.vmcall(), NOTHING);
                break;
            case INVD:
            case WBINVD:
                break;
            case CLAC:
                flags.write(0, Flags.AC);
                core.refresh();
                break;
            case STAC:
                flags.write(Flags.AC, Flags.AC);
                core.refresh();
                break;
            default:
                inputOutput(i);
        }
    }

    private void inputOutput(Insn i) {
        switch (i.op) {
            case IN:
                operation.kind = Kind.IN;
                operation.port = i.bk == Insn.IMM ? (int) i.imm & 0xff : (int) gpr[2] & 0xffff;
                operation.width = i.aw;
                finish(core.ports.in(operation.port, i.aw), v -> {
                    core.put(i, v);
                    return 1;
                });
                break;
            case OUT:
                operation.kind = Kind.OUT;
                operation.port = i.ak == Insn.IMM ? (int) i.imm & 0xff : (int) gpr[2] & 0xffff;
                operation.width = i.bw;
                operation.value = core.read(0, i.bw);
                finish(core.ports.out(operation.port, i.bw, operation.value), NOTHING);
                core.stop = Stop.BUDGET;
                break;
            case RDMSR:
                operation.kind = Kind.RDMSR;
                operation.msr = (int) gpr[1];
                core.settleTime();
                finish(cpu.rdmsr(operation.msr), NOTHING);
                break;
            case WRMSR:
                operation.kind = Kind.WRMSR;
                operation.msr = (int) gpr[1];
                operation.value = gpr[2] << 32 | gpr[0] & ALL;
                core.settleTime();
                finish(cpu.wrmsr(operation.msr, operation.value), pagingLoaded);
                break;
            case RDTSC:
            case RDTSCP:
                if (registers.paging.has4(CR4_TSD) && registers.cpl > 0) {
                    throw core.gp0();
                }
                long tsc = core.now() + system.tscOffset;
                gpr[0] = tsc & ALL;
                gpr[2] = tsc >>> 32;
                if (i.op == Op.RDTSCP) {
                    gpr[1] = system.tscAux & ALL;
                }
                break;
            case RDPMC:
                // No counter is there whose number ECX could be (CPUID leaf 0AH; SDM vol. 2, "RDPMC—Read Performance-Monitoring Counters").
                throw core.gp0();
            case XGETBV:
                requireXsave();
                if ((gpr[1] & ALL) != 0) {
                    throw core.gp0();
                }
                gpr[0] = system.xcr0 & ALL;
                gpr[2] = system.xcr0 >>> 32;
                break;
            case XSETBV:
                requireXsave();
                operation.kind = Kind.XSETBV;
                operation.function = (int) gpr[1];
                operation.value = gpr[2] << 32 | gpr[0] & ALL;
                finish(cpu.xsetbv(operation.function, operation.value), NOTHING);
                break;
            case RDPKRU:
            case WRPKRU:
                protectionKeys(i.op == Op.WRPKRU);
                break;
            default:
                throw new IllegalStateException("no " + i.op + " here");
        }
    }

    private void protectionKeys(boolean write) {
        if (!registers.paging.has4(ControlBits.CR4_PKE)) {
            throw core.ud();
        }
        if ((gpr[1] & ALL) != 0 || write && (gpr[2] & ALL) != 0) {
            throw core.gp0();
        }
        if (write) {
            finish(cpu.wrpkru((int) gpr[0]), pagingLoaded);
        } else {
            gpr[0] = registers.paging.pkru() & ALL;
            gpr[2] = 0;
        }
    }

    private void invpcid(Insn i) {
        long at = core.linear(i, 16, false);
        long pcid = core.memory.load(at, 8, core.reading);
        long gva = core.memory.load(at + 8, 8, core.reading);
        int type = (int) Math.min(core.a(i) & Long.MAX_VALUE, 99);
        operation.kind = Kind.INVPCID;
        operation.value = pcid;
        operation.gva = gva;
        operation.function = type;
        finish(cpu.invpcid(type, pcid, gva), v -> {
            if (observer != null) {
                observer.invalidatedPcid(vcpu, type, (int) pcid, gva);
            }
            return 1;
        });
    }

    private void fromControl(Insn i) {
        switch (i.br) {
            case 0:
                core.put(i, registers.paging.cr0());
                break;
            case 2:
                core.put(i, registers.cr2);
                break;
            case 3:
                operation.kind = Kind.MOV_FROM_CR3;
                finish(cpu.movFromCr3(), v -> {
                    core.put(i, v);
                    return 1;
                });
                break;
            case 4:
                core.put(i, registers.paging.cr4());
                break;
            case 8:
                operation.kind = Kind.MOV_FROM_CR8;
                finish(cpu.movFromCr8(), v -> {
                    core.put(i, v);
                    return 1;
                });
                break;
            default:
                throw core.ud();
        }
    }

    private void toControl(Insn i) {
        long value = core.b(i);
        switch (i.ar) {
            case 0:
                toCr0(value);
                break;
            case 2:
                registers.cr2 = value;
                break;
            case 3:
                operation.kind = Kind.MOV_TO_CR3;
                operation.value = value;
                finish(cpu.movToCr3(value), rootLoaded);
                break;
            case 4:
                operation.kind = Kind.MOV_TO_CR4;
                operation.value = value;
                finish(cpu.movToCr4(value), pagingLoaded);
                break;
            case 8:
                operation.kind = Kind.MOV_TO_CR8;
                operation.value = value;
                finish(cpu.movToCr8(value), NOTHING);
                break;
            default:
                throw core.ud();
        }
        core.refresh();
    }

    private void toCr0(long value) {
        operation.kind = Kind.MOV_TO_CR0;
        // ET is fixed to 1 (SDM vol. 3, "Control Registers").
        operation.value = value | 16;
        finish(cpu.movToCr0(operation.value), pagingLoaded);
        core.refresh();
    }

    private long pageInvalidated(long ignored) {
        if (observer != null) {
            observer.invalidatedPage(vcpu, operation.gva);
        }
        return 1;
    }

    private long rootLoaded(long ignored) {
        boolean keep = (operation.value & ControlBits.CR3_NO_FLUSH) != 0 && registers.paging.has4(ControlBits.CR4_PCIDE);
        if (observer != null) {
            observer.loaded(vcpu, registers.paging, keep);
        }
        return 1;
    }

    /** The paging state may have changed; the observer hears of it once. */
    private long loaded(long ignored) {
        if (observer != null && !registers.paging.equals(told)) {
            told = registers.paging;
            observer.loaded(vcpu, told, false);
        }
        core.refresh();
        return 1;
    }

    /** SDM vol. 3, "Debug Registers DR4 and DR5" and "Debug Control Register (DR7)", general detect. */
    private int debugRegister(int number) {
        boolean alias = number == 4 || number == 5;
        if (number > 7 || alias && registers.paging.has4(Breakpoints.CR4_DE)) {
            throw core.ud();
        }
        if ((system.debug[7] & Breakpoints.GD) != 0) {
            core.breakpoints.report(DR6_BD);
            throw core.fault(Core.DB, 0);
        }
        return number == 4 || number == 5 ? number + 2 : number;
    }

    private void toDebug(int number, long value) {
        if (number > 3 && value >>> 32 != 0) {
            throw core.gp0();
        }
        core.changed = true;
        system.debug[number] = number == 6 ? value & 0xe00f | 0xffff_0ff0L : number == 7 ? value & ~0xd000L | 0x400 : value;
    }
}
