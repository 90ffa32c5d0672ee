/**
 * Guests without VMX and SVM: the guest's kernel runs where its user programs do, at CPL 3, and every privileged operation traps to the
 * monitor (Popek and Goldberg, "Formal Requirements for Virtualizable Third Generation Architectures", 1974).
 *
 * <p><b>If you write a monitor:</b> the processors of the hardware bundle implement
 * {@link org.penumbra.api.deprivileged.DeprivilegingProcessor}. All types are for the thread that runs the vCPU.
 */
@Version("0.1.0")
package org.penumbra.api.deprivileged;

import org.osgi.annotation.versioning.Version;
