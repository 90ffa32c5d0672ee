package org.penumbra.benchmarks;

import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.penumbra.api.clock.CostProfile;
import org.penumbra.api.cpu.MemoryPort;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.vmx.Vmcs;
import org.penumbra.api.vmx.VmxProcessor;
import org.penumbra.hardware.cpu.LogicalProcessorFactory;
import org.penumbra.hardware.profile.JsonCostProfiles;

/**
 * A processor whose program reads and writes a number of pages in a fixed random order, for ever: with tables of 4 levels, alone or on
 * EPT of 4 levels with accessed and dirty flags. The geometry is Skylake's, but for caches that a benchmark leaves out.
 *
 * <p>Each page holds one word of the order at a place of its own: the gva of the next one. So a stream can be driven from an array
 * ({@link #gvas}), where one access need not wait for the one before, or from memory itself, where it must.
 */
final class Guest {
    /** Where the pages are; such that a walk uses another entry at each level. */
    static final long BASE = 0x1234_5600_0000L;

    private static final long PRESENT_WRITE_USER = 7;
    private static final long EPT_READ_WRITE_EXECUTE = 7;
    private static final long EPT_WRITE_BACK = 6 << 3;
    private static final long EPTP_4_LEVELS_WRITE_BACK = 3 << 3 | 6;
    private static final long EPTP_ACCESSED_DIRTY = 1 << 6;
    private static final long ADDRESS = 0x000f_ffff_ffff_f000L;
    private static final int USER_READ = Access.USER | Access.READ;
    private static final int USER_WRITE = Access.USER | Access.WRITE;

    /** The order: a power of two of addresses, each on its own page. */
    final long[] gvas;
    final PhysicalMemory memory = new PhysicalMemory(64 << 20);
    final VmxProcessor cpu;
    final MemoryPort port;
    /** The guest's top table: a gpa with EPT. */
    final long root;
    /** EPT's top table, 0 without. */
    final long eptRoot;
    private final RegisterFile registers = new RegisterFile();
    private final boolean ept;
    private long nextTable = 1 << 20;
    private long nextPage = 16 << 20;

    /**
     * @param pages a power of two
     * @param without figures of the profile that are 0 here: the entries of caches, and models, that are left out
     */
    Guest(int pages, boolean ept, String... without) {
        this.ept = ept;
        cpu = new LogicalProcessorFactory().create(skylakeWithout(without), memory, registers, new NoPorts(), null);
        eptRoot = ept ? table() : 0;
        root = guestTable();
        gvas = order(pages);
        for (int i = 0; i < pages; i++) {
            map(gvas[i]);
        }
        for (int i = 0; i < pages; i++) {
            memory.store64(hpa(gvas[i]), gvas[i + 1 & pages - 1]);
        }
        registers.paging = PagingState.longMode(root);
        registers.cpl = 3;
        if (ept) {
            enter();
        }
        port = new MemoryPort(cpu, 0);
        // Sets the accessed and dirty flags and fills what the benchmark does not leave out.
        for (int i = 0; i < 2 * pages; i++) {
            port.store(gvas[i & pages - 1], 8, gvas[i + 1 & pages - 1], USER_WRITE);
        }
    }

    /** A load at {@code gva}; answers what is there. */
    long load(long gva) {
        if (port.load(gva, 8, USER_READ) != 0) {
            throw new IllegalStateException(String.format("0x%x is not mapped", gva));
        }
        return port.value;
    }

    private static long[] order(int pages) {
        int[] page = new int[pages];
        Random random = new Random(42);
        for (int i = 1; i < pages; i++) {
            int j = random.nextInt(i + 1);
            page[i] = page[j];
            page[j] = i;
        }
        long[] order = new long[pages];
        for (int i = 0; i < pages; i++) {
            order[i] = BASE + 4096L * page[i] + 8 * random.nextInt(512);
        }
        return order;
    }

    private void map(long gva) {
        long page = nextPage;
        nextPage += 4096;
        long table = root;
        for (int level = 4; level > 1; level--) {
            long slot = table + 8 * (gva >>> 3 + 9 * level & 511);
            if (memory.load64(slot) == 0) {
                memory.store64(slot, guestTable() | PRESENT_WRITE_USER);
            }
            table = memory.load64(slot) & ADDRESS;
        }
        memory.store64(table + 8 * (gva >>> 12 & 511), page | PRESENT_WRITE_USER);
        back(page);
    }

    /** Guest-physical addresses are host-physical ones; EPT has to say so. */
    private void back(long gpa) {
        if (!ept) {
            return;
        }
        long table = eptRoot;
        for (int level = 4; level > 1; level--) {
            long slot = table + 8 * (gpa >>> 3 + 9 * level & 511);
            if (memory.load64(slot) == 0) {
                memory.store64(slot, table() | EPT_READ_WRITE_EXECUTE);
            }
            table = memory.load64(slot) & ADDRESS;
        }
        memory.store64(table + 8 * (gpa >>> 12 & 511), gpa | EPT_READ_WRITE_EXECUTE | EPT_WRITE_BACK);
    }

    private long guestTable() {
        long table = table();
        back(table);
        return table;
    }

    private long table() {
        nextTable += 4096;
        return nextTable;
    }

    private long hpa(long gva) {
        long table = root;
        for (int level = 4; level > 0; level--) {
            table = memory.load64(table + 8 * (gva >>> 3 + 9 * level & 511)) & ADDRESS;
        }
        return table | gva & 0xfff;
    }

    private void enter() {
        PagingState s = registers.paging;
        Vmcs vmcs = new Vmcs();
        vmcs.vpid = 1;
        vmcs.enableEpt = true;
        vmcs.eptp = eptRoot | EPTP_4_LEVELS_WRITE_BACK | EPTP_ACCESSED_DIRTY;
        vmcs.guestCr0 = s.cr0();
        vmcs.guestCr3 = s.cr3();
        vmcs.guestCr4 = s.cr4();
        vmcs.guestEfer = s.efer();
        cpu.vmEntry(vmcs);
    }

    private static CostProfile skylakeWithout(String... figures) {
        JsonCostProfiles profiles = new JsonCostProfiles();
        CostProfile skylake = profiles.all().stream().filter(p -> p.name().equals("skylake")).findFirst().orElseThrow();
        return profiles.with(skylake, Stream.of(figures).collect(Collectors.toMap(f -> f, f -> 0L)));
    }
}
