package org.penumbra.api.cpu;

import org.osgi.annotation.versioning.ProviderType;
import org.penumbra.api.deprivileged.DeprivilegingProcessor;
import org.penumbra.api.svm.SvmProcessor;
import org.penumbra.api.vmx.VmxProcessor;

/**
 * A logical processor with both VMX and SVM, as none is in life, and whatever a guest needs that runs without either, so that a running
 * guest's MMU can be replaced by one of another kind.
 * VPIDs and ASIDs are the same tags to its TLBs: whoever uses both keeps them apart.
 */
@ProviderType
public interface HostProcessor extends VmxProcessor, SvmProcessor, DeprivilegingProcessor {}
