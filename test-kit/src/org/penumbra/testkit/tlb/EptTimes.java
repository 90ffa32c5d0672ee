package org.penumbra.testkit.tlb;

import org.eclipse.collections.impl.map.mutable.primitive.LongLongHashMap;

/**
 * When one vCPU last had to drop what it had cached by EPT tables of its guest: SDM vol. 3, "Operations that Invalidate Cached Mappings".
 *
 * <pre>
 *                       guest-physical and combined mappings
 *  INVEPT 1             of its EP4TA, whatever the VPID
 *  INVEPT 2             all
 *  VM entry, VM exit    combined ones of VPID 0, as {@link AbstractProcessor} has it
 * </pre>
 *
 * An EPT violation drops guest-physical mappings of its address, too; here it drops nothing, which allows more.
 */
final class EptTimes {
    private long all;
    /** By EP4TA: bits 51:12 of the EPTP. */
    private final LongLongHashMap one = new LongLongHashMap();

    void dropAll(long time) {
        all = time;
        one.clear();
    }

    void drop(long eptp, long time) {
        one.put(eptp >>> 12, time);
    }

    /** Nothing that came by the tables of {@code eptp} is older. */
    long since(long eptp) {
        return Math.max(all, one.get(eptp >>> 12));
    }
}
