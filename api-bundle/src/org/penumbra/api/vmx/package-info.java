/**
 * VMX: the control structure, exits, and the handlers of exits.
 *
 * <p><b>If you write an exit handler:</b> implement {@link org.penumbra.api.vmx.VmExitHandler} and register it with
 * {@code exit.reason}; you replace the stock handler while your service ranks higher. <b>If you write a hypervisor:</b> you
 * provide {@link org.penumbra.api.vmx.Vcpu} and fill the exit table from the whiteboard.
 */
@Version("0.1.0")
package org.penumbra.api.vmx;

import org.osgi.annotation.versioning.Version;
