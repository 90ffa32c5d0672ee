/**
 * The stock workloads: recorded traces and generated programs, each under the miniature guest kernel.
 * {@code docs/miniature-guest.md} says what each does.
 */
package org.penumbra.experiments.workload;
