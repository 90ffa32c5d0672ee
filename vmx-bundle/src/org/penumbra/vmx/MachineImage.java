package org.penumbra.vmx;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.penumbra.api.machine.MachineConfig;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.snapshot.Saved;
import org.penumbra.api.snapshot.SnapshotHeader;
import org.penumbra.vmx.snapshot.RegisterImage;
import org.penumbra.vmx.snapshot.SnapshotReader;
import org.penumbra.vmx.snapshot.SnapshotWriter;

/**
 * One machine in a snapshot: all architectural state, and nothing that an MMU, a TLB or an engine derives from it.
 *
 * <pre>
 *  part          what it holds
 *  registers N   the register file of vCPU N
 *  vcpu N        guest time, halted or finished, pending events, CR3 slots, local APIC
 *  guest N       steps: position in batch and handler, digest, what the program was asked
 *  time          guest time that was skipped while all were halted
 *  interrupts    name and state of the controller, routes, lines, 8259s
 *  devices       each device by where it is
 *  slots, dirty  memory slots; whether all is logged, and the log
 * </pre>
 */
final class MachineImage {
    /** Figures of the processor model that a guest sees, by CPUID or by what faults. */
    private static final List<String> SEEN = List.of("cpu.maxphyaddr", "cpu.linear-address-bits");

    private final VirtualMachine machine;

    MachineImage(VirtualMachine machine) {
        this.machine = machine;
    }

    /**
     * Writes {@code file}. With the gate closed and no timer due.
     *
     * @param attachment null while a design is waited for
     */
    void save(Path file, Attachment attachment) {
        if (!machine.alive()) {
            throw new MachineException("the machine has ended: there is nothing to go on from");
        }
        String engine = machine.swapper().engines().name();
        for (VirtualCpu vcpu : machine.vcpus) {
            if (vcpu.engine() == null) {
                throw new MachineException("the machine waits for its engine " + engine);
            }
            if (!vcpu.engine().saves()) {
                throw new MachineException("engine " + engine + " keeps its guest where no snapshot finds it");
            }
            vcpu.settle();
        }
        machine.dirtyLog().collect(attachment);
        SnapshotWriter.write(file, header(attachment), this::write);
        if (machine.memory.dirty().active()) {
            // Dirty flags were taken: they are to be set anew.
            machine.flushTlbs(machine.hostClock);
        }
    }

    private SnapshotHeader header(Attachment attachment) {
        MachineConfig config = machine.config;
        Map<String, String> facts = new TreeMap<>();
        facts.put(SnapshotHeader.MEMORY, String.valueOf(config.memoryBytes()));
        facts.put(SnapshotHeader.HOST_PAGE_LEVEL, String.valueOf(config.hostPageLevel()));
        facts.put(SnapshotHeader.HARDWARE, config.hardware().name());
        facts.put(SnapshotHeader.VCPUS, String.valueOf(config.vcpus()));
        facts.put(SnapshotHeader.SHADOW_VMCS, String.valueOf(config.shadowVmcs()));
        facts.put(SnapshotHeader.ENGINE, machine.swapper().engines().name());
        facts.put(SnapshotHeader.DESIGN, machine.swapper().design());
        facts.put(SnapshotHeader.BUNDLE, attachment == null ? "" : attachment.plugin().bundle());
        facts.put(SnapshotHeader.OPERATIONS, String.valueOf(machine.operations()));
        figures(config).forEach((key, value) -> facts.put(SnapshotHeader.FIGURE + key, value));
        machine.identity().forEach((key, value) -> facts.put(SnapshotHeader.GUEST + key, value));
        return new SnapshotHeader(facts);
    }

    private static Map<String, String> figures(MachineConfig config) {
        Map<String, String> seen = new TreeMap<>();
        SEEN.forEach(key -> seen.put(key, String.valueOf(config.hardware().figure(key))));
        return seen;
    }

    private void write(SnapshotWriter to) throws IOException {
        for (VirtualCpu vcpu : machine.vcpus) {
            to.section("registers " + vcpu.id(), out -> RegisterImage.save(vcpu.registers(), out));
            to.section("vcpu " + vcpu.id(), vcpu::save);
            to.section("guest " + vcpu.id(), vcpu.booted()::save);
        }
        to.section("time", machine.timeline()::save);
        to.section("interrupts", saved(machine.interrupts, "interrupts")::save);
        to.section("devices", saved(machine.ports, "devices")::save);
        to.section("slots", machine.memory::saveSlots);
        to.section("dirty", machine.memory.dirty()::save);
        IOException[] failure = new IOException[1];
        machine.memory.pages((hva, hpa) -> {
            try {
                if (failure[0] == null) {
                    to.page(hva, machine.memory.physical(), hpa);
                }
            } catch (IOException e) {
                failure[0] = e;
            }
        });
        if (failure[0] != null) {
            throw failure[0];
        }
    }

    private static Saved saved(Object part, String what) {
        if (part instanceof Saved s) {
            return s;
        }
        throw new MachineException("the " + what + " of this machine keep their state to themselves (" + part.getClass().getName() + ")");
    }

    /** @throws MachineException if {@code from} is none of a machine as {@code config} describes, with a guest of that {@code identity} */
    static void require(SnapshotReader from, MachineConfig config, Map<String, String> identity) {
        SnapshotHeader header = from.header();
        same(from, "memory in bytes", header.fact(SnapshotHeader.MEMORY), config.memoryBytes());
        same(from, "number of vCPUs", header.fact(SnapshotHeader.VCPUS), config.vcpus());
        same(from, "VMCS shadowing", header.fact(SnapshotHeader.SHADOW_VMCS), config.shadowVmcs());
        same(from, "processor", header.under(SnapshotHeader.FIGURE), figures(config));
        same(from, "guest", header.under(SnapshotHeader.GUEST), identity);
    }

    private static void same(SnapshotReader from, String what, Object saved, Object here) {
        if (!saved.toString().equals(here.toString())) {
            throw new MachineException(from.file() + " does not fit: its " + what + " is " + saved + ", here it is " + here);
        }
    }

    /** Takes slots and pages, ahead of all that looks at them. */
    void restoreMemory(SnapshotReader from) {
        from.read("slots", in -> machine.memory.restoreSlots(in, machine.physicalAddressBits()));
        from.pages(machine.memory::fill);
    }

    /** Takes all the rest but the registers. The vCPUs are there, with their registers, and nothing has run. */
    void restore(SnapshotReader from) {
        for (VirtualCpu vcpu : machine.vcpus) {
            from.read("guest " + vcpu.id(), vcpu.booted()::restore);
        }
        // Guest time first: timers are set by it.
        from.read("time", machine.timeline()::restore);
        for (VirtualCpu vcpu : machine.vcpus) {
            from.read("vcpu " + vcpu.id(), vcpu::restore);
        }
        from.read("interrupts", saved(machine.interrupts, "interrupts")::restore);
        from.read("devices", saved(machine.ports, "devices")::restore);
        from.read("dirty", machine.memory.dirty()::restore);
    }
}
