package org.penumbra.api.paging;

import org.osgi.annotation.versioning.ConsumerType;

/** A format of paging-structure entries, as people read it. Whoever walks entries of a format says what they mean. Immutable. */
@ConsumerType
public interface EntryFormat {
    /** "4-level paging", "EPT" …. */
    String name();

    /** The manual's name of an entry of {@code level}, 1 the lowest: "PTE", "PDE", "EPT PTE" …. */
    String entryName(int level);

    /** {@code entry} of {@code level} in words: where it leads and the names of the bits that are set. */
    String decode(int level, long entry);
}
