package org.penumbra.devices.interrupt;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.osgi.framework.ServiceReference;
import org.penumbra.api.interrupt.ControllerState;
import org.penumbra.api.interrupt.Descriptor;
import org.penumbra.api.interrupt.ErrnoException;
import org.penumbra.api.interrupt.EventDescriptor;
import org.penumbra.api.interrupt.GsiRoute;
import org.penumbra.api.interrupt.InterruptController;
import org.penumbra.api.interrupt.InterruptTarget;
import org.penumbra.api.interrupt.Interrupts;
import org.penumbra.api.interrupt.Registration;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.snapshot.Saved;

/**
 * The interrupts of one machine. One lock guards lines, routing, latch and controller, so that each signal is whole: it goes by
 * one routing table to one controller, or into the latch. What a call leads to outside, kicks and resample events, is gathered
 * under the lock and done after it was released. Lock order: registry, machine, event; the last is a leaf.
 *
 * <p>One class although it is long: everything in it reads or writes the controller under that lock.
 */
final class MachineInterrupts implements Interrupts, InterruptController.Host, Saved {
    private final Object lock = new Object();
    private final ControllerRegistry registry;
    private final int vcpus;
    private final Readiness readiness;
    private final Lines lines = new Lines();
    /** Wired to the GSIs below 16; what they ask for goes to vCPU 0 while {@link #external}. */
    private final PicPair pics = new PicPair();
    private boolean external = true;
    /** Task priority of each vCPU. */
    private final int[] priority;
    private final LogicalIds logicalIds;
    private final Resamplers resamplers = new Resamplers();
    private final Latch latch;
    private final List<Irqfd> irqfds = new ArrayList<>();
    private volatile RoutingTable table = RoutingTable.identity();

    /** The controller in charge and where it comes from; null while it is waited for, and then {@link #kept} is not. */
    private InterruptController controller;
    private ServiceReference<?> origin;
    private ControllerState kept;
    private String name;
    /** Levels that the controller knows, a bit per pin. */
    private int told;
    private boolean closed;

    MachineInterrupts(ControllerRegistry registry, int vcpus, InterruptTarget target, String name) {
        this.registry = registry;
        this.vcpus = vcpus;
        this.name = name;
        kept = ControllerState.initial(vcpus);
        readiness = new Readiness(vcpus, target, this::requested);
        priority = new int[vcpus];
        logicalIds = new LogicalIds(vcpus);
        latch = new Latch(vcpus);
    }

    // Signals.

    /** {@code irqfd_inject}. An irqfd that was given up meanwhile still delivers its edge, but holds no line. */
    void inject(Irqfd irqfd) {
        long kicks;
        synchronized (lock) {
            if (irqfd.resample == null) {
                set(irqfd.gsi, KVM_USERSPACE_IRQ_SOURCE_ID, true);
                set(irqfd.gsi, KVM_USERSPACE_IRQ_SOURCE_ID, false);
            } else if (irqfd.tied) {
                set(irqfd.gsi, KVM_IRQFD_RESAMPLE_IRQ_SOURCE_ID, true);
            }
            kicks = readiness.refresh();
        }
        readiness.tell(kicks);
    }

    @Override
    public void setLine(int gsi, boolean high, int source) {
        checkGsi(gsi);
        if (source < 0 || source >= SOURCES || source == KVM_IRQFD_RESAMPLE_IRQ_SOURCE_ID) {
            throw new ErrnoException(ErrnoException.EINVAL, "a line cannot be set for source " + source);
        }
        long kicks;
        synchronized (lock) {
            set(gsi, source, high);
            kicks = readiness.refresh();
        }
        readiness.tell(kicks);
    }

    @Override
    public void msi(long address, int data) {
        long kicks;
        synchronized (lock) {
            message(address, data);
            kicks = readiness.refresh();
        }
        readiness.tell(kicks);
    }

    /** {@code kvm_set_irq}. */
    private void set(int gsi, int source, boolean high) {
        boolean changed = lines.set(gsi, source, high);
        if (changed && gsi < PicPair.LINES) {
            wire(gsi);
        }
        GsiRoute route = table.route(gsi);
        if (route instanceof GsiRoute.Msi m) {
            if (high) {
                message(m.address(), m.data());
            }
        } else if (changed && route instanceof GsiRoute.Pin p && lines.change(gsi, p.pin())) {
            line(p.pin());
        }
    }

