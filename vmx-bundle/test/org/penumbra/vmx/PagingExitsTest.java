package org.penumbra.vmx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.penumbra.api.paging.ControlBits.*;

import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.cpu.ExecutionEngine;
import org.penumbra.api.cpu.GuestOperation;
import org.penumbra.api.cpu.Msr;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.memory.GuestMemory;
import org.penumbra.api.mmu.ControlDemand;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.Pdptes;
import org.penumbra.api.vmx.Disposition;
import org.penumbra.api.vmx.ExitQualification;
import org.penumbra.api.vmx.ExitReason;
import org.penumbra.api.vmx.ExitRecord;
import org.penumbra.api.vmx.Vcpu;
import org.penumbra.api.vmx.VmExitHandler;
import org.penumbra.api.vmx.VmxProcessor;
import org.penumbra.vmx.apic.ApicRegisters;
import org.penumbra.vmx.exit.CpuidExit;
import org.penumbra.vmx.exit.CrAccessExit;
import org.penumbra.vmx.exit.InvpcidExit;
import org.penumbra.vmx.exit.MsrWriteExit;
import org.penumbra.vmx.exit.XsetbvExit;
import org.penumbra.vmx.memory.Fence;
import org.penumbra.vmx.memory.HostMemory;

/** Exits by which a guest changes its paging mode, handler by handler, around a vCPU that only notes what it is told. */
class PagingExitsTest {
    private static final long PAGED = CR0_PE | CR0_WP | CR0_PG;
    private static final long CR0_CD = 1L << 30;
    private static final PagingState PAE = new PagingState(PAGED, 0x1000, CR4_PAE, 0, 0, 0).withPdptes(new Pdptes(0x5001, 0, 0, 0));

    private final RegisterFile registers = new RegisterFile();
    private final GuestOperation operation = new GuestOperation();
    private final ScriptedMmu mmu = new ScriptedMmu();
    private final GuestMemory memory = new HostMemory(Rig.MEMORY, 1, false).view(new CycleClock(Rig.SKYLAKE), new Fence());
    private final List<String> told = new ArrayList<>();
    private ControlDemand demand = ControlDemand.NONE;
    private int linearAddressBits = 57;
    private boolean hasSvm;
    /** A processor whose CPUID answers 0. */
    private final VmxProcessor processor = (VmxProcessor) Proxy.newProxyInstance(
            PagingExitsTest.class.getClassLoader(), new Class<?>[] {VmxProcessor.class}, (proxy, method, arguments) -> {
                assertThat(method.getName()).isEqualTo("hostCpuid");
                Arrays.fill((int[]) arguments[2], 0);
                return null;
            });

    private final ExecutionEngine engine = (ExecutionEngine) Proxy.newProxyInstance(
            PagingExitsTest.class.getClassLoader(), new Class<?>[] {ExecutionEngine.class}, (proxy, method, arguments) -> {
                switch (method.getName()) {
                    case "operation":
                        return operation;
                    case "skip":
                        told.add("skip");
                        return null;
                    default:
                        throw new UnsupportedOperationException(method.getName());
                }
            });

    private final Vcpu vcpu = (Vcpu) Proxy.newProxyInstance(
            PagingExitsTest.class.getClassLoader(), new Class<?>[] {Vcpu.class}, (proxy, method, arguments) -> {
                switch (method.getName()) {
                    case "registers":
                        return registers;
                    case "engine":
                        return engine;
                    case "mmu":
                        return mmu;
                    case "guestMemory":
                        return memory;
                    case "controlDemand":
                        return demand;
                    case "localApic":
                        return new ApicRegisters(0, null, null, 46);
                    case "physicalAddressBits":
                        return 46;
                    case "linearAddressBits":
                        return linearAddressBits;
                    case "hasSvm":
                        return hasSvm;
                    case "nests":
                        return true;
                    case "processor":
                        return processor;
                    case "hostSaveArea":
                        told.add("VM_HSAVE_PA");
                        return true;
                    case "injectGeneralProtection":
                        told.add("#GP");
                        return null;
                    case "controlled":
                        return arguments[1];
                    case "loadPaging":
                        registers.paging = (PagingState) arguments[0];
                        told.add((boolean) arguments[1] ? "load keep" : "load");
                        return null;
                    default:
                        throw new UnsupportedOperationException(method.getName());
                }
            });

