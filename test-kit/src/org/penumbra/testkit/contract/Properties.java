package org.penumbra.testkit.contract;

import java.util.List;

/** Every property of the contract, the quickest to find a broken design first. */
final class Properties {
    private Properties() {}

    static List<Property> all() {
        return List.of(new LatticeSample(), new RandomGuests());
    }
}
