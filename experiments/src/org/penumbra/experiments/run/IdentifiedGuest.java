package org.penumbra.experiments.run;

import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.experiment.Workload;
import org.penumbra.api.guest.GuestState;
import org.penumbra.api.machine.GuestBoot;
import org.penumbra.api.paging.PagingMode;

/** The guest of a workload, which says how it is made again. */
public final class IdentifiedGuest implements GuestBoot {
    /** What it says: the workload's name, the seed, the paging mode, and {@link Workload#inputIdentity}, such as the digest of a trace. */
    public static final String WORKLOAD = "workload";
    public static final String SEED = "seed";
    public static final String PAGING = "paging";
    public static final String INPUT = "input";

    private final GuestBoot guest;
    private final Map<String, String> identity = new TreeMap<>();

    /** A fresh guest of {@code workload}. */
    public IdentifiedGuest(SelectedWorkload workload, long seed, PagingMode mode) {
        guest = workload.workload().prepare(seed, mode);
        identity.put(WORKLOAD, workload.name());
        identity.put(SEED, String.valueOf(seed));
        identity.put(PAGING, mode.label());
        identity.put(INPUT, workload.workload().inputIdentity());
    }

    @Override
    public Map<String, String> identity() {
        return identity;
    }

    @Override
    public GuestState[] boot(Loader loader, RegisterFile[] vcpus, long memoryBytes) {
        return guest.boot(loader, vcpus, memoryBytes);
    }

    @Override
    public void console(int octet) {
        guest.console(octet);
    }

    @Override
    public boolean programsInterrupts() {
        return guest.programsInterrupts();
    }

    @Override
    public Optional<String> refusal(int vcpus, long memoryBytes) {
        return guest.refusal(vcpus, memoryBytes);
    }
}
