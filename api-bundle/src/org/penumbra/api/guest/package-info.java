/**
 * Guests made of steps: the program, its steps, and the state between two of them.
 *
 * <p><b>If you write a workload:</b> implement {@link org.penumbra.api.guest.GuestProgram}. <b>If you write an engine:</b> keep
 * nothing of the guest but in {@link org.penumbra.api.guest.GuestState}, registers and memory, so that another engine can take
 * over, and ask the program through the guest's state, so that snapshots know what it was asked.
 */
@Version("0.2.0")
package org.penumbra.api.guest;

import org.osgi.annotation.versioning.Version;