    private void wire(int gsi) {
        pics.set(gsi, lines.isHigh(gsi));
        if (externalRequested()) {
            readiness.accepted(0);
        }
    }

    /** The local APIC of vCPU 0, which is the controller's, lets the request of the 8259s through. */
    private boolean externalRequested() {
        return external && controller != null && pics.output();
    }

    @Override
    public void external(int vcpu, boolean open) {
        if (vcpu != 0) {
            return;
        }
        synchronized (lock) {
            external = open;
            readiness.refresh(0);
        }
    }

    @Override
    public void logicalId(int vcpu, int register, int format) {
        synchronized (lock) {
            logicalIds.set(vcpu, register, format);
        }
    }

    @Override
    public boolean logical(int vcpu, int destination) {
        return logicalIds.matches(vcpu, destination);
    }

    @Override
    public void priority(int vcpu, int taskPriority) {
        synchronized (lock) {
            priority[vcpu] = taskPriority;
            readiness.refresh(vcpu);
        }
    }

    private boolean requested(int vcpu) {
        return controllerRequested(vcpu) || vcpu == 0 && externalRequested();
    }

    /** The controller has something for {@code vcpu} that its task priority does not hold back. */
    private boolean controllerRequested(int vcpu) {
        if (controller == null || !controller.pending(vcpu)) {
            return false;
        }
        return priority[vcpu] < 16 || ControllerState.highest(controller.state().irr(), vcpu) >> 4 > priority[vcpu] >> 4;
    }

    /** Does something to the 8259s. */
    void pics(Consumer<PicPair> work) {
        long kicks;
        synchronized (lock) {
            work.accept(pics);
            readiness.accepted(0);
            kicks = readiness.refresh();
        }
        readiness.tell(kicks);
    }

    private void line(int pin) {
        boolean high = lines.isPinHigh(pin);
        if (controller != null) {
            tell(pin, high);
        } else if (high && !closed) {
            latch.rose(pin);
        }
    }

    private void tell(int pin, boolean high) {
        told(pin, high);
        controller.line(pin, high);
    }

    private void told(int pin, boolean high) {
        told = high ? told | 1 << pin : told & ~(1 << pin);
    }

    private void message(long address, int data) {
        if (controller != null) {
            controller.msi(address, data);
        } else if (!closed) {
            latch.message(address, data);
        }
    }

    @Override
    public void redirect(int pin, long entry) {
        GsiRoute.Pin checked = new GsiRoute.Pin(pin);
        long kicks;
        synchronized (lock) {
            if (controller != null) {
                controller.redirect(checked.pin(), entry);
            } else {
                latch.redirect(checked.pin(), entry);
            }
            kicks = readiness.refresh();
        }
        readiness.tell(kicks);
    }

    // What the controller tells; under the lock.

    @Override
    public void delivered(int vcpu) {
        readiness.accepted(vcpu);
    }

    @Override
    public void nonMaskable(int vcpu) {
        readiness.nonMaskable(vcpu);
    }

    /** {@code irqfd_resampler_ack}, for every GSI of the pin: lowered once, and all its resample events. */
    @Override
    public boolean acked(int pin) {
        for (int gsi : table.gsisOf(pin)) {
            if (resamplers.has(gsi)) {
                if (lines.set(gsi, KVM_IRQFD_RESAMPLE_IRQ_SOURCE_ID, false)) {
                    if (gsi < PicPair.LINES) {
                        wire(gsi);
                    }
                    lines.change(gsi, pin);
                }
                resamplers.ring(gsi);
            }
        }
        boolean high = lines.isPinHigh(pin);
        told(pin, high);
        return high;
    }

    // The vCPU's side.

    @Override
    public boolean pending(int vcpu) {
        return readiness.pending(vcpu);
    }

    @Override
    public int acknowledge(int vcpu) {
        synchronized (lock) {
            if (controller == null) {
                return -1;
            }
            // KVM: kvm_cpu_get_interrupt.
            int vector = vcpu == 0 && externalRequested() ? pics.acknowledge() : controllerRequested(vcpu) ? controller.acknowledge(vcpu) : -1;
            readiness.refresh(vcpu);
            return vector;
        }
    }

