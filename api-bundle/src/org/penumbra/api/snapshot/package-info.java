/**
 * Snapshots of machines: files from which a machine goes on, under the same design or another.
 *
 * <p><b>If you write a device, an engine or a guest:</b> make its state a value, by {@link org.penumbra.api.snapshot.Saved}; a machine with a
 * device that keeps its state to itself has no snapshots. <b>If you restore machines:</b> a
 * {@link org.penumbra.api.snapshot.SnapshotHeader} says what a file needs.
 */
@Version("0.1.0")
package org.penumbra.api.snapshot;

import org.osgi.annotation.versioning.Version;
