package org.penumbra.testkit.contract;

/** A property of designs that have a setting {@code …page-limit}, tried with the least that it can be. */
final class Limited implements Property {
    private static final String KEY = ".page-limit";
    private static final String LEAST = "64";

    private final Property property;

    Limited(Property property) {
        this.property = property;
    }

    private static String key(Subject subject) {
        return subject.design().settings().stream().map(s -> s.key()).filter(k -> k.endsWith(KEY)).findFirst().orElse("");
    }

    /** True if the table pages of the subject's design can be limited. */
    static boolean meant(Subject subject) {
        return !key(subject).isEmpty();
    }

    /** The subject with the least limit. */
    static Subject limited(Subject subject) {
        return subject.with(key(subject), LEAST);
    }

    @Override
    public String name() {
        return property.name();
    }

    @Override
    public String description() {
        return property.description();
    }

    @Override
    public int configurations(Subject subject) {
        return meant(subject) ? property.configurations(subject) : 0;
    }

    @Override
    public String meaningless() {
        return "the design has no setting that ends with " + KEY;
    }

    @Override
    public String configuration(Subject subject, long seed) {
        return property.configuration(subject, seed);
    }

    @Override
    public String run(Subject subject, long seed) {
        return property.run(limited(subject), seed);
    }
}
