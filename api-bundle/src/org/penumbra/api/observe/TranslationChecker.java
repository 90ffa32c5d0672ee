package org.penumbra.api.observe;

import java.util.List;
import java.util.function.LongConsumer;
import org.osgi.annotation.versioning.ProviderType;

/**
 * An observer that judges: is each translation in the set that the architecture allows at that moment? Stale ones between a
 * change and the invalidation it needs are legal and counted apart.
 */
@ProviderType
public interface TranslationChecker extends TranslationObserver {
    /** Translations and page faults compared. */
    long compared();

    /** Those that agree with the tables as they stand. */
    default long current() {
        return compared() - stale() - wrong();
    }

    /** Those that only an older entry explains, which the architecture still allows. */
    long stale();

    /**
     * Tells every gfn that was written since the last call, by software or by the processor itself, in ascending order: a list kept
     * beside any dirty log, to judge one by.
     */
    void takeWritten(LongConsumer gfns);

    /** Those outside the allowed set. */
    long wrong();

    /** The first few wrong ones, one line each: vCPU, address, access, got, allowed. */
    List<String> complaints();
}
