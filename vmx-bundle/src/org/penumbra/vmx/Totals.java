package org.penumbra.vmx;

import java.util.function.ToLongFunction;
import org.penumbra.api.clock.CostProfile;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.cpu.TranslationStatistics;
import org.penumbra.api.observe.ExitTable;

/** Figures of a machine that are sums over its vCPUs. Exact while these are parked. */
record Totals(CostProfile hardware, CycleClock hostClock, VirtualCpu[] vcpus) {
    /** Operations retired. */
    long operations() {
        return sum(vcpu -> vcpu.processor().guestTime().retired());
    }

    /** Memory accesses. */
    long accesses() {
        return sum(vcpu -> vcpu.port().accesses());
    }

    /** Accesses that missed the first-level TLB. */
    long misses() {
        return sum(vcpu -> vcpu.port().misses());
    }

    private long sum(ToLongFunction<VirtualCpu> figure) {
        long n = 0;
        for (VirtualCpu vcpu : vcpus) {
            n += figure.applyAsLong(vcpu);
        }
        return n;
    }

    /** Simulated cycles on all clocks. */
    long cycles() {
        return hostClock.total() + sum(vcpu -> vcpu.clock().total());
    }

    /** All clocks, the host's too, as one. */
    CycleClock clock() {
        CycleClock sum = new CycleClock(hardware);
        sum.add(hostClock);
        for (VirtualCpu vcpu : vcpus) {
            sum.add(vcpu.clock());
        }
        return sum;
    }

    TranslationStatistics translation() {
        TranslationStatistics sum = TranslationStatistics.NONE;
        for (VirtualCpu vcpu : vcpus) {
            sum = sum.plus(vcpu.processor().statistics());
        }
        return sum;
    }

    ExitTable exits() {
        ExitTable sum = new ExitTable();
        for (VirtualCpu vcpu : vcpus) {
            sum.add(vcpu.exits);
        }
        return sum;
    }

    /** What the guests have computed. */
    long guestDigest() {
        long all = vcpus[0].booted().digestOfAll();
        for (int i = 1; i < vcpus.length; i++) {
            all = Long.rotateLeft(all, 17) * 31 + vcpus[i].booted().digestOfAll();
        }
        return all;
    }
}
