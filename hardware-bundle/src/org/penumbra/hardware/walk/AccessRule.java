package org.penumbra.hardware.walk;

/** Which accesses the rights of a translation allow under the control registers as they stand. */
public interface AccessRule {
    /** One bit per {@link org.penumbra.api.paging.Access} kind that {@code rights} (as a walk combined them) permit. */
    int allowed(long rights);
}
