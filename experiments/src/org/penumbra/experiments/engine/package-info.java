/**
 * The execution engine for guests that are not machine code: recorded traces and synthetic programs, as steps of an accumulator
 * machine. A {@link org.penumbra.api.guest.GuestProgram} supplies the steps in batches,
 * {@link org.penumbra.experiments.engine.StepEngine} executes them on a processor.
 */
package org.penumbra.experiments.engine;
