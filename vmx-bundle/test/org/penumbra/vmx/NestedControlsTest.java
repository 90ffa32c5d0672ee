package org.penumbra.vmx;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.penumbra.api.cpu.GuestOperation.Kind;
import org.penumbra.api.guest.GuestState;
import org.penumbra.api.machine.MachineConfig;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.vmx.ExitReason;
import org.penumbra.api.vmx.VmcsField;
import org.penumbra.api.vmx.VmcsRegion;
import org.penumbra.api.vmx.VmxControls;
import org.penumbra.ept.EptMmuFactory;

/**
 * What a guest hypervisor (L1) gets of the VM-execution controls that belong to its EPT tables (EPT12), beyond the tables: SDM vol. 3, "VM-Execution
 * Control Fields" of "Checks on VMX Controls", and the sections of the features.
 */
class NestedControlsTest {
    private static final long VMXON = 0x10_0000;
    private static final long VMCS = 0x10_1000;
    private static final long LOG = 0x11_0000;
    private static final long EPT = 0x20_0000;
    private static final long EPTP = EPT | 6 | 3 << 3 | 1 << 6;
    private static final PagingState STATE = PagingState.longMode(0x1000);
    /** L1's tables map 2 MiB pages, L2 has the same: what EPT12 maps below is by 4 KiB pages from 2 MiB on. */
    private static final long PAGES = 0x20_0000;

    private final GuestState l1 = new GuestState(null);
    private final GuestState l2 = new GuestState(null);
    private final TwoGuestsEngine engine = new TwoGuestsEngine(l1);

    private void control(VmcsField field, long value) {
        engine.vmwrite(l1, field, value);
    }

    private void read(VmcsField... fields) {
        for (VmcsField field : fields) {
            engine.vmx(l1, ExitReason.VMREAD, field.encoding(), 0);
        }
    }

    /** L1 enters L2 and, when that has exited, reads {@code fields}; all that was said so far is executed. */
    private void launch(VmcsField... fields) {
        engine.vmx(l1, ExitReason.VMLAUNCH, 0, 0);
        read(fields);
        run();
    }

    private void load(GuestState guest, long gpa) {
        engine.access(guest, Kind.LOAD, gpa, 0);
        engine.then(guest, Kind.LOAD, 0, cpu -> {
            engine.read.add(engine.port.value);
            return 0;
        });
    }

    private void store(long gpa, long value) {
        engine.access(l1, Kind.STORE, gpa, value);
    }

    /** L1 in VMX operation with EPT12: identity, of 4 KiB pages from {@link #PAGES} to 4 MiB, with 2 MiB below; {@code more} secondary controls. */
    private void setUp(long more) {
        engine.useVmcs12(l1, STATE, VMXON, VMCS);
        control(VmcsField.CPU_BASED_VM_EXEC_CONTROL, VmxControls.ACTIVATE_SECONDARY);
        control(VmcsField.SECONDARY_VM_EXEC_CONTROL, VmxControls.ENABLE_EPT | more);
        control(VmcsField.EPT_POINTER, EPTP);
        tables(EPT, 0x20_0000);
    }

    /** EPT12 at {@code top}, in which {@link #PAGES} leads to {@code to}. */
    private void tables(long top, long to) {
        store(top, top + 0x1000 | 7);
        store(top + 0x1000, top + 0x2000 | 7);
        store(top + 0x2000, 0xb7);
        store(top + 0x2008, top + 0x3000 | 7);
        for (int i = 0; i < 512; i += 1) {
            store(top + 0x3000 + 8L * i, to + 4096L * i | 7 | 6 << 3);
        }
    }

    private void vmcall() {
        engine.then(l2, Kind.VMCALL, 0, cpu -> cpu.vmcall());
    }

    private VirtualMachine run() {
        return run(false);
    }