    /** What {@code handler} did about an exit for {@code reason}. */
    private List<String> handle(VmExitHandler handler, ExitReason reason, long qualification) {
        ExitRecord exit = new ExitRecord();
        exit.start(reason, qualification);
        told.clear();
        assertThat(handler.handle(vcpu, exit)).isEqualTo(Disposition.RESUME);
        return told;
    }

    private List<String> movToCr(int cr, long value) {
        operation.value = value;
        return handle(new CrAccessExit(), ExitReason.CR_ACCESS, ExitQualification.movToCr(cr));
    }

    private List<String> wrmsr(int msr, long value) {
        operation.msr = msr;
        operation.value = value;
        return handle(new MsrWriteExit(), ExitReason.MSR_WRITE, 0);
    }

    private List<String> xsetbv(int register, long value) {
        operation.function = register;
        operation.value = value;
        return handle(new XsetbvExit(), ExitReason.XSETBV, 0);
    }

    @Test
    @DisplayName("V06 XSETBV takes what CPUID tells of, and PKRU state only where the MMU can serve protection keys")
    void extendedControlRegister() {
        assertThat(xsetbv(0, 0x207)).containsExactly("skip");
        assertThat(registers.system.xcr0).isEqualTo(0x207);
        assertThat(xsetbv(1, 7)).containsExactly("#GP");
        assertThat(xsetbv(0, 5)).containsExactly("#GP");
        demand = new ControlDemand(true, true, true, 0, 0, 0, 0, 0, CR4_PKE);
        assertThat(xsetbv(0, 0x207)).containsExactly("#GP");
        assertThat(xsetbv(0, 7)).containsExactly("skip");
        assertThat(registers.system.xcr0).isEqualTo(7);
    }

    private List<String> invpcid(int type, long pcid, long gva) {
        operation.function = type;
        operation.value = pcid;
        operation.gva = gva;
        mmu.calls.clear();
        return handle(new InvpcidExit(), ExitReason.INVPCID, 0);
    }

    private void pdptesAt(long gpa, long first) {
        memory.store(gpa, 8, first);
        memory.store(gpa + 8, 8, 0);
        memory.store(gpa + 16, 8, 0x7001);
        memory.store(gpa + 24, 8, 0);
    }

    @Test
    @DisplayName("T03 MOV to CR3 under PAE paging loads the PDPTE registers from a table aligned to 32 bytes")
    void cr3() {
        registers.paging = PAE;
        pdptesAt(0x2020, 0x6001);
        assertThat(movToCr(3, 0x2020)).containsExactly("load", "skip");
        assertThat(registers.paging.pdptes()).isEqualTo(new Pdptes(0x6001, 0, 0x7001, 0));
        assertThat(registers.paging.cr3()).isEqualTo(0x2020);
        registers.paging = PagingState.longMode(0x1000);
        movToCr(3, 0x2000);
        assertThat(registers.paging.pdptes()).as("4-level paging").isEqualTo(Pdptes.NONE);
    }

    @ParameterizedTest(name = "PDPTE 0x{0}: {1}")
    @DisplayName("T03 a PDPTE that is present and has a reserved bit set is #GP(0), and nothing is loaded")
    @CsvSource({"6003, #GP", "6021, #GP", "6041, #GP", "6081, #GP", "400000006001, #GP", "8000000000006001, #GP", "6002, load", "6e19, load"})
    void badPdpte(String pdpte, String outcome) {
        registers.paging = PAE;
        pdptesAt(0x2000, Long.parseUnsignedLong(pdpte, 16));
        assertThat(movToCr(3, 0x2000)).contains(outcome);
        assertThat(registers.paging.equals(PAE)).isEqualTo(outcome.equals("#GP"));
    }

