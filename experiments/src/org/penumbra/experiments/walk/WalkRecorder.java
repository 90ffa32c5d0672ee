package org.penumbra.experiments.walk;

import java.util.ArrayList;
import java.util.List;
import org.penumbra.api.cpu.WalkListener;
import org.penumbra.api.paging.EntryFormat;
import org.penumbra.api.paging.MemoryType;
import org.penumbra.api.vmx.ExitReason;
import org.penumbra.api.vmx.ExitRecord;
import org.penumbra.experiments.walk.WalkStep.Exited;
import org.penumbra.experiments.walk.WalkStep.Reference;
import org.penumbra.experiments.walk.WalkStep.Served;
import org.penumbra.experiments.walk.WalkStep.Translated;
import org.penumbra.experiments.walk.WalkStep.Updated;

/** Writes down what a processor tells of its translations. One thread. */
final class WalkRecorder implements WalkListener {
    private List<WalkStep> steps = new ArrayList<>();
    private int references;

    /** What was written down since the last call. */
    List<WalkStep> take() {
        List<WalkStep> taken = List.copyOf(steps);
        steps = new ArrayList<>();
        references = 0;
        return taken;
    }

    @Override
    public void served(Cache cache, long address, int level, long result) {
        steps.add(new Served(cache, address, level, result));
    }

    @Override
    public void referenced(EntryFormat format, boolean nested, int level, long at, long hpa, long entry, int dataCache) {
        steps.add(new Reference(++references, nested, level, format.entryName(level), at, hpa, entry, format.decode(level, entry), dataCache));
    }

    @Override
    public void translated(long gva, long hpa, int shift, MemoryType type) {
        steps.add(new Translated(gva, hpa, shift, type));
    }

    @Override
    public void updated(EntryFormat format, boolean nested, int level, long hpa, long entry) {
        steps.add(new Updated(nested, level, format.entryName(level), hpa, entry, format.decode(level, entry)));
    }

    void exited(ExitRecord exit) {
        boolean fault = exit.reason == ExitReason.EXCEPTION_NMI.number();
        steps.add(new Exited(ExitReason.of(exit.reason), exit.guestPhysical, fault ? exit.qualification : exit.guestLinear, exit.errorCode,
                false));
        references = 0;
    }

    /** The hypervisor executed the operation of the last exit. */
    void emulated() {
        for (int i = steps.size() - 1; i >= 0; i--) {
            if (steps.get(i) instanceof Exited e) {
                steps.set(i, new Exited(e.reason(), e.gpa(), e.gva(), e.errorCode(), true));
                return;
            }
        }
    }
}
