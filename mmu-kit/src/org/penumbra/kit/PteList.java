package org.penumbra.kit;

import java.util.Arrays;

/**
 * Addresses of entries that point at one thing: KVM's {@code pte_list}. Most lists have one element, so it starts small. Order is
 * not kept.
 */
public final class PteList {
    private long[] addresses = new long[1];
    private int size;

    /** Adds {@code address}, which is not in the list. */
    public void add(long address) {
        if (size == addresses.length) {
            addresses = Arrays.copyOf(addresses, size * 2 + 1);
        }
        addresses[size++] = address;
    }

    /** Removes {@code address}; false if it was not there. */
    public boolean remove(long address) {
        for (int i = 0; i < size; i++) {
            if (addresses[i] == address) {
                addresses[i] = addresses[--size];
                return true;
            }
        }
        return false;
    }

    public int size() {
        return size;
    }

    /** Element {@code i}; removing one moves the last into its place, so a loop that removes runs downwards. */
    public long get(int i) {
        return addresses[i];
    }
}
