package org.penumbra.shell;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.felix.service.command.Descriptor;
import org.apache.felix.service.command.Parameter;
import org.apache.felix.service.command.CommandSession;
import org.osgi.framework.ServiceReference;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferenceCardinality;
import org.osgi.service.component.annotations.ReferencePolicy;
import org.osgi.service.component.annotations.ReferencePolicyOption;
import org.penumbra.api.cpu.EngineFactory;
import org.penumbra.api.interrupt.InterruptControllerFactory;
import org.penumbra.api.machine.HotSwap;
import org.penumbra.api.machine.Machine;
import org.penumbra.api.machine.Machines;
import org.penumbra.api.machine.SwapReport;
import org.penumbra.api.mmu.MmuFactory;
import org.penumbra.api.snapshot.SnapshotHeader;

/** Commands on virtual machines. A machine's number can be left out while there is only one. */
@Component(service = MachineCommands.class, property = {
    "osgi.command.scope=penumbra", "osgi.command.function=machines", "osgi.command.function=vms",
    "osgi.command.function=counters", "osgi.command.function=exits", "osgi.command.function=swaps",
    "osgi.command.function=swap", "osgi.command.function=engine", "osgi.command.function=audit",
    "osgi.command.function=snapshot", "osgi.command.function=controllers", "osgi.command.function=controller"
})
public final class MachineCommands {
    private static final long POLL_MILLIS = 10;

    private final Container container;

    /** Null while no hypervisor is installed. */
    @Reference(cardinality = ReferenceCardinality.OPTIONAL, policy = ReferencePolicy.DYNAMIC,
            policyOption = ReferencePolicyOption.GREEDY)
    volatile Machines machines;

    @Activate
    public MachineCommands(@Reference Container container) {
        this.container = container;
    }

    @Descriptor("lists the virtual machines that exist now")
    public List<MachineInfo> machines(
            @Descriptor("SECONDS wait so long for one to appear") @Parameter(names = {"-w", "--wait"}, absentValue = "0") String wait)
            throws InterruptedException {
        double seconds = Arguments.seconds(wait);
        long end = System.nanoTime() + (long) (seconds * 1e9);
        while (running().isEmpty() && System.nanoTime() < end) {
            Thread.sleep(POLL_MILLIS);
        }
        List<MachineInfo> infos = new ArrayList<>();
        running().forEach(r -> infos.add(info(r)));
        if (infos.isEmpty() && seconds > 0) {
            throw new UserError("no virtual machine appeared within " + wait + " seconds; 'jobs' says what runs");
        }
        return infos;
    }

    @Descriptor("the same as machines")
    public List<MachineInfo> vms(
            @Descriptor("SECONDS wait so long for one to appear") @Parameter(names = {"-w", "--wait"}, absentValue = "0") String wait)
            throws InterruptedException {
        return machines(wait);
    }

    @Descriptor("shows the counters of a machine, by KVM's names")
    public Map<String, Long> counters(@Descriptor("[ID] the machine's number") String... id) {
        return new TreeMap<>(find("counters", id).machine().counters());
    }

    @Descriptor("shows the exits of a machine by reason, the most costly first")
    public List<ExitInfo> exits(@Descriptor("[ID] the machine's number") String... id) {
        List<ExitInfo> rows = new ArrayList<>();
        find("exits", id).machine().exits().rows().forEach(r -> rows.add(new ExitInfo(r.reason().name(), r.samples(), r.cycles(),
                r.min(), r.max(), Math.round(r.average()))));
        return rows;
    }

    @Descriptor("lists the swaps of a machine, the oldest first")
    public List<SwapReport> swaps(@Descriptor("[ID] the machine's number") String... id) {
        return new ArrayList<>(find("swaps", id).machine().hotSwap().reports());
    }

    @Descriptor("replaces the design under a running guest")
    public SwapReport swap(
            @Descriptor("ID the machine's number") String id,
            @Descriptor("DESIGN the design that takes over") String design,
            @Descriptor("[KEY=VALUE...] settings of the design that differ from their defaults") String... settings) {
        Machines.Running running = machine(id);
        List<Map<String, List<String>>> offers = container.each(MmuFactory.class, r -> s -> {
            Map<String, List<String>> keys = new LinkedHashMap<>();
            s.settings().forEach(k -> keys.put(k.key(), k.choices()));
            return design.equals(r.getProperty(MmuFactory.MMU_NAME)) ? keys : null;
        });
        Map<String, List<String>> known = offers.stream().filter(o -> o != null).findFirst().orElseThrow(
                () -> Names.unknown("design", design, container.names(MmuFactory.class, MmuFactory.MMU_NAME)));
        return running.machine().hotSwap().swap(design, Arguments.settings(design, known, settings));
    }

