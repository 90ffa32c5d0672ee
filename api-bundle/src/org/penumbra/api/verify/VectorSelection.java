package org.penumbra.api.verify;

import java.util.function.Function;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.api.paging.PagingState;

/**
 * Which vectors are run. Equal selections are equal vectors, in the same order.
 *
 * @param mode the paging mode of the guest
 * @param physicalAddressBits MAXPHYADDR of the machine
 * @param first the number of the first vector
 * @param most so many vectors are run at most
 * @param sample so many are chosen by {@code seed}, spread evenly from {@code first} on; 0 for all
 * @param objection why the machine's MMU cannot run a guest in a paging state, empty if it can: vectors that need the state are
 *     skipped. See {@link org.penumbra.api.mmu.MmuFactory#objection}
 * @param nesting under which guest hypervisor the guest runs
 */
public record VectorSelection(
        PagingMode mode, int physicalAddressBits, long first, long most, long sample, long seed, Function<PagingState, String> objection,
        Nesting nesting) {
    public VectorSelection {
        if (first < 0 || most < 1 || sample < 0) {
            throw new IllegalArgumentException("first vector " + first + ", at most " + most + ", sample of " + sample
                    + ": neither may be negative, and at least one vector is needed");
        }
    }

    /** All vectors of {@code mode} for an MMU with no objections. */
    public static VectorSelection all(PagingMode mode, int physicalAddressBits) {
        return new VectorSelection(mode, physicalAddressBits, 0, Long.MAX_VALUE, 0, 1, state -> "", Nesting.NONE);
    }

    /** About {@code number} of these vectors. */
    public VectorSelection sampled(long number, long newSeed) {
        return new VectorSelection(mode, physicalAddressBits, first, most, number, newSeed, objection, nesting);
    }

    /** At most {@code number} of these vectors, from number {@code from} on. */
    public VectorSelection from(long from, long number) {
        return new VectorSelection(mode, physicalAddressBits, from, number, sample, seed, objection, nesting);
    }

    /** These vectors for an MMU with objections. */
    public VectorSelection under(Function<PagingState, String> newObjection) {
        return new VectorSelection(mode, physicalAddressBits, first, most, sample, seed, newObjection, nesting);
    }

    /** These vectors under the guest hypervisor {@code newNesting}. */
    public VectorSelection under(Nesting newNesting) {
        return new VectorSelection(mode, physicalAddressBits, first, most, sample, seed, objection, newNesting);
    }
}
