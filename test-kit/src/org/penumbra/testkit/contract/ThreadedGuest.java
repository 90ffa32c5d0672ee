package org.penumbra.testkit.contract;

import static org.penumbra.testkit.reference.EntryBits.*;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.guest.GuestState;
import org.penumbra.api.machine.GuestBoot;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.Pdptes;

/**
 * A guest whose vCPUs may run at the same time: each has tables and pages of its own, so that it knows the one outcome that each access
 * can have, and all have one leaf table in common, whose pages never change. Everybody's tables lie in one large page, and so do the
 * pages.
 *
 * <pre>
 *  region 1, frames 8 + 8v … 15 + 8v    tables of vCPU v: a second leaf table, one of each level, a second root
 *            frame 7                    the leaf table that all have
 *  region 2, frames 8 + 8v … 13 + 8v    pages of vCPU v
 *            frames 0 … 5               pages that all have
 * </pre>
 */
final class ThreadedGuest implements GuestBoot {
    /** Entries of leaf tables in play, and pages of each vCPU. */
    static final int PAGES = 6;

    final GuestLayout layout;
    private final ThreadedVcpu[] vcpus;
    private volatile String problem = "";

    ThreadedGuest(PagingMode mode, int vcpus, int physicalAddressBits, long seed) {
        layout = new GuestLayout(mode);
        this.vcpus = new ThreadedVcpu[vcpus];
        SplittableRandom random = new SplittableRandom(seed);
        for (int v = 0; v < vcpus; v++) {
            this.vcpus[v] = new ThreadedVcpu(this, v, physicalAddressBits, random.split());
        }
    }

    /** The first thing that a vCPU saw which cannot be, in one line; empty so far. */
    String problem() {
        return problem;
    }

    synchronized void problem(String what) {
        if (problem.isEmpty()) {
            problem = what;
        }
    }

    /** The table of {@code level} of {@code vcpu}; level 0 is its second leaf table, one above the highest its second root. */
    long table(int vcpu, int level) {
        return layout.region(1) + (8 + 8L * vcpu + level) * GuestLayout.PAGE;
    }

    /** Page {@code n} of {@code vcpu}. */
    long page(int vcpu, int n) {
        return layout.region(2) + (8 + 8L * vcpu + n) * GuestLayout.PAGE;
    }

    /** The leaf table that all vCPUs have. */
    long commonTable() {
        return layout.region(1) + 7 * GuestLayout.PAGE;
    }

    /** Page {@code n} of those that all vCPUs have. */
    long commonPage(int n) {
        return layout.region(2) + n * GuestLayout.PAGE;
    }

    /** What each word of a page that all vCPUs have contains, always. */
    static long commonWord(int n) {
        return 0x0101_0101L * (n + 1);
    }

    /** Frames that somebody may write. */
    List<Long> frames() {
        List<Long> all = new ArrayList<>(List.of(commonTable()));
        for (int n = 0; n < PAGES; n++) {
            all.add(commonPage(n));
        }
        for (int v = 0; v < vcpus.length; v++) {
            for (int n = 0; n < 8; n++) {
                all.add(table(v, n));
                all.add(page(v, n));
            }
            all.add(GuestLayout.pdpt(v) & -GuestLayout.PAGE);
        }
        layout.windowFrames(all::add);
        return all.stream().distinct().toList();
    }

    @Override
    public GuestState[] boot(Loader loader, RegisterFile[] registers, long memoryBytes) {
        layout.loadWindow(loader);
        for (int n = 0; n < PAGES; n++) {
            loader.store64(commonPage(n), commonWord(n) | commonWord(n) << 32);
        }
        if (layout.levels > 0) {
            long[] entries = new long[512];
            for (int n = 0; n < PAGES; n++) {
                layout.put(entries, n, commonPage(n) | P | RW | US);
            }
            store(loader, commonTable(), entries);
        }
        GuestState[] states = new GuestState[registers.length];
        for (int v = 0; v < registers.length; v++) {
            vcpus[v].load(loader);
            PagingState state = GuestLayout.state(layout.mode).withCr3(vcpus[v].root());
            registers[v].paging = layout.mode == PagingMode.PAE
                    ? state.withPdptes(new Pdptes(table(v, 2) | P, 0, 0, layout.windowPdpte())) : state;
            states[v] = new GuestState(vcpus[v]);
        }
        return states;
    }

    static void store(Loader loader, long gpa, long[] words) {
        for (int i = 0; i < words.length; i++) {
            if (words[i] != 0) {
                loader.store64(gpa + 8L * i, words[i]);
            }
        }
    }
}
