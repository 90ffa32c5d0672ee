package org.penumbra.testkit.nested;

/** What a guest hypervisor does beside serving its guest's exits. */
@FunctionalInterface
public interface Meddler {
    /** Nothing. */
    Meddler NONE = l1 -> { };

    /** Adds to the script of {@code l1} what comes before its next VM entry. */
    void meddle(Hypervisor l1);
}