    @Descriptor("replaces the execution engine under a running guest")
    public MachineInfo engine(
            @Descriptor("ID the machine's number") String id, @Descriptor("ENGINE the engine that takes over") String name) {
        Machines.Running running = machine(id);
        known("engine", name, EngineFactory.class, EngineFactory.ENGINE_NAME);
        running.machine().hotSwap().swapEngine(name);
        return info(running);
    }

    @Descriptor("checks the structures of a machine's MMU: their invariants, and that they lead nowhere but to the guest's memory")
    public Audit audit(@Descriptor("[ID] the machine's number") String... id) {
        Machines.Running running = find("audit", id);
        HotSwap swap = running.machine().hotSwap();
        List<String> violations = new ArrayList<>();
        swap.audit(violations::add);
        return new Audit(running.id(), swap.design(), violations, new ArrayList<>(swap.misconduct()));
    }

    @Descriptor("writes what a running guest goes on from into a file; 'penumbra restore FILE' does")
    public SnapshotInfo snapshot(
            CommandSession session, @Descriptor("ID the machine's number") String id, @Descriptor("FILE the file; an older one is replaced") String file)
            throws IOException {
        Machines.Running running = machine(id);
        Path path = Arguments.file(session, file);
        running.machine().snapshot(path);
        SnapshotHeader header = SnapshotHeader.of(path);
        return new SnapshotInfo(running.id(), path.toString(), header.fact(SnapshotHeader.DESIGN), header.number(SnapshotHeader.OPERATIONS), Files.size(path));
    }

    @Descriptor("lists the interrupt controllers that bundles offer")
    public List<ControllerInfo> controllers() {
        List<ControllerInfo> infos = new ArrayList<>();
        for (ServiceReference<InterruptControllerFactory> r : container.references(InterruptControllerFactory.class)) {
            infos.add(new ControllerInfo(String.valueOf(r.getProperty(InterruptControllerFactory.CONTROLLER_NAME)),
                    r.getBundle().getBundleId(), r.getBundle().getSymbolicName(), r.getBundle().getVersion().toString()));
        }
        return infos;
    }

    @Descriptor("replaces the interrupt controller under a running guest")
    public MachineInfo controller(
            @Descriptor("ID the machine's number") String id,
            @Descriptor("CONTROLLER the controller that takes over") String name) {
        Machines.Running running = machine(id);
        known("controller", name, InterruptControllerFactory.class, InterruptControllerFactory.CONTROLLER_NAME);
        running.machine().interrupts().swapController(name);
        return info(running);
    }

    /** The machines that exist now. */
    List<Machines.Running> running() {
        Machines service = machines;
        return service == null ? List.of() : service.running();
    }

    private void known(String kind, String name, Class<?> type, String property) {
        if (!container.names(type, property).contains(name)) {
            throw Names.unknown(kind, name, container.names(type, property));
        }
    }

    /** The machine of a command that takes one number at most. */
    private Machines.Running find(String command, String[] id) {
        if (id.length > 1) {
            throw new UserError(command + " takes one machine at most, not " + id.length);
        }
        return machine(id.length == 0 ? null : id[0]);
    }

    /** @param id null for the only machine */
    private Machines.Running machine(String id) {
        List<Machines.Running> all = running();
        List<String> ids = all.stream().map(r -> String.valueOf(r.id())).toList();
        if (all.isEmpty()) {
            throw new UserError("no virtual machine exists now; 'run EXPERIMENT' starts some, 'machines -w 10' waits for the first");
        }
        if (id == null && all.size() > 1) {
            throw new UserError("there are several machines; say which: " + String.join(", ", ids));
        }
        return all.stream().filter(r -> id == null || String.valueOf(r.id()).equals(id)).findFirst()
                .orElseThrow(() -> new UserError("unknown machine '" + id + "'; known: " + String.join(", ", ids)));
    }

    private static MachineInfo info(Machines.Running running) {
        Machine machine = running.machine();
        HotSwap swap = machine.hotSwap();
        return new MachineInfo(running.id(), swap.design(), swap.waiting() ? "waiting" : "running", machine.mmuBundle(),
                machine.vcpus(), machine.operations(), swap.reports().size());
    }
}
