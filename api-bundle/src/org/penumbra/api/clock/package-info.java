/**
 * Three clocks that are never mixed: guest time in retired operations ({@link org.penumbra.api.clock.GuestClock}), simulated
 * cycles from a cost profile ({@link org.penumbra.api.clock.CycleClock}), and wall time, which only measures Penumbra itself
 * and therefore has no type here that a guest or an MMU could read.
 *
 * <p><b>If you write an MMU or a handler:</b> you charge nothing by hand except {@link org.penumbra.api.clock.Work#HASH_PROBE};
 * the handles you were given charge what you do through them. <b>If you run experiments:</b> read totals when the machine has
 * stopped.
 */
@Version("0.1.0")
package org.penumbra.api.clock;

import org.osgi.annotation.versioning.Version;
