package org.penumbra.hardware.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.penumbra.api.cpu.FirstLevelTlb;
import org.penumbra.api.cpu.Processor;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.device.IoPorts;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.Pdptes;
import org.penumbra.api.svm.Vmcb;
import org.penumbra.api.vmx.Vmcs;

/**
 * A processor, memory, and page tables built by hand. Bits are written out here and not taken from the hardware's own tables, so
 * that a wrong bit there does not go unnoticed.
 */
final class Rig {
    static final long P = 1;
    static final long W = 2;
    static final long U = 4;
    static final long A = 0x20;
    static final long D = 0x40;
    static final long PS = 0x80;
    static final long G = 0x100;
    static final long XD = 1L << 63;
    static final long ADDRESS = 0x000f_ffff_ffff_f000L;

    static final long EPT_RWX = 7;
    static final long EPT_WB = 6 << 3;
    static final long EPT_PAGE = 0x80;

    static final int SR = Access.READ;
    static final int SW = Access.WRITE;
    static final int SF = Access.FETCH;
    static final int UR = Access.USER | Access.READ;
    static final int UW = Access.USER | Access.WRITE;
    static final int UF = Access.USER | Access.FETCH;
    static final int AR = Access.AC | Access.READ;
    static final int AW = Access.AC | Access.WRITE;

    /** What went to a port: port, width, value. */
    final List<String> put = new ArrayList<>();
    final PhysicalMemory memory;
    final RegisterFile registers = new RegisterFile();
    final LogicalProcessor cpu;
    final Vmcs vmcs = new Vmcs();
    final Vmcb vmcb = new Vmcb();
    /** Of the tables that {@link #put} writes. */
    Layout layout = Layout.FOUR_LEVEL;
    /** Of the nested tables. */
    Layout host;
    private long nextFrame = 0x10_0000;
    private int eptLevels = 4;

    Rig(TestProfile profile) {
        this(profile, new PhysicalMemory(1L << 32));
    }

    /** A processor beside others on the same memory. */
    Rig(TestProfile profile, PhysicalMemory memory) {
        this.memory = memory;
        IoPorts ports = new IoPorts() {
            @Override
            public void out(int port, int width, long value) {
                put.add(port + " " + width + " " + value);
            }

            @Override
            public boolean poweredOff() {
                return false;
            }

            @Override
            public int exitCode() {
                return 0;
            }
        };
        cpu = new LogicalProcessor(profile, memory, registers, ports, null);
    }

    Rig() {
        this(new TestProfile());
    }

    /** A cleared frame. */
    long frame() {
        nextFrame += 0x1000;
        return nextFrame;
    }

    /** Long mode on a fresh root, which is the answer. */
    long longMode() {
        long root = frame();
        registers.paging = PagingState.longMode(root);
        return root;
    }

    /** Adds bits to CR0. */
    void cr0(long set, long clear) {
        PagingState s = registers.paging;
        registers.paging = s.withCr0(s.cr0() & ~clear | set);
    }

    void cr4(long set) {
        PagingState s = registers.paging;
        registers.paging = s.withCr4(s.cr4() | set);
    }

    /** Paging with fresh, empty tables of {@code mode}; the root is the answer. PDPTE registers hold nothing yet. */
    long paging(Layout mode) {
        long root = frame();
        layout = mode;
        registers.paging = mode.state(root);
        return root;
    }

    /** The PDPTE registers as memory has them now. */
    void pdptes() {
        long table = registers.paging.cr3() & 0xffff_ffe0L;
        registers.paging = registers.paging.withPdptes(
                new Pdptes(memory.load64(table), memory.load64(table + 8), memory.load64(table + 16), memory.load64(table + 24)));
    }

    void efer(long value) {
        registers.paging = registers.paging.withEfer(value);
    }

    void keys(int pkru, int pkrs) {
        registers.paging = registers.paging.withPkru(pkru).withPkrs(pkrs);
    }

    /** Where the entry of {@code level} for {@code gva} is in physical memory, tables on the way made with P, W and U. */
    long slot(long root, long gva, int level) {
        long table = root;
        for (int l = 4; ; l--) {
            long slot = table + (gva >>> 12 + 9 * (l - 1) & 511) * 8;
            if (l == level) {
                return slot;
            }
            if (memory.load64(slot) == 0) {
                memory.store64(slot, frame() | P | W | U);
            }
            table = memory.load64(slot) & ADDRESS;
        }
    }

    /** Writes the entry of {@code level} for {@code address} in tables of the current layout. */
    void put(long root, long address, int level, long entry) {
        memory.store(place(root, address, level), layout.bytes, entry);
    }

    long get(long root, long address, int level) {
        return memory.load(place(root, address, level), layout.bytes);
    }

    /** Where the entry of {@code level} for {@code address} is in tables of the current layout. */
    long place(long root, long address, int level) {
        return layout.slot(memory, this::frame, root, address, level);
    }

