package org.penumbra.api.guest;

import org.osgi.annotation.versioning.ConsumerType;
import org.penumbra.api.cpu.GuestOperation;

/**
 * A {@link GuestProgram} that is this, too, is told by an engine of machine code what each instruction has accessed, when it has retired: its fetch
 * first, then its data in order. For recording; called by the thread that runs the vCPU.
 */
@ConsumerType
public interface AccessListener {
    /** {@code width} bytes at linear address {@code gva} were accessed; {@code kind} is FETCH, LOAD, STORE or UPDATE. */
    void accessed(GuestOperation.Kind kind, long gva, int width);
}
