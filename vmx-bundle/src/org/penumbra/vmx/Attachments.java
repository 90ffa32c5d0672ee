package org.penumbra.vmx;

import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.mmu.MmuFactory;

/**
 * Makes MMUs, puts them under the vCPUs of one machine and takes them out again: with the gate closed, by one thread at a time. They are
 * called on a thread that can be given up, so that no stuck one keeps whoever swaps.
 */
final class Attachments {
    private final VirtualMachine machine;
    private final Errands errands = new Errands();
    /** Those whose MMU may be called: the one in charge, and one that is being made. */
    private final List<Attachment> inUse = new CopyOnWriteArrayList<>();

    Attachments(VirtualMachine machine) {
        this.machine = machine;
    }

    /** Those whose MMU may be called now. */
    List<Attachment> inUse() {
        return inUse;
    }

    /**
     * Makes an MMU of {@code plugin}; nothing of the machine is changed.
     *
     * @throws MachineException if the design objects to the guest as it is now, or cannot log while the dirty log is on
     */
    Attachment make(Plugin<MmuFactory> plugin, Map<String, String> chosen) {
        Attachment made = new Attachment(machine, plugin, chosen);
        inUse.add(made);
        boolean done = false;
        try {
            errand(made, made::make);
            if (machine.memory.dirty().active() && !made.mmu().logs()) {
                throw new MachineException("design " + plugin.title() + " cannot log dirty frames, and the dirty log is on");
            }
            done = true;
        } finally {
            if (!done) {
                discard(made);
            }
        }
        return made;
    }

    private void discard(Attachment made) {
        inUse.remove(made);
        made.revoke();
        made.release();
    }

    /** Has {@code work}, which calls the MMU of {@code attachment}, done on the thread for it. */
    void errand(Attachment attachment, Runnable work) {
        try {
            errands.run(work);
        } catch (AbandonedException e) {
            throw new MmuFailure(attachment.guard().failure());
        }
    }

    /** Gives {@code thread} up if MMUs are called on it here; false if not. */
    boolean replace(Thread thread) {
        return errands.replace(thread);
    }

    /** Has every vCPU use {@code made}. If that fails, it is discarded and the vCPUs have no MMU. */
    void attach(Attachment made) {
        boolean done = false;
        try {
            errand(made, () -> {
                for (VirtualCpu vcpu : machine.vcpus) {
                    vcpu.attach(made);
                }
            });
            done = true;
        } finally {
            if (!done) {
                for (VirtualCpu vcpu : machine.vcpus) {
                    vcpu.detach();
                }
                discard(made);
            }
        }
    }

    /**
     * Takes {@code old} out: its dirty bits are moved into the log, its translations flushed, its lease revoked.
     *
     * @param wellBehaved it may still be called
     * @return frames of structures that it gave up
     */
    long giveUp(Attachment old, boolean wellBehaved) {
        long frames = old.lease().frames();
        boolean logging = machine.memory.dirty().active();
        boolean[] drained = {!logging};
        try {
            boolean behaves = wellBehaved && (!machine.checked() || asked(old, () -> old.isolation(line -> machine.swapper().broke(old, line))));
            for (VirtualCpu vcpu : machine.vcpus) {
                vcpu.leaveGuest();
            }
            if (behaves) {
                asked(old, () -> {
                    if (logging) {
                        old.mmu().collectDirty(machine.hostClock);
                        drained[0] = true;
                    }
                    old.mmu().close();
                });
            }
        } finally {
            if (!drained[0]) {
                // Nobody knows what was written: better too many frames than one too few.
                machine.memory.markAll();
            }
            drop(old);
        }
        return frames;
    }

    /** The same as {@link #errand}; false if the MMU failed over it. The guard has reported it then, and what follows needs nothing of it. */
    private boolean asked(Attachment attachment, Runnable work) {
        try {
            errand(attachment, work);
            return true;
        } catch (MmuFailure e) {
            return false;
        }
    }

    private void drop(Attachment old) {
        old.revoke();
        for (VirtualCpu vcpu : machine.vcpus) {
            vcpu.flushes().all(vcpu.clock());
            vcpu.detach();
        }
        inUse.remove(old);
        old.release();
    }

    /** Ends the thread. */
    void close() {
        errands.close();
    }
}
