/**
 * Physical memory, frame leases, memory slots, and guest memory as a hypervisor sees it.
 *
 * <p><b>If you write an MMU:</b> build your tables in frames of your {@link org.penumbra.api.memory.FrameLease}, read and
 * update guest tables through {@link org.penumbra.api.memory.GuestMemory}, and obey
 * {@link org.penumbra.api.memory.WriteTracking}. You never hold a {@link org.penumbra.api.memory.PhysicalMemory}. <b>If you
 * write hardware or a hypervisor:</b> you provide the interfaces; physical memory is a final class, so that an access costs no
 * call through an interface.
 */
@Version("0.1.0")
package org.penumbra.api.memory;

import org.osgi.annotation.versioning.Version;
