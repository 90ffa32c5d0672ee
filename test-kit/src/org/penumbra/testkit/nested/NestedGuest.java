package org.penumbra.testkit.nested;

import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.guest.GuestState;
import org.penumbra.api.machine.GuestBoot;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.verify.Nesting;
import org.penumbra.api.vmx.VmcsRegion;

/**
 * Boots a hypervisor (L1) on each vCPU, which runs another guest of the test kit (L2). One boot.
 *
 * <pre>
 *  with EPT      gpa 0 … L1's own memory, from {@link #base} on L2's
 *  without       gpa 0 … L2's memory, whose addresses are L1's; L1's own behind it
 *
 *  L1's own      0x1000, 0x2000, 0x3000   its tables: all memory at its gpa, supervisor, by 2 MiB pages
 *                0x10000 + 0x2000 v       VMXON region and VMCS of vCPU v
 *                0x100000 …               {@link Ept12}
 * </pre>
 */
public final class NestedGuest implements GuestBoot {
    /** L1's own memory. */
    private static final long OWN = 8L << 20;
    private static final long PML4 = 0x1000;
    private static final long PDPT = 0x2000;
    private static final long PD = 0x3000;
    private static final long REGIONS = 0x1_0000;
    private static final long EPT = 0x10_0000;
    private static final long PAGE = 0x1000;
    private static final int LARGE = 0x83;
    private static final int TABLE = 3;

    private final GuestBoot inner;
    private final Nesting nesting;
    private final int physicalAddressBits;
    private final Meddler meddler;

    /**
     * @param inner boots L2
     * @param physicalAddressBits of the processor
     * @param meddler what L1 does beside serving L2
     */
    public NestedGuest(GuestBoot inner, Nesting nesting, int physicalAddressBits, Meddler meddler) {
        this.inner = inner;
        this.nesting = nesting;
        this.physicalAddressBits = physicalAddressBits;
        this.meddler = meddler;
    }

    /** The memory of a machine in which L2 has {@code inner} bytes. */
    public static long memoryBytes(Nesting nesting, long inner) {
        return nesting == Nesting.NONE ? inner : inner + OWN;
    }

    /** The gpa of L1 at which L2's address 0 lies. */
    public static long base(Nesting nesting) {
        return nesting.hasEpt() ? OWN : 0;
    }

    @Override
    public GuestState[] boot(Loader loader, RegisterFile[] vcpus, long memoryBytes) {
        long bytes = memoryBytes - OWN;
        long base = base(nesting);
        long own = nesting.hasEpt() ? 0 : bytes;
        if (memoryBytes > 1L << 30) {
            throw new MachineException("the guest hypervisor maps 1 GiB of memory, not " + (memoryBytes >> 20) + " MiB");
        }
        RegisterFile[] registers = new RegisterFile[vcpus.length];
        for (int v = 0; v < vcpus.length; v++) {
            registers[v] = new RegisterFile();
        }
        GuestState[] guests = inner.boot((gpa, value) -> loader.store64(base + gpa, value), registers, bytes);
        loader.store64(own + PML4, own + PDPT | TABLE);
        loader.store64(own + PDPT, own + PD | TABLE);
        for (long i = 0; i << 21 < memoryBytes; i++) {
            loader.store64(own + PD + 8 * i, i << 21 | LARGE);
        }
        Ept12 ept = nesting.hasEpt() ? new Ept12(own + EPT, base, bytes, nesting == Nesting.EPT_2M, physicalAddressBits) : null;
        GuestState[] hypervisors = new GuestState[vcpus.length];
        for (int v = 0; v < vcpus.length; v++) {
            long regions = own + REGIONS + v * 2 * PAGE;
            loader.store64(regions, VmcsRegion.REVISION);
            loader.store64(regions + PAGE, VmcsRegion.REVISION);
            vcpus[v].paging = PagingState.longMode(own + PML4);
            vcpus[v].cpl = 0;
            Hypervisor l1 = new Hypervisor(v, vcpus[v], regions, ept, registers[v].paging, meddler);
            hypervisors[v] = new GuestState(l1);
            hypervisors[v].guests.put(regions + PAGE, guests[v]);
        }
        return hypervisors;
    }
}
