package org.penumbra.api.cpu;

import org.osgi.annotation.versioning.ConsumerType;
import org.penumbra.api.guest.GuestState;

/** Makes execution engines: a whiteboard service with {@link #ENGINE_NAME}. Any thread. */
@ConsumerType
public interface EngineFactory {
    /** Service property: the name by which a user selects the engine. */
    String ENGINE_NAME = "engine.name";
    /** The name of the engine that executes {@link org.penumbra.api.guest.StepBuffer}s one by one. */
    String STEPS = "steps";
    /** The name of the engine that executes x86-64 machine code in guest memory. */
    String X86 = "x86";

    /** An engine that goes on with {@code guest}, which another engine may have worked on before. */
    ExecutionEngine create(GuestState guest);
}
