package org.penumbra.testkit.contract;

import static org.penumbra.testkit.reference.EntryBits.*;

import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.eclipse.collections.impl.map.mutable.primitive.LongLongHashMap;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.guest.GuestState;
import org.penumbra.api.machine.GuestBoot;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.Pdptes;
import org.penumbra.api.verify.Nesting;
import org.penumbra.testkit.nested.NestedGuest;

/**
 * A guest of several vCPUs that does to its tables whatever the architecture lets software do, at random: what the vCPUs share. The
 * tables are theirs in common. What it believes to be in them is a help for choosing what to do next, and nothing is judged by it: the
 * machine's checker judges.
 *
 * <p>For a deterministic scheduler: one vCPU plans at a time.
 */
final class RandomGuest implements GuestBoot {
    final Nesting nesting;
    final GuestLayout layout;
    final SplittableRandom random;
    final EntryMaker maker;
    /** By frame of the pool: the level at which it mostly serves as a table. */
    final int[] preferred;
    /** By frame of the pool, under PAE paging by address space: it has all that a top-level table needs. */
    final boolean[] ready;
    /** By frame of the pool: some vCPU is making another table of it. */
    private final boolean[] remaking;
    /** By vCPU: the root in CR3, and the one that is about to be. */
    private final int[] root;
    private final int[] nextRoot;
    private final LongLongHashMap written = new LongLongHashMap();
    private final RandomVcpu[] vcpus;
    /** The address that most accesses and changes are about. */
    private final int[] focus = new int[6];
    private String problem = "";
    /** Another guest of the same hypervisor; null if there is none. */
    private final RandomGuest neighbour;

    /**
     * @param nesting under which guest hypervisor it runs
     * @param guests 2 if that has another such guest, else 1
     */
    RandomGuest(PagingMode mode, int vcpus, long seed, Nesting nesting, int guests) {
        this.nesting = nesting;
        neighbour = guests == 1 ? null : new RandomGuest(mode, vcpus, -seed, nesting, 1);
        layout = new GuestLayout(mode);
        random = new SplittableRandom(seed);
        preferred = new int[layout.pool.length];
        maker = new EntryMaker(layout, random, preferred);
        ready = new boolean[mode == PagingMode.PAE ? GuestLayout.PDPTS : layout.pool.length];
        remaking = new boolean[layout.pool.length];
        root = new int[vcpus];
        nextRoot = new int[vcpus];
        this.vcpus = new RandomVcpu[vcpus];
        for (int i = 0; i < vcpus; i++) {
            this.vcpus[i] = new RandomVcpu(this, i);
        }
        if (layout.levels > 0) {
            for (int i = 0; i < preferred.length; i++) {
                preferred[i] = 1 + i % layout.levels;
            }
        }
        refocus();
    }

    /** What is booted: this guest, or its hypervisor on a processor with {@code physicalAddressBits}. */
    GuestBoot booted(int physicalAddressBits) {
        return switch (nesting) {
            case NONE -> this;
            case SHADOW, SVM_SHADOW -> new NestedGuest(List.of(this), nesting, physicalAddressBits, new TableMeddling(this));
            default -> new NestedGuest(neighbour == null ? List.of(this) : List.of(this, neighbour), nesting, physicalAddressBits,
                    new StageMeddling(random, layout.pool, layout.pages, true));
        };
    }

    /** How many such guests share one hypervisor. */
    int guests() {
        return neighbour == null ? 1 : 2;
    }

    /** What the guest itself saw that cannot be, in one line; empty so far. */
    String problem() {
        return problem.isEmpty() && neighbour != null ? neighbour.problem() : problem;
    }

    void problem(String what) {
        if (problem.isEmpty()) {
            problem = what;
        }
    }

    @Override
    public GuestState[] boot(Loader loader, RegisterFile[] registers, long memoryBytes) {
        layout.loadWindow(loader);
        for (int i = 0; i < layout.pages.length; i++) {
            for (int w = 0; w < GuestLayout.LEAF_ENTRIES; w++) {
                loader.store64(layout.pages[i] + 8L * w, 2L * (i + w));
            }
        }
        loadTables(loader);
        GuestState[] states = new GuestState[registers.length];
        for (int i = 0; i < registers.length; i++) {
            root[i] = nextRoot[i] = anyReady();
            PagingState state = GuestLayout.state(layout.mode).withCr3(layout.levels == 0 ? 0 : rootAddress(root[i]));
            registers[i].paging = layout.mode == PagingMode.PAE ? state.withPdptes(pdptes(root[i])) : state;
            states[i] = new GuestState(vcpus[i]);
        }
        return states;
    }

