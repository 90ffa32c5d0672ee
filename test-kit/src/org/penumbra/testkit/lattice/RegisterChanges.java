package org.penumbra.testkit.lattice;

import java.util.function.Function;
import org.penumbra.api.cpu.Msr;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.PagingState;
import org.penumbra.testkit.script.Script;

/**
 * Brings the guest's registers to the setting that a vector needs, by MOV to CR0 and CR4, WRMSR and WRPKRU. A setting that the machine
 * refuses is noted, and the vectors that need it are skipped: protection keys may be hidden from a guest; any other refusal disagrees.
 */
final class RegisterChanges {
    private static final long KEYS = ControlBits.CR4_PKE | ControlBits.CR4_PKS;

    private final Controls controls;
    private final Function<PagingState, String> objection;
    private final Findings findings;
    /** Why a setting cannot be reached; empty if it can, null as long as nobody asked. */
    private final String[] refused;

    RegisterChanges(Controls controls, Function<PagingState, String> objection, Findings findings) {
        this.controls = controls;
        this.objection = objection;
        this.findings = findings;
        refused = new String[controls.count()];
    }

    /** Why setting {@code i} is out of reach, as far as that is known; empty if it is not. */
    String refused(int i) {
        if (refused[i] == null) {
            refused[i] = objection.apply(controls.state(i));
        }
        return refused[i];
    }

    /** Plans what leads from the registers {@code now} to those of {@code v}; false if nothing is to be done. */
    boolean plan(Script script, PagingState now, Vector v) {
        PagingState goal = controls.state(v.control);
        // IA32_PKRS first, so that the window stays accessible when CR4.PKS is set.
        if (goal.has4(ControlBits.CR4_PKS) && goal.pkrs() != now.pkrs()) {
            script.add(Script.WRMSR, Msr.IA32_PKRS, goal.pkrs() & 0xffff_ffffL);
        }
        if (goal.cr0() != now.cr0()) {
            script.add(Script.CR0, 0, goal.cr0());
        }
        if (goal.cr4() != now.cr4()) {
            script.add(Script.CR4, 0, goal.cr4());
        }
        if (goal.has4(ControlBits.CR4_PKE) && goal.pkru() != now.pkru()) {
            script.add(Script.WRPKRU, 0, goal.pkru());
        }
        if (goal.efer() != efer(now)) {
            script.add(Script.WRMSR, Msr.IA32_EFER, goal.efer());
            // Translations that were cached with XD as it was, a right or a reserved bit, may stay until an invalidation.
            script.add(Script.CR3, 0, goal.cr3());
        }
        return script.count > 0;
    }

    /** EFER, but for what a hypervisor of its own has in it. */
    private static long efer(PagingState now) {
        return now.efer() & ~ControlBits.EFER_SVME;
    }

    /** The script has been executed and the registers are {@code now}. */
    void judge(Script script, PagingState now, Vector v) {
        for (int i = 0; i < script.count; i++) {
            if (script.exception[i] == Script.NONE) {
                continue;
            }
            String what = Script.NAMES[script.kind[i]] + String.format(" 0x%x", script.value[i]) + ": " + script.outcome(i);
            boolean hidden = (controls.state(v.control).cr4() & KEYS) != 0
                    && (script.kind[i] == Script.CR4 || script.kind[i] == Script.WRPKRU || script.address[i] == Msr.IA32_PKRS);
            refused[v.control] = hidden ? "protection keys are hidden from the guest" : what;
            if (!hidden) {
                findings.wrong(v.number, controls.describe(v.control), what + "; specification: the registers change");
            }
            return;
        }
        PagingState goal = controls.state(v.control);
        if (goal.cr0() != now.cr0() || goal.cr4() != now.cr4() || goal.efer() != efer(now)) {
            refused[v.control] = "the registers do not change";
            findings.wrong(v.number, controls.describe(v.control), String.format(
                    "CR0 0x%x, CR4 0x%x, EFER 0x%x; specification: CR0 0x%x, CR4 0x%x, EFER 0x%x",
                    now.cr0(), now.cr4(), now.efer(), goal.cr0(), goal.cr4(), goal.efer()));
        }
    }
}
