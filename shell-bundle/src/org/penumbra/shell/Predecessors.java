package org.penumbra.shell;

import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.osgi.framework.Bundle;
import org.penumbra.api.machine.HotSwap;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.machine.Machines;
import org.penumbra.api.machine.SwapReport;
import org.penumbra.api.mmu.MmuFactory;

/** Gives guests the design back that they had before, when the bundle of the one they run under is about to go for good. */
final class Predecessors {
    /** What a report has in place of a design while a guest waits. */
    private static final String NONE = "";

    private final Container container;

    Predecessors(Container container) {
        this.container = container;
    }

    /**
     * Swaps each guest that runs under a design which only {@code bundle} brings to the last one it had that stays, with its settings at
     * their defaults. A guest that had none stays where it is, and waits when the bundle has gone.
     */
    void bringBack(Bundle bundle) {
        Set<String> leaving = new HashSet<>(container.designs(bundle));
        Collection<String> staying = new HashSet<>(container.each(MmuFactory.class, r -> s -> bundle.equals(r.getBundle()) ? NONE
                : String.valueOf(r.getProperty(MmuFactory.MMU_NAME))));
        staying.remove(NONE);
        leaving.removeAll(staying);
        if (!leaving.isEmpty()) {
            container.each(Machines.class, r -> Machines::running).stream().flatMap(List::stream).map(running -> running.machine().hotSwap())
                    .filter(guest -> !guest.waiting() && leaving.contains(guest.design()))
                    .forEach(guest -> before(guest, staying).ifPresent(design -> swap(guest, design)));
        }
    }

    private static Optional<String> before(HotSwap guest, Collection<String> staying) {
        List<SwapReport> reports = guest.reports();
        for (int i = reports.size() - 1; i >= 0; i--) {
            String design = reports.get(i).from().replaceFirst(" \\(.*", "");
            if (staying.contains(design)) {
                return Optional.of(design);
            }
        }
        return Optional.empty();
    }

    private static void swap(HotSwap guest, String design) {
        try {
            guest.swap(design, Map.of());
        } catch (MachineException e) {
            // It stays under the design that goes, and waits for it then, which 'machines' shows.
        }
    }
}