    private VirtualMachine run(boolean logging) {
        Rig rig = new Rig();
        rig.design("ept", new EptMmuFactory());
        rig.image = loader -> {
            loader.store64(0x1000, 0x2063);
            loader.store64(0x2000, 0x3063);
            loader.store64(0x3000, 0xe3);
            loader.store64(0x3008, 0x20_00e3);
            loader.store64(VMXON, VmcsRegion.REVISION);
            loader.store64(VMCS, VmcsRegion.REVISION);
        };
        MachineConfig config = new MachineConfig(Rig.MEMORY, 1, Rig.SKYLAKE, "ept", Map.of(), false);
        VirtualMachine machine = rig.machine(config, l1, l2, VMCS, engine);
        if (logging) {
            machine.dirtyLog().start();
        }
        for (int n = 0; n < 50 && machine.run(1_000); n++) {
            // To the end of L1.
        }
        return machine;
    }

    @Test
    @DisplayName("N06 nested PML: L1 finds the pages that L2 wrote in its log, from 511 downwards, and the index counted down")
    void log() {
        setUp(VmxControls.ENABLE_PML);
        control(VmcsField.PML_ADDRESS, LOG);
        control(VmcsField.GUEST_PML_INDEX, 511);
        engine.access(l2, Kind.LOAD, PAGES + 0x10_0000, 0);
        engine.access(l2, Kind.STORE, PAGES + 0x10_1008, 1);
        engine.access(l2, Kind.STORE, PAGES + 0x10_1010, 1);
        engine.access(l2, Kind.STORE, PAGES + 0x10_2008, 1);
        vmcall();
        engine.vmx(l1, ExitReason.VMLAUNCH, 0, 0);
        read(VmcsField.VM_EXIT_REASON, VmcsField.GUEST_PML_INDEX);
        for (int i = 511; i >= 507; i--) {
            load(l1, LOG + 8L * i);
        }
        run();
        // The walk of L2's own tables counts as a write to the first 2 MiB.
        assertThat(engine.read).containsExactly((long) ExitReason.VMCALL.number(), 508L, STATE.cr3(), PAGES + 0x10_1000, PAGES + 0x10_2000, 0L, 0L);
    }

    @Test
    @DisplayName("N06 nested PML: with L1's log full the write of L2 is a PML_FULL exit to L1, and is made when L1 has emptied it")
    void full() {
        setUp(VmxControls.ENABLE_PML);
        control(VmcsField.PML_ADDRESS, LOG);
        control(VmcsField.GUEST_PML_INDEX, 1);
        engine.access(l2, Kind.STORE, PAGES + 0x10_1000, 7);
        engine.access(l2, Kind.STORE, PAGES + 0x10_2000, 8);
        vmcall();
        engine.vmx(l1, ExitReason.VMLAUNCH, 0, 0);
        read(VmcsField.VM_EXIT_REASON, VmcsField.EXIT_QUALIFICATION, VmcsField.GUEST_PML_INDEX);
        load(l1, PAGES + 0x10_2000);
        control(VmcsField.GUEST_PML_INDEX, 511);
        engine.vmx(l1, ExitReason.VMRESUME, 0, 0);
        read(VmcsField.VM_EXIT_REASON, VmcsField.GUEST_PML_INDEX);
        load(l1, PAGES + 0x10_2000);
        load(l1, LOG + 8 * 511);
        run();
        assertThat(engine.read).containsExactly((long) ExitReason.PML_FULL.number(), 0L, 0xffffL, 0L,
                (long) ExitReason.VMCALL.number(), 510L, 8L, PAGES + 0x10_2000);
    }

    @Test
    @DisplayName("N06 E06 the dirty log of L0 has what L2 writes whatever L1 logs, and L1's log itself")
    void logsOfBoth() {
        setUp(VmxControls.ENABLE_PML);
        control(VmcsField.PML_ADDRESS, LOG);
        control(VmcsField.GUEST_PML_INDEX, 511);
        engine.access(l2, Kind.STORE, PAGES + 0x10_1008, 1);
        vmcall();
        engine.vmx(l1, ExitReason.VMLAUNCH, 0, 0);
        read(VmcsField.GUEST_PML_INDEX);
        Set<Long> written = new HashSet<>();
        run(true).dirtyLog().harvest(written::add);
        assertThat(engine.read).containsExactly(509L);
        assertThat(written).as("what L2 wrote, and where L0 wrote L1's log").contains(PAGES + 0x10_1000 >>> 12, LOG >>> 12)
                .doesNotContain(PAGES + 0x10_2000 >>> 12);
    }