    @Override
    public void endOfInterrupt(int vcpu) {
        long kicks;
        EventDescriptor[] resample;
        synchronized (lock) {
            if (controller == null) {
                latch.endOfInterrupt(vcpu, kept);
                return;
            }
            controller.endOfInterrupt(vcpu);
            readiness.refresh(vcpu);
            kicks = readiness.refresh();
            resample = resamplers.take();
        }
        readiness.tell(kicks);
        Resamplers.signal(resample);
    }

    // Routing and irqfds.

    @Override
    public Map<Integer, GsiRoute> routes() {
        return table.byGsi();
    }

    @Override
    public void routes(Map<Integer, GsiRoute> routes) {
        RoutingTable fresh = new RoutingTable(routes);
        long kicks;
        synchronized (lock) {
            table = fresh;
            int changed = lines.reroute(fresh);
            for (int pin = 0; changed >>> pin != 0; pin++) {
                if ((changed & 1 << pin) != 0) {
                    line(pin);
                }
            }
            kicks = readiness.refresh();
        }
        readiness.tell(kicks);
    }

    /** {@code kvm_irqfd_assign}. */
    @Override
    public Registration irqfd(EventDescriptor event, int gsi, EventDescriptor resample) {
        checkGsi(gsi);
        if (resample != null && (resample.poll() & Descriptor.POLLNVAL) != 0) {
            throw new ErrnoException(ErrnoException.EBADF, "the resample event of GSI " + gsi + " is closed");
        }
        Irqfd irqfd = new Irqfd(this, event, gsi, resample);
        synchronized (lock) {
            checkOpen();
            for (Irqfd other : irqfds) {
                if (other.event == event) {
                    throw new ErrnoException(ErrnoException.EBUSY, "the event is tied to GSI " + other.gsi + " already");
                }
            }
            irqfds.add(irqfd);
            irqfd.tied = true;
            if (resample != null) {
                resamplers.add(gsi, resample);
            }
        }
        try {
            irqfd.hook();
        } catch (ErrnoException e) {
            detach(irqfd);
            throw e;
        }
        synchronized (lock) {
            if (!closed) {
                return irqfd;
            }
        }
        irqfd.close();
        throw new ErrnoException(ErrnoException.EBADF, "the machine's interrupts are closed");
    }

    /** Gives up the GSI of an irqfd that is not called any more; the second time does nothing. */
    void detach(Irqfd irqfd) {
        synchronized (lock) {
            if (!irqfd.tied) {
                return;
            }
            irqfd.tied = false;
            irqfds.remove(irqfd);
            if (irqfd.resample != null && resamplers.remove(irqfd.gsi, irqfd.resample)) {
                set(irqfd.gsi, KVM_IRQFD_RESAMPLE_IRQ_SOURCE_ID, false);
            }
        }
    }

    private static void checkGsi(int gsi) {
        if (gsi < 0 || gsi >= GSIS) {
            throw new ErrnoException(ErrnoException.EINVAL, "there is no GSI " + gsi);
        }
    }

    private void checkOpen() {
        if (closed) {
            throw new ErrnoException(ErrnoException.EBADF, "the machine's interrupts are closed");
        }
    }

    // The controller.

    @Override
    public ControllerState state() {
        synchronized (lock) {
            return controller != null ? controller.state() : kept;
        }
    }

    @Override
    public String controller() {
        synchronized (lock) {
            return name;
        }
    }

    @Override
    public boolean controllerPresent() {
        synchronized (lock) {
            return controller != null;
        }
    }

    @Override
    public void swapController(String wanted) {
        registry.swap(this, wanted);
        settle();
    }

    /** Whether it waits for a controller, and that is named {@code candidate}. */
    boolean waitsFor(String candidate) {
        synchronized (lock) {
            return controller == null && !closed && name.equals(candidate);
        }
    }

