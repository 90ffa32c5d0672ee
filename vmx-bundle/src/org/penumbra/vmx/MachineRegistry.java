package org.penumbra.vmx;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Consumer;
import org.osgi.service.component.annotations.Component;
import org.penumbra.api.machine.Machines;

/** The virtual machines that are not closed yet. */
@Component(service = {Machines.class, MachineRegistry.class})
public final class MachineRegistry implements Machines {
    private final Map<Integer, VirtualMachine> machines = new TreeMap<>();
    private int last;

    synchronized void add(VirtualMachine machine) {
        machines.put(++last, machine);
    }

    synchronized void remove(VirtualMachine machine) {
        machines.values().remove(machine);
    }

    /** Does {@code action} with each machine there is now, without a lock of its own. */
    void each(Consumer<VirtualMachine> action) {
        List<VirtualMachine> all;
        synchronized (this) {
            all = new ArrayList<>(machines.values());
        }
        all.forEach(action);
    }

    @Override
    public synchronized List<Running> running() {
        List<Running> running = new ArrayList<>();
        machines.forEach((id, machine) -> running.add(new Running(id, machine)));
        return running;
    }
}
