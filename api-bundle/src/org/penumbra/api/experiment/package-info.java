/**
 * Workloads and what is measured of them.
 *
 * <p><b>If you write a workload:</b> publish a {@link org.penumbra.api.experiment.Workload}. <b>If you evaluate results:</b>
 * every figure is a {@link org.penumbra.api.experiment.Measurement}.
 */
@Version("0.1.0")
package org.penumbra.api.experiment;

import org.osgi.annotation.versioning.Version;
