package org.penumbra.testkit.lattice;

import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.guest.GuestState;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.verify.VectorSelection;
import org.penumbra.api.verify.VerificationGuest;
import org.penumbra.api.verify.VerificationReport;
import org.penumbra.testkit.reference.EntryBits;
import org.penumbra.testkit.script.ScriptEngineFactory;
import org.penumbra.testkit.script.ScriptedGuest;

/**
 * The guest that goes through the vectors of a selection: for each it plans a script, which the engine executes, and judges it. One thread.
 */
final class LatticeGuest extends ScriptedGuest implements VerificationGuest {
    /** So many vectors are run between two looks at everything that should not have changed. */
    private static final int SWEEP_EVERY = 16_384;

    private enum Phase { START, REGISTERS, VECTOR, SWEEP }

    private final Lattice lattice;
    private final Numbers numbers;
    private final long planned;
    private final Findings findings;
    private final RegisterChanges registers;
    private final Trial trial;
    private final Sweep sweep;
    private final Vector vector = new Vector();
    private Phase phase = Phase.START;
    private int sinceSweep;

    LatticeGuest(VectorSelection selection) {
        lattice = new Lattice(selection.mode(), selection.physicalAddressBits());
        numbers = new Numbers(selection, lattice.size());
        planned = numbers.left();
        findings = new Findings(lattice.size());
        KnownMemory memory = new KnownMemory(lattice.layout);
        registers = new RegisterChanges(lattice.controls, selection.objection(), findings);
        trial = new Trial(lattice, selection.physicalAddressBits(), memory, findings);
        sweep = new Sweep(lattice.layout, memory, findings);
    }

    /** False if all vectors have been run. */
    @Override
    protected boolean advance(PagingState now) {
        switch (phase) {
            case REGISTERS:
                registers.judge(script, now, vector);
                break;
            case VECTOR:
                trial.judge(script);
                numbers.advance();
                sinceSweep++;
                break;
            case SWEEP:
                sweep.judge(script, vector);
                sinceSweep = 0;
                break;
            default:
                break;
        }
        script.clear();
        while (sinceSweep < SWEEP_EVERY && numbers.peek() >= 0) {
            lattice.decode(numbers.peek(), vector);
            String refused = registers.refused(vector.control);
            if (!refused.isEmpty()) {
                findings.skipped(refused, numbers.skipTo(lattice.afterControl(vector)));
                continue;
            }
            if (vector.family == Lattice.Family.PDPTES && now.pdptes().inMemory()) {
                findings.skipped("there are no PDPTE registers", 1);
                numbers.advance();
                continue;
            }
            if (registers.plan(script, now, vector)) {
                phase = Phase.REGISTERS;
                return true;
            }
            if (trial.plan(script, vector)) {
                phase = Phase.VECTOR;
                return true;
            }
            findings.skipped("the page is where no memory is", 1);
            numbers.advance();
        }
        phase = Phase.SWEEP;
        sweep.plan(script);
        return sinceSweep > 0;
    }

    @Override
    public GuestState[] boot(Loader loader, RegisterFile[] vcpus, long memoryBytes) {
        if (vcpus.length != 1 || memoryBytes < Layout.MEMORY) {
            throw new MachineException("the access lattice needs one vCPU and " + (Layout.MEMORY >> 20) + " MiB of memory");
        }
        Layout layout = lattice.layout;
        layout.loadWindow(loader, EntryBits.P | EntryBits.RW | EntryBits.A | EntryBits.D);
        if (lattice.layout.mode == PagingMode.PAE) {
            long[] pdptes = layout.pdptes();
            for (int i = 0; i < pdptes.length; i++) {
                loader.store64(Layout.PDPTES + 8L * i, pdptes[i]);
            }
        }
        for (long word : layout.words()) {
            loader.store64(word & -8L, KnownMemory.signature(word) << 8 * (word & 7));
        }
        vcpus[0].paging = bootState();
        return new GuestState[] {new GuestState(this)};
    }

    @Override
    public String engine() {
        return ScriptEngineFactory.NAME;
    }

    @Override
    public long memoryBytes() {
        return Layout.MEMORY;
    }

    @Override
    public PagingState bootState() {
        return lattice.controls.state(0);
    }

    @Override
    public long planned() {
        return planned;
    }

    @Override
    public long done() {
        return findings.done();
    }

    @Override
    public VerificationReport report() {
        return findings.report();
    }
}
