/**
 * SVM, as far as nested paging needs it: the control block, VMRUN, and the exits that translation causes.
 *
 * <p><b>If you write a hypervisor for SVM:</b> the processors of the hardware bundle implement
 * {@link org.penumbra.api.svm.SvmProcessor}. All types are for the thread that runs the vCPU.
 */
@Version("0.1.0")
package org.penumbra.api.svm;

import org.osgi.annotation.versioning.Version;
