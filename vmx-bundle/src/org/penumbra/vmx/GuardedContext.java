package org.penumbra.vmx;

import java.util.List;
import java.util.function.Function;
import org.penumbra.api.clock.GuestClock;
import org.penumbra.api.mmu.LoadableRoots;
import org.penumbra.api.mmu.LoadableRoots.Loadable;
import org.penumbra.api.mmu.MmuContext;
import org.penumbra.api.mmu.MmuFault;
import org.penumbra.api.mmu.PrivilegeRoots;
import org.penumbra.api.mmu.Resolution;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.TranslationRoot;
import org.penumbra.vmx.memory.HostEvents;
import org.penumbra.vmx.memory.Lease;

/** A context behind its guard: each answer is looked at before anybody relies on it. */
class GuardedContext implements MmuContext {
    /**
     * Retries of one and the same fault, without a retired operation and without a host event that could have been the reason, after
     * which the answer counts as nonsense.
     */
    private static final int MOST_RETRIES = 1_000;

    private final MmuContext context;
    final Guard guard;
    private final Lease lease;
    private final GuestClock time;
    private final HostEvents events;
    final Guard.Call call;
    private final Function<MmuFault, Resolution> resolver;
    private final Function<MmuFault, Resolution> ofMalformed;
    private final Function<MmuFault, Resolution> ofSubPages;
    private TranslationRoot accepted;
    private long lastGva;
    private long lastGpa;
    private long lastTime;
    private long lastEvent;
    private int retries;
    private boolean kernel = true;

    /** @param time of the vCPU: a fault that comes back without a retired operation in between was not resolved */
    GuardedContext(MmuContext context, Guard guard, Lease lease, GuestClock time, HostEvents events) {
        this.events = events;
        this.time = time;
        this.context = context;
        this.guard = guard;
        this.lease = lease;
        this.call = guard.place();
        this.resolver = context::resolve;
        this.ofMalformed = context::misconfigured;
        this.ofSubPages = context::subPageMissing;
    }

    @Override
    public void load(PagingState state, boolean keepPcid) {
        guard.enter(call, "MmuContext.load");
        try {
            context.load(state, keepPcid);
        } catch (Throwable e) {
            throw guard.thrown("MmuContext.load", e);
        } finally {
            guard.leave(call);
        }
    }

    @Override
    public TranslationRoot root() {
        TranslationRoot root;
        guard.enter(call, "MmuContext.root");
        try {
            root = context.root();
        } catch (Throwable e) {
            throw guard.thrown("MmuContext.root", e);
        } finally {
            guard.leave(call);
        }
        if (root != accepted || root == null) {
            check(root);
            accepted = root;
        }
        return root;
    }

    /** The processor would walk whatever the root names: it has to be the MMU's own. */
    private void check(TranslationRoot root) {
        if (root == null) {
            throw guard.fail(Misconduct.NONSENSE, "MmuContext.root answered null");
        }
        checkRegister(root.register());
        if (root instanceof TranslationRoot.Switching both) {
            checkRegister(both.nested().eptp());
        }
        if (root instanceof TranslationRoot.TwoDimensional two && two.features().subPageTable() != 0) {
            checkRegister(two.features().subPageTable());
        }
    }

    private void checkRegister(long register) {
        long table = register & 0x000f_ffff_ffff_f000L;
        if (!lease.holds(table)) {
            throw guard.fail(Misconduct.BAD_STRUCTURES, String.format("MmuContext.root answered 0x%x, where the MMU has no frame", register));
        }
    }

    @Override
    public Resolution resolve(MmuFault fault) {
        return resolve(fault, resolver);
    }

    @Override
    public Resolution misconfigured(MmuFault fault) {
        return resolve(fault, ofMalformed);
    }

    @Override
    public Resolution subPageMissing(MmuFault fault) {
        return resolve(fault, ofSubPages);
    }

    private Resolution resolve(MmuFault fault, Function<MmuFault, Resolution> by) {
        long gva = fault.gva;
        long gpa = fault.gpa;
        Resolution resolution;
        guard.enter(call, "MmuContext.resolve");
        try {
            resolution = by.apply(fault);
        } catch (Throwable e) {
            throw guard.thrown("MmuContext.resolve", e);
        } finally {
            guard.leave(call);
        }
        if (resolution == null) {
            throw guard.fail(Misconduct.NONSENSE, "MmuContext.resolve answered null");
        }
        boolean again = resolution == Resolution.RETRY && gva == lastGva && gpa == lastGpa && time.retired() == lastTime
                && !events.active() && events.count() == lastEvent;
        lastEvent = events.count();
        retries = again ? retries + 1 : 0;
        lastTime = time.retired();
        lastGva = gva;
        lastGpa = gpa;
        if (retries > MOST_RETRIES) {
            throw guard.fail(Misconduct.NONSENSE, String.format(
                    "MmuContext.resolve answered RETRY %d times in a row to the fault at gva 0x%x, gpa 0x%x, which remains", retries, gva, gpa));
        }
        return resolution;
    }

    @Override
    public void invalidatePage(long gva) {
        guard.enter(call, "MmuContext.invalidatePage");
        try {
            context.invalidatePage(gva);
        } catch (Throwable e) {
            throw guard.thrown("MmuContext.invalidatePage", e);
        } finally {
            guard.leave(call);
        }
    }

    @Override
    public void invalidatePcid(int type, int pcid, long gva) {
        guard.enter(call, "MmuContext.invalidatePcid");
        try {
            context.invalidatePcid(type, pcid, gva);
        } catch (Throwable e) {
            throw guard.thrown("MmuContext.invalidatePcid", e);
        } finally {
            guard.leave(call);
        }
    }

    /** Roots that the guest may load by itself, of the MMU's own frames; empty if its contexts cannot name any. */
    List<Loadable> loadableRoots() {
        if (!(context instanceof LoadableRoots)) {
            return List.of();
        }
        List<Loadable> loadable;
        guard.enter(call, "LoadableRoots.loadableRoots");
        try {
            loadable = List.copyOf(((LoadableRoots) context).loadableRoots());
        } catch (Throwable e) {
            throw guard.thrown("LoadableRoots.loadableRoots", e);
        } finally {
            guard.leave(call);
        }
        for (Loadable l : loadable) {
            if ((l.root() & 0xfff) != 0 || !lease.holds(l.root())) {
                throw guard.fail(Misconduct.BAD_STRUCTURES,
                        String.format("LoadableRoots.loadableRoots answered 0x%x, where the MMU has no frame", l.root()));
            }
        }
        return loadable;
    }

    /** Whose root it is to answer, if it has one for the guest's kernel and one for user programs ({@link PrivilegeRoots}). */
    void selectPrivilege(boolean nowKernel) {
        if (nowKernel == kernel || !(context instanceof PrivilegeRoots)) {
            return;
        }
        guard.enter(call, "PrivilegeRoots.selectPrivilege");
        try {
            ((PrivilegeRoots) context).selectPrivilege(nowKernel);
        } catch (Throwable e) {
            throw guard.thrown("PrivilegeRoots.selectPrivilege", e);
        } finally {
            guard.leave(call);
        }
        kernel = nowKernel;
    }

    @Override
    public long gvaToGpa(PagingState state, long gva, int access, MmuFault fault) {
        guard.enter(call, "MmuContext.gvaToGpa");
        try {
            return context.gvaToGpa(state, gva, access, fault);
        } catch (Throwable e) {
            throw guard.thrown("MmuContext.gvaToGpa", e);
        } finally {
            guard.leave(call);
        }
    }
}
