package org.penumbra.testkit.contract;

import org.osgi.annotation.versioning.ConsumerType;
import org.penumbra.api.machine.GuestBoot;
import org.penumbra.api.machine.Machine;
import org.penumbra.api.machine.MachineConfig;
import org.penumbra.api.mmu.MmuFactory;

/**
 * Where machines come from: the container, whose laboratory is a service of this type, or a machine put together by hand. It has
 * the execution engine of the test kit, {@link org.penumbra.testkit.script.ScriptEngineFactory}.
 */
@ConsumerType
public interface Laboratory {
    /** A design that machines find by its name until this is closed. */
    interface Installed extends AutoCloseable {
        /** Takes the design away. No machine uses it any more. */
        @Override
        void close();
    }

    /** Lets machines find {@code design} as {@code mmu.name} {@code name}. */
    Installed install(String name, MmuFactory design);

    /** A virtual machine with {@code guest} in it. */
    Machine create(MachineConfig config, GuestBoot guest);
}