    @ParameterizedTest(name = "N06 VM entry with enable PML, enable EPT {0} and a log at 0x{1}: VM-instruction error {2}")
    @CsvSource({"true, 110000, 0", "false, 110000, 7", "true, 110008, 7", "true, 400000000000, 7"})
    void pmlChecks(boolean ept, String log, int error) {
        setUp(VmxControls.ENABLE_PML);
        if (!ept) {
            control(VmcsField.SECONDARY_VM_EXEC_CONTROL, VmxControls.ENABLE_PML);
        }
        control(VmcsField.PML_ADDRESS, Long.parseLong(log, 16));
        vmcall();
        launch(VmcsField.VM_INSTRUCTION_ERROR);
        assertThat(engine.read).containsExactly((long) error);
    }

    private static final long LIST = 0x12_0000;
    private static final long OTHER = 0x2f_0000;

    /** L1 with an EPTP list of its tables, of others in which {@link #PAGES} leads 1 MiB further, and of no tables. */
    private void setUpList(long more) {
        setUp(VmxControls.ENABLE_VM_FUNCTIONS | more);
        control(VmcsField.VM_FUNCTION_CONTROL, 1);
        control(VmcsField.EPTP_LIST_ADDRESS, LIST);
        store(LIST, EPTP);
        store(LIST + 8, OTHER | 6 | 3 << 3 | 1 << 6);
        store(LIST + 16, OTHER | 1);
        tables(OTHER, PAGES + 0x10_0000);
        store(PAGES + 0x8_0000, 11);
        store(PAGES + 0x18_0000, 22);
    }

    private void vmfunc(int function, long index) {
        engine.vmx(l2, ExitReason.VMFUNC, function, index);
    }

    @Test
    @DisplayName("N06 E11 VMFUNC of L2 switches among the EPT tables that L1 lists, without an exit to L1, and VMCS12 says which it has")
    void eptpSwitching() {
        setUpList(0);
        load(l2, PAGES + 0x8_0000);
        vmfunc(0, 1);
        load(l2, PAGES + 0x8_0000);
        vmfunc(0, 0);
        load(l2, PAGES + 0x8_0000);
        vmfunc(0, 1);
        vmcall();
        launch(VmcsField.VM_EXIT_REASON, VmcsField.EPT_POINTER);
        assertThat(engine.read).containsExactly(11L, 22L, 11L, (long) ExitReason.VMCALL.number(), OTHER | 6 | 3 << 3 | 1 << 6);
    }

    @ParameterizedTest(name = "N06 E11 VMFUNC of L2 with function {0} and index {1}, which L1 has not made possible, is an exit to L1")
    @CsvSource({"1, 0", "0, 512", "0, 2", "0, -1"})
    void refusedFunction(int function, long index) {
        setUpList(0);
        vmfunc(function, index);
        launch(VmcsField.VM_EXIT_REASON, VmcsField.EPT_POINTER);
        assertThat(engine.read).containsExactly((long) ExitReason.VMFUNC.number(), EPTP);
    }

    @Test
    @DisplayName("N06 E11 VMFUNC is #UD in L2 without enable VM functions of L1")
    void noFunctions() {
        setUp(0);
        vmfunc(0, 0);
        vmcall();
        launch(VmcsField.VM_EXIT_REASON);
        assertThat(engine.delivered).contains("6 0");
        assertThat(engine.read).containsExactly((long) ExitReason.VMCALL.number());
    }