    @Test
    @DisplayName("T03 PDPTEs where there is no memory read as ones, which must not be loaded")
    void pdptesOutside() {
        registers.paging = PAE;
        assertThat(movToCr(3, 0x8000_0000L)).containsExactly("#GP");
    }

    @Test
    @DisplayName("T03 MOV to CR0 and CR4 load the PDPTE registers when PG, CD, PAE or PSE change, and not for other bits")
    void cr0AndCr4() {
        pdptesAt(0x1000, 0x6001);
        registers.paging = PAE.withCr0(CR0_PE);
        assertThat(movToCr(0, PAGED)).containsExactly("load", "skip");
        assertThat(registers.paging.mode()).isEqualTo(PagingMode.PAE);
        assertThat(registers.paging.pdptes().pdpte0()).isEqualTo(0x6001);
        registers.paging = PAE.withCr4(0);
        movToCr(4, CR4_PAE);
        assertThat(registers.paging.pdptes().pdpte0()).as("PAE").isEqualTo(0x6001);
        registers.paging = PAE;
        movToCr(4, CR4_PAE | CR4_PSE);
        assertThat(registers.paging.pdptes().pdpte0()).as("PSE").isEqualTo(0x6001);
        registers.paging = PAE;
        movToCr(0, PAGED | CR0_CD);
        assertThat(registers.paging.pdptes().pdpte0()).as("CD").isEqualTo(0x6001);
        registers.paging = PAE;
        movToCr(0, PAGED & ~CR0_WP);
        movToCr(4, CR4_PAE | CR4_SMAP);
        assertThat(registers.paging.pdptes().pdpte0()).as("WP and SMAP").isEqualTo(0x5001);
        pdptesAt(0x1000, 0x6003);
        assertThat(movToCr(4, CR4_PAE)).as("SMAP alone").containsExactly("load", "skip");
        assertThat(movToCr(4, CR4_PAE | CR4_PGE)).containsExactly("#GP");
    }

    @Test
    @DisplayName("T05 a MOV to CR4 that sets LA57 exits to #GP(0) on a processor with 48 linear-address bits")
    void withoutLa57() {
        registers.paging = new PagingState(CR0_PE, 0x1000, CR4_PAE, 0, 0, 0);
        linearAddressBits = 48;
        assertThat(movToCr(4, CR4_PAE | CR4_LA57)).containsExactly("#GP");
        linearAddressBits = 57;
        assertThat(movToCr(4, CR4_PAE | CR4_LA57)).containsExactly("load", "skip");
    }

    @Test
    @DisplayName("T05 the way into IA-32e mode: EFER.LME, then CR0.PG sets LMA; the way back clears it")
    void longMode() {
        registers.paging = new PagingState(CR0_PE, 0x1000, CR4_PAE | CR4_LA57, 0, 0, 0);
        assertThat(wrmsr(Msr.IA32_EFER, EFER_LME | EFER_LMA | EFER_NXE)).containsExactly("load keep", "skip");
        assertThat(registers.paging.efer()).as("LMA is not software's").isEqualTo(EFER_LME | EFER_NXE);
        movToCr(0, PAGED);
        assertThat(registers.paging.mode()).isEqualTo(PagingMode.FIVE_LEVEL);
        assertThat(wrmsr(Msr.IA32_EFER, EFER_NXE)).as("LME while paging is on").containsExactly("#GP");
        assertThat(wrmsr(Msr.IA32_EFER, EFER_LME)).containsExactly("load keep", "skip");
        assertThat(registers.paging.efer()).as("LMA stays").isEqualTo(EFER_LME | EFER_LMA);
        movToCr(0, CR0_PE);
        assertThat(registers.paging.efer()).isEqualTo(EFER_LME);
        assertThat(wrmsr(Msr.IA32_EFER, 1L << 1)).as("a reserved bit").containsExactly("#GP");
    }

