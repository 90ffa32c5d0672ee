package org.penumbra.experiments.run;

import java.util.List;

/**
 * What the kernels of a request are booted with.
 *
 * @param append the command line
 * @param modules "FILE" or "FILE,TEXT"
 */
public record KernelRequest(String append, List<String> modules) {
    /** Kernels alone. */
    public static final KernelRequest NONE = new KernelRequest("", List.of());

    public KernelRequest {
        modules = List.copyOf(modules);
    }
}
