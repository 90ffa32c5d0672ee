package org.penumbra.api.interrupt;

import org.osgi.annotation.versioning.ProviderType;

/** Something that was registered and can be taken back. */
@ProviderType
public interface Registration extends AutoCloseable {
    /**
     * Takes it back. When this returns nothing is called through it any more: calls that had begun on other threads have ended,
     * so the caller must hold no lock that such a call needs. A close from inside such a call waits for none. A second close
     * takes nothing back.
     */
    @Override
    void close();
}
