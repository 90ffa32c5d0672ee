package org.penumbra.experiments.cli;

import java.nio.file.Path;
import java.util.function.Function;
import java.util.function.Supplier;
import org.penumbra.api.experiment.Workload;
import org.penumbra.experiments.run.ServiceRegistry;

/**
 * What a command works with.
 *
 * @param traceWorkload makes a workload of a person's trace; refuses the file with an exception that has a line for the user
 * @param interrupts begins to listen for the request that the process end
 * @param late bundles that only some commands need
 */
record Session(
        ServiceRegistry services, Console console, Function<Path, Workload> traceWorkload, Supplier<Interrupt> interrupts,
        LateBundles late) {}