    /** Puts a controller of {@code plugin} in charge; if it cannot be made nothing has changed. To be followed by settle. */
    void install(ControllerPlugin plugin) {
        synchronized (lock) {
            checkOpen();
            ControllerState state = controller != null ? checked(controller.state()) : kept;
            InterruptController fresh = plugin.factory().create(state, this);
            if (fresh == null) {
                throw new IllegalStateException("no controller came from " + plugin);
            }
            boolean waited = controller == null;
            controller = fresh;
            origin = plugin.reference();
            name = plugin.name();
            kept = null;
            if (waited) {
                told = state.lines();
                replay();
            }
            readiness.refreshAll();
        }
    }

    private ControllerState checked(ControllerState state) {
        if (state.vcpus() != vcpus) {
            throw new IllegalStateException("controller " + name + " returned the state of " + state.vcpus() + " vCPUs");
        }
        return state;
    }

    /**
     * Brings the controller to where it would be. What was latched of a kind has fallen together, so its order against other
     * kinds is not known; this one raises no line that an EOI has lowered, and delivers by the entries that hold now.
     */
    private void replay() {
        latch.replayEndOfInterrupts(controller);
        latch.replayRedirections(controller);
        for (int pin = 0; pin < ControllerState.PINS; pin++) {
            boolean high = lines.isPinHigh(pin);
            boolean known = (told & 1 << pin) != 0;
            if (latch.hasRisen(pin)) {
                if (known) {
                    tell(pin, false);
                }
                tell(pin, true);
                known = true;
            }
            if (known != high) {
                tell(pin, high);
            }
        }
        latch.forgetPins();
        latch.replayMessages(controller);
    }

    /**
     * Drops the controller if it comes from {@code reference}: afterwards nothing here refers to it. Its state is kept; if it
     * fails to tell it, the machine's interrupt state is lost, and the failure thrown.
     */
    void release(ServiceReference<?> reference) {
        synchronized (lock) {
            if (reference.equals(origin)) {
                drop();
            }
        }
    }

    private void drop() {
        InterruptController gone = controller;
        controller = null;
        origin = null;
        told = 0;
        kept = ControllerState.initial(vcpus);
        readiness.clear();
        if (gone != null) {
            kept = checked(gone.state());
        }
    }

    /** Does outside the lock what a change of controllers has led to. */
    void settle() {
        long kicks;
        EventDescriptor[] resample;
        synchronized (lock) {
            kicks = readiness.refresh();
            resample = resamplers.take();
        }
        readiness.tell(kicks);
        Resamplers.signal(resample);
    }

    @Override
    public void save(DataOutput out) throws IOException {
        synchronized (lock) {
            if (controller == null) {
                throw new MachineException("the machine waits for its interrupt controller " + name);
            }
            if (!irqfds.isEmpty()) {
                throw new MachineException("events of this process are tied to the machine's interrupts (irqfd), which no snapshot can hold");
            }
            out.writeUTF(name);
            ControllerState state = controller.state();
            for (long[] words : List.of(state.irr(), state.isr(), state.tmr(), state.redirection())) {
                for (long word : words) {
                    out.writeLong(word);
                }
            }
            out.writeInt(state.lines());
            table.save(out);
            lines.save(out);
            pics.save(out);
            out.writeBoolean(external);
            for (int p : priority) {
                out.writeInt(p);
            }
        }
    }

    @Override
    public void restore(DataInput in) throws IOException {
        String wanted = in.readUTF();
        synchronized (lock) {
            controller = null;
            kept = new ControllerState(vcpus, words(in, 4 * vcpus), words(in, 4 * vcpus), words(in, 4 * vcpus), words(in, ControllerState.PINS),
                    in.readInt());
            table = RoutingTable.restored(in);
            lines.restore(in, table);
            pics.restore(in);
            external = in.readBoolean();
            for (int i = 0; i < vcpus; i++) {
                priority[i] = in.readInt();
            }
        }
        swapController(wanted);
    }

    private static long[] words(DataInput in, int count) throws IOException {
        long[] words = new long[count];
        for (int i = 0; i < count; i++) {
            words[i] = in.readLong();
        }
        return words;
    }

    @Override
    public void close() {
        registry.remove(this);
        List<Irqfd> left;
        synchronized (lock) {
            if (!closed && controller != null) {
                drop();
            }
            closed = true;
            left = new ArrayList<>(irqfds);
        }
        left.forEach(Irqfd::close);
    }
}