    @Test
    @DisplayName("V13 EFER.SVME, VM_HSAVE_PA and CPUID's SVM are there for a guest that finds SVM, and for no other")
    void svm() {
        registers.paging = PagingState.longMode(0x1000);
        long efer = registers.paging.efer() | EFER_SVME;
        assertThat(wrmsr(Msr.IA32_EFER, efer)).containsExactly("#GP");
        assertThat(wrmsr(Msr.VM_HSAVE_PA, 0x5000)).containsExactly("#GP");
        assertThat(cpuid(0x8000_0001, RegisterFile.RCX) & 1 << 2).isZero();
        hasSvm = true;
        assertThat(wrmsr(Msr.IA32_EFER, efer)).containsExactly("load keep", "skip");
        assertThat(registers.paging.efer()).isEqualTo(efer);
        assertThat(wrmsr(Msr.VM_HSAVE_PA, 0x5000)).containsExactly("VM_HSAVE_PA", "skip");
        assertThat(cpuid(0x8000_0000, RegisterFile.RAX)).isEqualTo(0x8000_000aL);
        assertThat(cpuid(0x8000_0001, RegisterFile.RCX) & 1 << 2).as("SVM").isNotZero();
        assertThat(cpuid(0x8000_000a, RegisterFile.RDX)).as("NP, FlushByAsid").isEqualTo(1 | 1 << 6);
    }

    private long cpuid(int leaf, int register) {
        registers.gpr[RegisterFile.RAX] = leaf & 0xffff_ffffL;
        handle(new CpuidExit(), ExitReason.CPUID, 0);
        return registers.gpr[register];
    }

    @Test
    @DisplayName("T06 WRMSR of IA32_PKRS loads 32 bits, and is #GP for more, for a guest without keys, and for other MSRs")
    void pkrs() {
        registers.paging = PagingState.longMode(0x1000);
        assertThat(wrmsr(Msr.IA32_PKRS, 0xffff_fffcL)).containsExactly("load keep", "skip");
        assertThat(registers.paging.pkrs()).isEqualTo(0xffff_fffc);
        assertThat(wrmsr(Msr.IA32_PKRS, 1L << 32)).containsExactly("#GP");
        assertThat(wrmsr(0x49, 0)).containsExactly("#GP");
        demand = new ControlDemand(true, true, true, 0, 0, 0, 0, 0, CR4_PKE | CR4_PKS);
        assertThat(wrmsr(Msr.IA32_PKRS, 0)).containsExactly("#GP");
    }

    @Test
    @DisplayName("V04 INVPCID of each type is done by the MMU and not repeated")
    void invpcidTypes() {
        registers.paging = PagingState.longMode(0x1000).withCr4(CR4_PAE | CR4_PCIDE);
        for (int type = 0; type <= 3; type++) {
            assertThat(invpcid(type, 7, 0x5000)).containsExactly("skip");
            assertThat(mmu.calls).containsExactly("invalidate type " + type + " pcid 7 5000");
        }
    }

    @ParameterizedTest(name = "type {0}, descriptor {1} {2}, CR4.PCIDE {3}: {4}")
    @DisplayName("V04 INVPCID is #GP(0) for an unknown type, reserved bits, a PCID without CR4.PCIDE, an address that is not canonical")
    @CsvSource({
        "4, 0, 0, 1, #GP", "-1, 0, 0, 1, #GP", "2, 4096, 0, 1, #GP", "0, 1, 0, 0, #GP", "1, 1, 0, 0, #GP", "2, 1, 0, 0, skip",
        "0, 0, 140737488355328, 1, #GP", "1, 0, 140737488355328, 1, skip", "0, 0, -140737488355328, 1, skip",
    })
    void invpcidRefused(int type, long pcid, long gva, int pcide, String outcome) {
        registers.paging = PagingState.longMode(0x1000).withCr4(CR4_PAE | (pcide == 1 ? CR4_PCIDE : 0));
        assertThat(invpcid(type, pcid, gva)).containsExactly(outcome);
        assertThat(mmu.calls.isEmpty()).isEqualTo(outcome.equals("#GP"));
    }
}
