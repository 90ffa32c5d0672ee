package org.penumbra.devices.interrupt;

import org.penumbra.api.interrupt.Interrupts;

/** Which logical destinations the vCPUs of a machine belong to (SDM vol. 3, "Logical Destination Mode"). Under the machine's lock. */
final class LogicalIds {
    private final int[] register;
    private final int[] format;

    LogicalIds(int vcpus) {
        register = new int[vcpus];
        format = new int[vcpus];
    }

    void set(int vcpu, int value, int layout) {
        register[vcpu] = value;
        format[vcpu] = layout;
    }

    /** True if {@code vcpu} belongs to {@code destination}, 8 bits. In x2APIC mode they are the mask of cluster 0 (KVM: kvm_apic_match_logical_addr). */
    boolean matches(int vcpu, int destination) {
        int id = register[vcpu];
        switch (format[vcpu]) {
            case Interrupts.X2APIC:
                return id >>> 16 == 0 && (id & destination) != 0;
            case Interrupts.CLUSTERS:
                return id >>> 28 == destination >>> 4 && (id >>> 24 & destination & 15) != 0;
            default:
                return (id >>> 24 & destination) != 0;
        }
    }
}
