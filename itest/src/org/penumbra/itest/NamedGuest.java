package org.penumbra.itest;

import java.util.Map;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.guest.GuestState;
import org.penumbra.api.machine.GuestBoot;

/** A guest that says who it is. */
record NamedGuest(GuestBoot guest, Map<String, String> identity) implements GuestBoot {
    @Override
    public GuestState[] boot(Loader loader, RegisterFile[] vcpus, long memoryBytes) {
        return guest.boot(loader, vcpus, memoryBytes);
    }
}