    private void loadTables(Loader loader) {
        if (layout.levels == 0) {
            Arrays.fill(ready, true);
            return;
        }
        for (int i = 0; i < layout.pool.length; i++) {
            long[] words = new long[512];
            for (int e = 0; e < layout.entries(preferred[i]); e++) {
                put(words, layout.pool[i], e, maker.entry(preferred[i]));
            }
            if (preferred[i] == layout.levels && layout.mode != PagingMode.PAE) {
                for (long[] w : layout.windowEntries()) {
                    put(words, layout.pool[i], (int) w[0], w[1]);
                }
                ready[i] = true;
            }
            for (int w = 0; w < words.length; w++) {
                if (words[w] != 0) {
                    loader.store64(layout.pool[i] + 8L * w, words[w]);
                }
            }
        }
        if (layout.mode == PagingMode.PAE) {
            for (int n = 0; n < GuestLayout.PDPTS; n++) {
                for (int e = 0; e < 4; e++) {
                    long pdpte = e < 3 ? maker.pdpte() : layout.windowPdpte();
                    note(GuestLayout.pdpt(n) + 8L * e, pdpte);
                    loader.store64(GuestLayout.pdpt(n) + 8L * e, pdpte);
                }
                ready[n] = true;
            }
        }
    }

    private void put(long[] words, long table, int index, long entry) {
        note(table + (long) index * layout.entryBytes, entry);
        layout.put(words, index, entry);
    }

    private Pdptes pdptes(int n) {
        long at = GuestLayout.pdpt(n);
        return new Pdptes(believed(at), believed(at + 8), believed(at + 16), believed(at + 24));
    }

    /** The entry at {@code gpa}, as far as the guest's kernel knows: flags that processors set, and what users stored, it does not. */
    long believed(long gpa) {
        return written.get(gpa);
    }

    /** The kernel writes {@code entry} to {@code gpa}. */
    void note(long gpa, long entry) {
        written.put(gpa, entry);
    }

    /** The value for CR3, without a PCID, of root {@code n}. */
    long rootAddress(int n) {
        return layout.mode == PagingMode.PAE ? GuestLayout.pdpt(n) : layout.pool[n];
    }

    int vcpus() {
        return root.length;
    }

    int root(int vcpu) {
        return root[vcpu];
    }

    /** vCPU {@code vcpu} is about to load root {@code n}. */
    void switching(int vcpu, int n) {
        nextRoot[vcpu] = n;
    }

    /** vCPU {@code vcpu} has loaded what it was about to. */
    void switched(int vcpu) {
        root[vcpu] = nextRoot[vcpu];
    }

    /** A root that may be loaded. */
    int anyReady() {
        int from = random.nextInt(ready.length);
        while (!ready[from]) {
            from = (from + 1) % ready.length;
        }
        return from;
    }

    /** True if some vCPU runs on root {@code n}, or is about to. */
    boolean inUse(int n) {
        for (int v = 0; v < root.length; v++) {
            if (root[v] == n || nextRoot[v] == n) {
                return true;
            }
        }
        return false;
    }

    /** Frame {@code n} of the pool is about to become a table of {@code level}; false if it is in use as a root or being remade. */
    boolean remake(int n, int level) {
        boolean roots = layout.mode != PagingMode.PAE;
        if (remaking[n] || roots && inUse(n)) {
            return false;
        }
        remaking[n] = true;
        preferred[n] = level;
        if (roots) {
            ready[n] = false;
        }
        return true;
    }

    /** Frame {@code n} is what it was to become. */
    void remade(int n) {
        remaking[n] = false;
        if (layout.mode != PagingMode.PAE) {
            ready[n] = preferred[n] == layout.levels;
        }
    }

    /** Turns to another address. */
    void refocus() {
        for (int level = 1; level <= layout.top(); level++) {
            focus[level] = random.nextInt(layout.entries(level));
        }
    }

    /** An address: mostly that of the focus, or near. {@code offset} is within the page. */
    long address(int offset) {
        if (layout.levels == 0) {
            long[] frames = random.nextBoolean() ? layout.pages : layout.pool;
            return frames[random.nextInt(frames.length)] + offset;
        }
        boolean near = random.nextInt(4) != 0;
        boolean far = !near && random.nextInt(3) == 0;
        long gva = offset;
        for (int level = 1; level <= layout.top(); level++) {
            boolean other = far || !near && random.nextInt(2) == 0;
            gva |= (long) (other ? random.nextInt(layout.entries(level)) : focus[level]) << layout.shift(level);
        }
        return gva;
    }

    /**
     * The tables through which a walk of the focus would come from root {@code n} by what the kernel believes, from the top:
     * {level, gpa of the entry} pairs.
     */
    long[][] path(int n) {
        long[][] steps = new long[5][];
        int count = 0;
        int level = layout.top();
        long table = rootAddress(n);
        while (level > 0) {
            long at = table + (long) focus[level] * (layout.mode == PagingMode.PAE ? 8 : layout.entryBytes);
            steps[count++] = new long[] {level, at};
            long entry = believed(at);
            table = layout.format.table(entry);
            if ((entry & P) == 0 || level == 1 || (entry & PS) != 0 || table >= GuestLayout.MEMORY) {
                break;
            }
            level--;
        }
        return Arrays.copyOf(steps, count);
    }
}
