package org.penumbra.testkit.nested;

import java.util.List;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.cpu.VirtualizationExtension;
import org.penumbra.api.guest.GuestState;
import org.penumbra.api.machine.GuestBoot;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.verify.Nesting;
import org.penumbra.api.vmx.VmcsRegion;

/**
 * Boots a hypervisor (L1) on each vCPU, which runs other guests of the test kit (L2), all on as many vCPUs. One boot.
 *
 * <pre>
 *  with tables   gpa 0 … L1's own memory, from {@link #base} on that of one L2 after the other
 *  without       gpa 0 … the L2's memory, whose addresses are L1's; L1's own behind it
 *
 *  L1's own      0x1000, 0x2000, 0x3000   its tables: all memory at its gpa, supervisor, by 2 MiB pages
 *                0x4000                   MSR permission map: everything exits
 *                0x10000 + 0x4000 v       of vCPU v: VMXON region or host save area, and a VMCS or VMCB for each L2
 *                0x100000 …               {@link StageTables} of one L2 after the other
 * </pre>
 */
public final class NestedGuest implements GuestBoot {
    /** L1's own memory. */
    private static final long OWN = 8L << 20;
    private static final long PML4 = 0x1000;
    private static final long PDPT = 0x2000;
    private static final long PD = 0x3000;
    private static final long MSRPM = 0x4000;
    private static final int MSRPM_BYTES = 0x2000;
    private static final long REGIONS = 0x1_0000;
    private static final int REGIONS_PAGES = 4;
    private static final long TABLES = 0x10_0000;
    private static final long PAGE = 0x1000;
    private static final int LARGE = 0x83;
    private static final int TABLE = 3;

    private final List<? extends GuestBoot> inner;
    private final Nesting nesting;
    private final int physicalAddressBits;
    private final Meddler meddler;

    /**
     * @param inner boots L2s, one unless L1 has tables for them; each has an equal share of what L1 leaves of the memory
     * @param physicalAddressBits of the processor
     * @param meddler what L1 does beside serving L2
     */
    public NestedGuest(List<? extends GuestBoot> inner, Nesting nesting, int physicalAddressBits, Meddler meddler) {
        this.inner = inner;
        this.nesting = nesting;
        this.physicalAddressBits = physicalAddressBits;
        this.meddler = meddler;
    }

    /** The memory of a machine in which each of {@code guests} L2s has {@code inner} bytes. */
    public static long memoryBytes(Nesting nesting, int guests, long inner) {
        return nesting == Nesting.NONE ? inner : guests * inner + OWN;
    }

    /** The gpa of L1 at which address 0 of the first L2 lies. */
    public static long base(Nesting nesting) {
        return nesting.hasTables() ? OWN : 0;
    }

    @Override
    public GuestState[] boot(Loader loader, RegisterFile[] vcpus, long memoryBytes) {
        long bytes = (memoryBytes - OWN) / inner.size();
        long base = base(nesting);
        long own = nesting.hasTables() ? 0 : bytes;
        if (memoryBytes > 1L << 30) {
            throw new MachineException("the guest hypervisor maps 1 GiB of memory, not " + (memoryBytes >> 20) + " MiB");
        }
        loader.store64(own + PML4, own + PDPT | TABLE);
        loader.store64(own + PDPT, own + PD | TABLE);
        for (long i = 0; i << 21 < memoryBytes; i++) {
            loader.store64(own + PD + 8 * i, i << 21 | LARGE);
        }
        boolean svm = nesting.extension() == VirtualizationExtension.SVM;
        for (int i = 0; svm && i < MSRPM_BYTES; i += 8) {
            loader.store64(own + MSRPM + i, -1);
        }
        Hypervisor.Inner[][] inners = new Hypervisor.Inner[vcpus.length][inner.size()];
        GuestState[][] guests = new GuestState[inner.size()][];
        for (int n = 0; n < inner.size(); n++) {
            long at = base + n * bytes;
            RegisterFile[] registers = registers(vcpus.length);
            guests[n] = inner.get(n).boot((gpa, value) -> loader.store64(at + gpa, value), registers, bytes);
            StageTables tables = nesting.hasTables() ? new StageTables(svm ? StageTables.Format.NPT : StageTables.Format.EPT,
                    own + TABLES + n * StageTables.size(bytes), at, bytes, nesting.isLarge(), physicalAddressBits) : null;
            for (int v = 0; v < vcpus.length; v++) {
                inners[v][n] = new Hypervisor.Inner(regions(own, v) + (n + 1) * PAGE, tables, registers[v].paging);
            }
        }
        GuestState[] hypervisors = new GuestState[vcpus.length];
        for (int v = 0; v < vcpus.length; v++) {
            long regions = regions(own, v);
            for (int n = 0; !svm && n <= inner.size(); n++) {
                loader.store64(regions + n * PAGE, VmcsRegion.REVISION);
            }
            vcpus[v].paging = PagingState.longMode(own + PML4);
            vcpus[v].cpl = 0;
            hypervisors[v] = new GuestState(svm ? new SvmHypervisor(v, vcpus[v], regions, own + MSRPM, inners[v], meddler)
                    : new VmxHypervisor(v, vcpus[v], regions, inners[v], meddler));
            for (int n = 0; n < inner.size(); n++) {
                hypervisors[v].guests.put(inners[v][n].block, guests[n][v]);
            }
        }
        return hypervisors;
    }

    private static long regions(long own, int vcpu) {
        return own + REGIONS + vcpu * REGIONS_PAGES * PAGE;
    }

    private static RegisterFile[] registers(int vcpus) {
        RegisterFile[] registers = new RegisterFile[vcpus];
        for (int v = 0; v < vcpus; v++) {
            registers[v] = new RegisterFile();
        }
        return registers;
    }
}