    @ParameterizedTest(name = "N06 VM entry with VM functions {1}, list at 0x{2}, enable EPT {0}: VM-instruction error {3}")
    @CsvSource({"true, 1, 120000, 0", "true, 2, 120000, 7", "true, 1, 120008, 7", "true, 1, 400000000000, 7", "false, 1, 120000, 7", "false, 0, 1, 0"})
    void functionChecks(boolean ept, long functions, String list, int error) {
        setUpList(0);
        control(VmcsField.SECONDARY_VM_EXEC_CONTROL, VmxControls.ENABLE_VM_FUNCTIONS | (ept ? VmxControls.ENABLE_EPT : 0));
        control(VmcsField.VM_FUNCTION_CONTROL, functions);
        control(VmcsField.EPTP_LIST_ADDRESS, Long.parseLong(list, 16));
        vmcall();
        launch(VmcsField.VM_INSTRUCTION_ERROR);
        assertThat(engine.read).containsExactly((long) error);
    }

    private static final long AREA = 0x13_0000;
    private static final long MISSING = PAGES + 0x5_0000;

    /** L1 that has L2's EPT violations be #VE, but for entries with bit 63; {@link #MISSING} is not mapped. */
    private void setUpExceptions(long entry) {
        setUp(VmxControls.EPT_VIOLATION_VE);
        control(VmcsField.VE_INFORMATION_ADDRESS, AREA);
        control(VmcsField.EPTP_INDEX, 3);
        store(AREA, 0);
        store(EPT + 0x3000 + 8 * 0x50, entry);
    }

    @Test
    @DisplayName("N06 E12 what EPT12 refuses L2 is #VE to L2, with the area filled in, once until L2 clears bytes 4 to 7 of it")
    void virtualizationException() {
        setUpExceptions(0);
        engine.access(l2, Kind.LOAD, MISSING + 8, 0);
        engine.access(l2, Kind.LOAD, MISSING + 8, 0);
        engine.vmx(l1, ExitReason.VMLAUNCH, 0, 0);
        read(VmcsField.VM_EXIT_REASON);
        for (int i = 0; i < 5; i++) {
            load(l1, AREA + 8 * i);
        }
        run();
        assertThat(engine.delivered).containsExactly("20 0");
        assertThat(engine.read.get(0)).isEqualTo(ExitReason.EPT_VIOLATION.number());
        assertThat(engine.read.get(1)).isEqualTo(0xffff_ffffL << 32 | 48);
        assertThat(engine.read.get(2) & 0x1bf).isEqualTo(1 | 0x180);
        assertThat(engine.read.subList(3, 6)).containsExactly(MISSING + 8, MISSING + 8, 3L);
    }

    @Test
    @DisplayName("N06 E12 an entry of EPT12 with bit 63 suppresses #VE, and so does L1's interest in vector 20 in favour of an exit")
    void suppressed() {
        setUpExceptions(1L << 63);
        engine.access(l2, Kind.LOAD, MISSING, 0);
        engine.vmx(l1, ExitReason.VMLAUNCH, 0, 0);
        read(VmcsField.VM_EXIT_REASON);
        store(EPT + 0x3000 + 8 * 0x50, 0);
        control(VmcsField.EXCEPTION_BITMAP, 1 << 20);
        engine.vmx(l1, ExitReason.VMRESUME, 0, 0);
        read(VmcsField.VM_EXIT_REASON, VmcsField.VM_EXIT_INTR_INFO);
        run();
        assertThat(engine.delivered).isEmpty();
        assertThat(engine.read).containsExactly((long) ExitReason.EPT_VIOLATION.number(), (long) ExitReason.EXCEPTION_NMI.number(),
                1L << 31 | 3 << 8 | 20);
    }

    @ParameterizedTest(name = "N06 VM entry with EPT-violation #VE, enable EPT {0} and an area at 0x{1}: VM-instruction error {2}")
    @CsvSource({"true, 130000, 0", "true, 130040, 7", "true, 400000000000, 7", "false, 130000, 7"})
    void exceptionChecks(boolean ept, String area, int error) {
        setUpExceptions(0);
        control(VmcsField.SECONDARY_VM_EXEC_CONTROL, VmxControls.EPT_VIOLATION_VE | (ept ? VmxControls.ENABLE_EPT : 0));
        control(VmcsField.VE_INFORMATION_ADDRESS, Long.parseLong(area, 16));
        vmcall();
        launch(VmcsField.VM_INSTRUCTION_ERROR);
        assertThat(engine.read).containsExactly((long) error);
    }
}
