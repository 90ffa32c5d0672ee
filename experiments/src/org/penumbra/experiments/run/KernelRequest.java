package org.penumbra.experiments.run;

import java.util.List;
import org.penumbra.api.cpu.EngineFactory;

/**
 * What the kernels of a request are booted with.
 *
 * @param append the command line
 * @param modules "FILE" or "FILE,TEXT"
 * @param engine what executes them, by {@code engine.name}
 */
public record KernelRequest(String append, List<String> modules, String engine) {
    /** Kernels alone. */
    public static final KernelRequest NONE = new KernelRequest("", List.of(), EngineFactory.X86);

    public KernelRequest {
        modules = List.copyOf(modules);
    }
}
