package org.penumbra.testkit.junit;

import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.penumbra.testkit.contract.ContractKit;
import org.penumbra.testkit.contract.Property;
import org.penumbra.testkit.contract.PropertyResult;
import org.penumbra.testkit.contract.Subject;

/**
 * The contract of MMUs as JUnit 5 tests, one a property: a test class extends this one and names its design. The system property {@code
 * penumbra.contract.runs} says how many runs of each property are made, 5 if it is not set.
 */
public abstract class MmuContract {
    private static final int RUNS = Integer.getInteger("penumbra.contract.runs", 5);
    private static final long SEED = 1;

    /** The design, and where its machines come from. */
    protected abstract Subject subject();

    @TestFactory
    Stream<DynamicTest> contract() {
        Subject subject = subject();
        return new ContractKit().properties().stream().filter(p -> p.configurations(subject) > 0)
                .map(p -> DynamicTest.dynamicTest("P07 " + subject.name() + ", " + p.name() + ": " + p.description(), () -> holds(p, subject)));
    }

    private static void holds(Property property, Subject subject) {
        PropertyResult result = ContractKit.run(property, subject, SEED, RUNS, () -> { }, () -> false);
        if (!result.held()) {
            throw new AssertionError(String.format("with seed %d, %s: %s", result.seed(), result.configuration(), result.reason()));
        }
    }
}
