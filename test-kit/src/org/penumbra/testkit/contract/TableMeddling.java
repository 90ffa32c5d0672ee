package org.penumbra.testkit.contract;

import org.penumbra.testkit.nested.Hypervisor;
import org.penumbra.testkit.nested.Meddler;
import org.penumbra.testkit.script.Script;

/**
 * What a guest hypervisor without EPT or nested tables does to the tables that its guest runs on, at random, which to its processor are any tables in its
 * memory: entries change, with an INVVPID or without; its guest goes on with another root or VPID.
 */
final class TableMeddling implements Meddler {
    private final RandomGuest guest;

    TableMeddling(RandomGuest guest) {
        this.guest = guest;
    }

    @Override
    public void meddle(Hypervisor l1) {
        GuestLayout layout = guest.layout;
        if (guest.random.nextInt(3) != 0) {
            long[][] path = guest.path(guest.root(l1.vcpu()));
            long[] step = path[guest.random.nextInt(path.length)];
            int level = (int) step[0];
            boolean pdpte = level == 3 && layout.levels == 2;
            long entry = pdpte ? guest.maker.pdpte() : guest.random.nextBoolean() ? guest.maker.entry(level)
                    : guest.maker.otherRights(guest.believed(step[1]));
            guest.note(step[1], entry);
            l1.plan().window(Script.STORE, step[1], pdpte ? 8 : layout.entryBytes, entry);
        }
        switch (guest.random.nextInt(8)) {
            case 0 -> l1.flushLinear(guest.random.nextInt(4), guest.address(0));
            case 1 -> l1.tag(guest.random.nextInt(3), 0);
            case 2 -> {
                // What the guest is about to load would come after it.
                if (!l1.called()) {
                    break;
                }
                int n = guest.anyReady();
                guest.switching(l1.vcpu(), n);
                guest.switched(l1.vcpu());
                l1.loadCr3(guest.rootAddress(n));
            }
            default -> { }
        }
    }
}
