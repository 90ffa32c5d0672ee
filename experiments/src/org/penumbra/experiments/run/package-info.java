/**
 * Experiments: what is to be run, checked before anything starts, and run trial by trial.
 *
 * <p>An {@link org.penumbra.experiments.run.Experiment} is data. A {@link org.penumbra.experiments.run.RunRequest} is what a
 * person asked for, in their words; the {@link org.penumbra.experiments.run.Planner} turns it into a
 * {@link org.penumbra.experiments.run.Plan}, in which every name is resolved, or refuses it. A
 * {@link org.penumbra.experiments.run.Campaign} runs the plan's trials one after the other on the calling thread. Nothing here
 * prints or writes files.
 */
package org.penumbra.experiments.run;
