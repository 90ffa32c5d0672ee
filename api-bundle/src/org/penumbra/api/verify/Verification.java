package org.penumbra.api.verify;

import org.osgi.annotation.versioning.ConsumerType;
import org.penumbra.api.paging.PagingMode;

/**
 * A family of vectors, numbered from 0 in each paging mode: situations in which a machine must do what the specification says. A
 * whiteboard service with {@link #VERIFICATION_NAME}. Stateless; any thread.
 */
@ConsumerType
public interface Verification {
    /** Service property: the name by which a user selects it. */
    String VERIFICATION_NAME = "verification.name";

    /** One line for people. */
    String description();

    /** The number of vectors in {@code mode} with a MAXPHYADDR of {@code physicalAddressBits}; 0 if it has none there. */
    long vectors(PagingMode mode, int physicalAddressBits);

    /**
     * A guest that runs the vectors of {@code selection} and compares.
     *
     * @throws IllegalArgumentException if it has no vectors in that mode, or not so many
     */
    VerificationGuest guest(VectorSelection selection);
}
