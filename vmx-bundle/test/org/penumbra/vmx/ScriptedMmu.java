package org.penumbra.vmx;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Function;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.mmu.ControlDemand;
import org.penumbra.api.mmu.Mmu;
import org.penumbra.api.mmu.MmuContext;
import org.penumbra.api.mmu.MmuContextHost;
import org.penumbra.api.mmu.MmuFactory;
import org.penumbra.api.mmu.MmuFault;
import org.penumbra.api.mmu.MmuHost;
import org.penumbra.api.mmu.Resolution;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.TranslationRoot;

/**
 * A one-dimensional design with an empty table, so that every access exits, and answers that a test gives. Its software walk
 * takes the low 22 bits of gva for gpa.
 */
class ScriptedMmu implements MmuFactory, Mmu, MmuContext {
    final List<String> calls = new ArrayList<>();
    Function<MmuFault, Resolution> resolve = fault -> Resolution.EMULATE;
    /** The software walk refuses this page. */
    long refused = -1;
    boolean failing;
    boolean failOverStores;
    boolean failOverLoad;
    boolean failOverRoot;
    String objection = "";
    /** The operation that never returns. */
    String stuckIn = "";
    private MmuHost host;
    private MmuContextHost contextHost;
    private TranslationRoot root;

    @Override
    public String description() {
        return "scripted";
    }

    @Override
    public List<Setting> settings() {
        return List.of(new Setting("scripted.mode", "a", List.of("a", "b"), "nothing"));
    }

    @Override
    public Mmu create(MmuHost mmuHost) {
        maybeStuck("create");
        if (failing) {
            throw new IllegalStateException("broken on purpose");
        }
        host = mmuHost;
        root = null;
        return this;
    }

    @Override
    public String objection(PagingState state) {
        return objection;
    }

    private void maybeStuck(String operation) {
        while (operation.equals(stuckIn)) {
            try {
                Thread.sleep(Long.MAX_VALUE);
            } catch (InterruptedException e) {
                // It does not listen.
            }
        }
    }

    /** What the machine gave it. */
    MmuHost host() {
        return host;
    }

    /** Answers {@code other} from now on when asked for the root. */
    void root(TranslationRoot other) {
        root = other;
    }

    @Override
    public ControlDemand controlDemand() {
        return new ControlDemand(true, true, true, 0, ControlBits.CR4_SMEP, ControlBits.CR0_WP, 0, 0, ControlBits.CR4_PKE);
    }

    @Override
    public MmuContext newContext(MmuContextHost vcpu) {
        contextHost = vcpu;
        return this;
    }

    @Override
    public void load(PagingState state, boolean keepPcid) {
        maybeStuck("load");
        if (failOverLoad) {
            throw new IllegalStateException("broken on purpose");
        }
        calls.add("load " + Long.toHexString(state.cr3()) + (keepPcid ? " keep" : ""));
    }

    @Override
    public TranslationRoot root() {
        if (failOverRoot) {
            throw new IllegalStateException("broken on purpose");
        }
        if (root == null) {
            root = new TranslationRoot.OneDimensional(host.lease().allocate(contextHost.clock()));
        }
        return root;
    }

    @Override
    public Resolution resolve(MmuFault fault) {
        return resolve.apply(fault);
    }

    @Override
    public void invalidatePage(long gva) {
        calls.add("invalidate " + Long.toHexString(gva));
    }

    @Override
    public void invalidatePcid(int type, int pcid, long gva) {
        calls.add("invalidate type " + type + " pcid " + pcid + " " + Long.toHexString(gva));
    }

    @Override
    public long gvaToGpa(PagingState state, long gva, int access, MmuFault fault) {
        calls.add("walk " + Long.toHexString(gva) + " " + Access.describe(access));
        if ((gva & -4096L) == refused) {
            fault.gva = gva;
            fault.errorCode = 2;
            return FAULT;
        }
        return gva & 0x3f_ffff;
    }

    @Override
    public void guestTableWritten(long gpa, int bytes, CycleClock clock) {
        if (failOverStores) {
            throw new IllegalStateException("broken on purpose");
        }
        calls.add("written " + Long.toHexString(gpa) + " " + bytes);
    }

    @Override
    public void writeProtect(long gfn, CycleClock clock) {
        calls.add("protect " + Long.toHexString(gfn));
    }

    @Override
    public void hostRangeChanged(long gfn, long frames, CycleClock clock) {
        maybeStuck("host");
        calls.add("host " + Long.toHexString(gfn) + " " + frames);
    }

    @Override
    public void audit(CycleClock clock, Consumer<String> violations) {
        calls.add("audit");
    }

    @Override
    public void close() {
        maybeStuck("close");
        calls.add("close");
    }
}
