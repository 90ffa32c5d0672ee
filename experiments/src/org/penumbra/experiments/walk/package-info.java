/**
 * One memory access of a small guest, step by step: which entries a walk reads, which cache serves it, which exits it takes. A
 * {@link org.penumbra.experiments.walk.WalkRequest} is carried out by {@link org.penumbra.experiments.walk.WalkRun} on machines
 * like those of experiments; the {@link org.penumbra.experiments.walk.WalkResult} is printed by
 * {@link org.penumbra.experiments.walk.WalkText} and {@link org.penumbra.experiments.walk.WalkJson}.
 */
package org.penumbra.experiments.walk;
