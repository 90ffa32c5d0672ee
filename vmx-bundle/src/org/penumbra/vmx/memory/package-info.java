/** Host memory: frames, leases, the host address space, the guest's slots. */
package org.penumbra.vmx.memory;
