package org.penumbra.vmx;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.osgi.framework.ServiceReference;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferenceCardinality;
import org.osgi.service.component.annotations.ReferencePolicy;
import org.penumbra.api.vmx.Disposition;
import org.penumbra.api.vmx.ExitReason;
import org.penumbra.api.vmx.ExitRecord;
import org.penumbra.api.vmx.Vcpu;
import org.penumbra.api.vmx.VmExitHandler;

/**
 * The exit table: an array by exit reason, filled from the whiteboard. Of several handlers for a reason the service with the
 * highest ranking is in the table (the oldest among equals); a change takes effect at the next exit.
 */
@Component(service = ExitDispatch.class)
public final class ExitDispatch {
    private static final int EIO = 5;

    private record Registration(Comparable<Object> order, VmExitHandler handler, List<String> reasons) {}

    private final MachineRegistry machines;
    private final List<Registration> registrations = new ArrayList<>();
    private volatile VmExitHandler[] table = new VmExitHandler[ExitReason.LIMIT];

    /** The handler for the SDM's exit reason {@code reason}; one that ends the run with a clear error if nobody handles it. */
    VmExitHandler handler(int reason) {
        VmExitHandler handler = table[reason];
        return handler != null ? handler : ExitDispatch::unhandled;
    }

    private static Disposition unhandled(Vcpu vcpu, ExitRecord exit) {
        return Disposition.error(EIO, "internal error: no handler is registered for this exit");
    }

    @Activate
    public ExitDispatch(@Reference MachineRegistry machines) {
        this.machines = machines;
    }

    @Reference(cardinality = ReferenceCardinality.MULTIPLE, policy = ReferencePolicy.DYNAMIC)
    void bindHandler(VmExitHandler handler, ServiceReference<VmExitHandler> reference) {
        add(handler, reference, reasons(reference.getProperty(VmExitHandler.EXIT_REASON)));
    }

    /** Returns when no vCPU is in the handler any more. */
    void unbindHandler(VmExitHandler handler) {
        remove(handler);
        machines.each(m -> m.swapper().quiesce());
    }

    /** Adds {@code handler}; of handlers for one reason the greatest {@code order} wins. */
    @SuppressWarnings("unchecked")
    synchronized void add(VmExitHandler handler, Comparable<?> order, List<String> reasons) {
        registrations.add(new Registration((Comparable<Object>) order, handler, reasons));
        rebuild();
    }

    synchronized void remove(VmExitHandler handler) {
        registrations.removeIf(r -> r.handler == handler);
        rebuild();
    }

    private void rebuild() {
        registrations.sort(Comparator.comparing(Registration::order));
        VmExitHandler[] next = new VmExitHandler[ExitReason.LIMIT];
        for (Registration r : registrations) {
            for (String reason : r.reasons) {
                next[ExitReason.valueOf(reason).number()] = r.handler;
            }
        }
        table = next;
    }

    private static List<String> reasons(Object property) {
        List<String> names = property instanceof String[] many ? List.of(many) : List.of(String.valueOf(property));
        for (String name : names) {
            try {
                ExitReason.valueOf(name);
            } catch (IllegalArgumentException e) {
                throw new IllegalArgumentException("an exit handler names '" + name + "' in " + VmExitHandler.EXIT_REASON + ", which is no exit reason", e);
            }
        }
        return names;
    }
}
