package org.penumbra.api.cpu;

import org.osgi.annotation.versioning.ProviderType;
import org.penumbra.api.svm.SvmProcessor;
import org.penumbra.api.vmx.VmxProcessor;

/**
 * A logical processor with both VMX and SVM, as none is in life, so that a running guest's MMU can be replaced by one of the other kind.
 * VPIDs and ASIDs are the same tags to its TLBs: whoever uses both keeps them apart.
 */
@ProviderType
public interface HostProcessor extends VmxProcessor, SvmProcessor {}