    /** Maps a 4 KiB page. {@code bits} are those of the entry besides the address. */
    void map(long root, long gva, long to, long bits) {
        memory.store64(slot(root, gva, 1), to | bits);
    }

    /** Maps a page of {@code level} (2: 2 MiB, 3: 1 GiB). */
    void mapLarge(long root, long gva, long to, long bits, int level) {
        memory.store64(slot(root, gva, level), to | bits | PS);
    }

    long entry(long root, long gva, int level) {
        return memory.load64(slot(root, gva, level));
    }

    /** One access as an engine makes it: first-level TLB, then the processor. */
    long use(long gva, int access) {
        FirstLevelTlb tlb = Access.isFetch(access) ? cpu.instructionTlb() : cpu.dataTlb();
        long hpa = tlb.lookup(gva, access);
        return hpa >= 0 ? hpa : cpu.translate(gva, access);
    }

    /** Expects #PF of this error code for the access. */
    void expectFault(long gva, int access, int errorCode) {
        assertThat(use(gva, access)).as("%s of 0x%x", Access.describe(access), gva).isEqualTo(Processor.FAULT);
        assertThat(cpu.exception().vector).isEqualTo(14);
        assertThat(cpu.exception().errorCode).as("error code of %s", Access.describe(access)).isEqualTo(errorCode);
        assertThat(cpu.exception().address).isEqualTo(gva);
    }

    /** The walks made so far. */
    long walks() {
        return cpu.statistics().walks();
    }

    /** Copies the guest's registers into the VMCS and enters the guest. */
    void enter() {
        PagingState s = registers.paging;
        vmcs.guestCr0 = s.cr0();
        vmcs.guestCr3 = s.cr3();
        vmcs.guestCr4 = s.cr4();
        vmcs.guestEfer = s.efer();
        vmcs.guestPdptes = s.pdptes();
        cpu.vmEntry(vmcs);
    }

    /** EPT of 4 levels with an empty top table; {@code flags} is bit 6 of EPTP or 0. */
    long ept(long flags) {
        return ept(flags, 4);
    }

    long ept(long flags, int levels) {
        eptLevels = levels;
        vmcs.enableEpt = true;
        vmcs.eptp = frame() | levels - 1 << 3 | 6 | flags;
        return vmcs.eptp & ADDRESS;
    }

    /** Nested paging with an empty top table of {@code mode}; the root is the answer. */
    long npt(Layout mode) {
        host = mode;
        vmcb.nestedPaging = true;
        vmcb.nCr3 = frame();
        vmcb.hostCr0 = mode.cr0;
        vmcb.hostCr4 = mode.cr4 | 0x10;
        vmcb.hostEfer = mode.efer;
        return vmcb.nCr3;
    }

    /** Writes the nested entry of {@code level} for {@code gpa}. */
    void nptPut(long top, long gpa, int level, long entry) {
        memory.store(nptPlace(top, gpa, level), host.bytes, entry);
    }

    long nptPlace(long top, long gpa, int level) {
        return host.slot(memory, this::frame, top, gpa, level);
    }

    long nptGet(long top, long gpa, int level) {
        return memory.load(nptPlace(top, gpa, level), host.bytes);
    }

    /** Maps the first {@code bytes} of guest-physical memory to the same physical addresses by nested pages of {@code level}. */
    void nptIdentity(long top, long bytes, int level) {
        for (long a = 0; a < bytes; a += 1L << host.shift(level)) {
            nptPut(top, a, level, a | P | W | U | (level > 1 ? PS : 0));
        }
    }

    void vmrun() {
        cpu.vmrun(vmcb);
    }

    /** The EPT entry of {@code level} for {@code gpa}, tables on the way made with R, W and X. */
    long eptSlot(long top, long gpa, int level) {
        long table = top;
        for (int l = eptLevels; ; l--) {
            long slot = table + (gpa >>> 12 + 9 * (l - 1) & 511) * 8;
            if (l == level) {
                return slot;
            }
            if (memory.load64(slot) == 0) {
                memory.store64(slot, frame() | EPT_RWX);
            }
            table = memory.load64(slot) & ADDRESS;
        }
    }

    void eptMap(long top, long gpa, long hpa, long bits) {
        memory.store64(eptSlot(top, gpa, 1), hpa | bits);
    }

    /** Maps all of the first {@code bytes} of guest-physical memory to the same physical addresses, by pages of {@code level}. */
    void eptIdentity(long top, long bytes, int level) {
        long page = 1L << 12 + 9 * (level - 1);
        for (long a = 0; a < bytes; a += page) {
            memory.store64(eptSlot(top, a, level), a | EPT_RWX | EPT_WB | (level > 1 ? EPT_PAGE : 0));
        }
    }
}
