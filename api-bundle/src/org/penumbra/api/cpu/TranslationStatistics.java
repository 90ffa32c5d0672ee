package org.penumbra.api.cpu;

/**
 * What a processor counts about translation. A snapshot.
 *
 * @param secondLevelHits first-level misses that the second-level TLB served
 * @param walks walks that started, after a miss in both levels
 * @param guestReferences memory references of the walks to guest tables, or to the only tables there are
 * @param hostReferences memory references to EPT tables
 * @param completedWalks walks that ended in a translation, not in a fault or an exit
 * @param completedReferences references of these completed walks, both dimensions
 */
public record TranslationStatistics(
        long secondLevelHits, long walks, long guestReferences, long hostReferences, long completedWalks, long completedReferences) {
    /** Nothing counted yet. */
    public static final TranslationStatistics NONE = new TranslationStatistics(0, 0, 0, 0, 0, 0);

    /** The sum of this and {@code other}. */
    public TranslationStatistics plus(TranslationStatistics other) {
        return new TranslationStatistics(
                secondLevelHits + other.secondLevelHits, walks + other.walks, guestReferences + other.guestReferences,
                hostReferences + other.hostReferences, completedWalks + other.completedWalks, completedReferences + other.completedReferences);
    }

    /** References per completed walk; 0 if there was none. */
    public double referencesPerWalk() {
        return completedWalks == 0 ? 0 : (double) completedReferences / completedWalks;
    }
}
