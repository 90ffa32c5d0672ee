package org.penumbra.vmx;

import java.util.Arrays;
import java.util.function.Consumer;
import java.util.function.LongConsumer;
import org.eclipse.collections.impl.list.mutable.primitive.LongArrayList;
import org.penumbra.api.machine.DirtyLogControl;
import org.penumbra.api.machine.DirtyRingReader;
import org.penumbra.api.machine.MachineException;
import org.penumbra.vmx.memory.DirtyBitmap;
import org.penumbra.vmx.memory.DirtyRing;

/** Dirty logging as user space sees it. Every change happens with the gate closed, so that no write is between two harvests. */
final class DirtyLogging implements DirtyLogControl {
    private final VirtualMachine machine;
    private final DirtyBitmap log;
    /** Told when a ring is full. */
    private volatile DirtyRingReader reader;

    DirtyLogging(VirtualMachine machine) {
        this.machine = machine;
        this.log = machine.memory.dirty();
    }

    @Override
    public void start() {
        start(attachment -> begin(attachment, () -> log.activate(false)));
    }

    @Override
    public void startAllSet() {
        // Whatever is written before a frame is cleared is in the log already, so the MMU has nothing to notice.
        start(attachment -> machine.memory.allSlots().forEach(slot -> log.markAll(slot.baseGfn(), slot.endGfn())));
    }

    @Override
    public void startRings(int entries, DirtyRingReader told) {
        DirtyRing[] rings = new DirtyRing[machine.vcpus.length];
        try {
            Arrays.setAll(rings, i -> new DirtyRing(entries));
        } catch (IllegalArgumentException e) {
            throw new MachineException(e.getMessage());
        }
        start(attachment -> {
            reader = told;
            log.rings(rings);
            begin(attachment, () -> log.activate(false));
        });
    }

    @Override
    public void harvestRings(DirtyRingReader.Entries entries) {
        LongArrayList[] told = new LongArrayList[log.rings().length];
        read("to harvest the dirty rings", attachment -> {
            for (int i = 0; i < told.length; i++) {
                told[i] = new LongArrayList();
                for (long gfn = log.rings()[i].tell(); gfn >= 0; gfn = log.rings()[i].tell()) {
                    told[i].add(gfn);
                }
            }
        });
        for (int i = 0; i < told.length; i++) {
            int vcpu = i;
            told[i].forEach(gfn -> entries.dirty(vcpu, gfn));
        }
    }

    @Override
    public int resetRings() {
        LongArrayList freed = new LongArrayList();
        read("to reset the dirty rings", attachment -> {
            for (DirtyRing ring : log.rings()) {
                for (long gfn = ring.free(); gfn >= 0; gfn = ring.free()) {
                    freed.add(gfn);
                }
            }
            rearm(attachment, freed);
        });
        return freed.size();
    }

    /** True if {@code vcpu} is to stay out of the guest until its ring was reset. By the thread that runs it. */
    boolean ringFull(int vcpu) {
        DirtyRing[] rings = log.rings();
        return rings.length != 0 && rings[vcpu].softFull();
    }

    /** Has user space look after the ring of {@code vcpu}, if it is full. By the thread that runs it, outside the gate. */
    void serveRing(int vcpu) {
        if (ringFull(vcpu)) {
            reader.full(vcpu);
        }
    }

    private void start(Consumer<Attachment> first) {
        machine.swapper().alone("to start the dirty log", attachment -> {
            if (log.activated()) {
                throw new MachineException("the dirty log is on already");
            }
            if (attachment != null && !attachment.mmu().logs()) {
                throw new MachineException("design " + attachment.plugin().title() + " cannot log dirty frames");
            }
            collect(attachment);
            log.activate(true);
            first.accept(attachment);
        });
    }

    /** Has every write noticed from now on, also where the MMU has mapped frames writable; {@code undo} is done if it fails over it. */
    void begin(Attachment attachment, Runnable undo) {
        boolean done = false;
        try {
            if (attachment != null) {
                attachment.mmu().startDirtyLog(machine.hostClock);
                machine.flushTlbs(machine.hostClock);
            }
            done = true;
        } finally {
            if (!done) {
                undo.run();
            }
        }
    }

    /**
     * Puts what only the structures of the MMU know into the log, if there is one: before the log begins for more frames, since the
     * dirty flags of all start afresh then.
     */
    void collect(Attachment attachment) {
        if (attachment != null && log.active()) {
            for (VirtualCpu vcpu : machine.vcpus) {
                vcpu.drainModificationLog();
            }
            attachment.mmu().collectDirty(machine.hostClock);
        }
    }

    @Override
    public void harvest(LongConsumer gfns) {
        harvest(0, Long.MAX_VALUE, gfns);
    }

    /** The same for the gfns from {@code from} up to, not including, {@code to}. */
    void harvest(long from, long to, LongConsumer gfns) {
        LongArrayList taken = new LongArrayList();
        read("to harvest the dirty log", attachment -> {
            log.take(from, to, taken::add);
            rearm(attachment, taken);
        });
        taken.forEach(gfns::accept);
    }

    @Override
    public void get(LongConsumer gfns) {
        LongArrayList marked = new LongArrayList();
        read("to read the dirty log", attachment -> log.tell(marked::add));
        marked.forEach(gfns::accept);
    }

    @Override
    public void clear(long firstGfn, long[] mask) {
        read("to clear the dirty log", attachment -> {
            LongArrayList taken = new LongArrayList();
            for (int w = 0; w < mask.length; w++) {
                for (long bits = mask[w]; bits != 0; bits &= bits - 1) {
                    long gfn = firstGfn + 64L * w + Long.numberOfTrailingZeros(bits);
                    log.take(gfn, gfn + 1, taken::add);
                }
            }
            rearm(attachment, taken);
        });
    }

    /** Does {@code work} with the log complete and no vCPU in the guest; what an MMU found in its structures it finds anew afterwards. */
    private void read(String purpose, Consumer<Attachment> work) {
        machine.swapper().alone(purpose, attachment -> {
            if (!log.active()) {
                throw new MachineException("the dirty log is off: start it first");
            }
            collect(attachment);
            work.accept(attachment);
            machine.flushTlbs(machine.hostClock);
        });
    }

    /** Has the next write to each of the frames {@code taken} from the log noticed; they return to it if the MMU fails over it. */
    private void rearm(Attachment attachment, LongArrayList taken) {
        boolean done = false;
        try {
            if (attachment != null) {
                taken.forEach(gfn -> attachment.mmu().rearmDirty(gfn, machine.hostClock));
            }
            done = true;
        } finally {
            if (!done) {
                taken.forEach(log::mark);
            }
        }
    }

    @Override
    public void stop() {
        machine.swapper().alone("to stop the dirty log", attachment -> {
            log.activate(false);
            if (attachment != null && !log.active()) {
                attachment.mmu().stopDirtyLog(machine.hostClock);
            }
        });
    }
}
