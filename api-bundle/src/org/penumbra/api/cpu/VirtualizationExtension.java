package org.penumbra.api.cpu;

/** What a processor has for hypervisors; the one by which a guest is run is the one that it finds, if it finds any. */
public enum VirtualizationExtension {
    /** Intel's: SDM vol. 3, "Introduction to Virtual Machine Extensions". */
    VMX,
    /** AMD's: APM vol. 2, "Secure Virtual Machine". */
    SVM
}
