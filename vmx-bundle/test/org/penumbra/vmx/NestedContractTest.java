package org.penumbra.vmx;

import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.penumbra.api.mmu.MmuFactory;
import org.penumbra.api.verify.Nesting;
import org.penumbra.ept.EptMmuFactory;
import org.penumbra.ept.NptMmuFactory;
import org.penumbra.hardware.profile.JsonCostProfiles;
import org.penumbra.shadow.ShadowMmuFactory;
import org.penumbra.testkit.contract.ContractKit;
import org.penumbra.testkit.contract.Property;
import org.penumbra.testkit.contract.PropertyResult;
import org.penumbra.testkit.contract.Subject;

/** The contract below a guest hypervisor, in each arrangement; each property in other configurations than the one before. */
class NestedContractTest {
    private static final int RUNS = Integer.getInteger("penumbra.contract.runs", 1);

    @TestFactory
    Stream<DynamicTest> contract() {
        return Stream.of(
                of("N01", "shadow", new ShadowMmuFactory(), Nesting.SHADOW),
                of("N02", "ept", new EptMmuFactory(), Nesting.SHADOW),
                of("N03", "ept", new EptMmuFactory(), Nesting.EPT),
                of("N03", "ept", new EptMmuFactory(), Nesting.EPT_2M),
                of("N02", "npt", new NptMmuFactory(), Nesting.SVM_SHADOW),
                of("N03", "npt", new NptMmuFactory(), Nesting.NPT),
                of("N03", "npt", new NptMmuFactory(), Nesting.NPT_2M)).flatMap(tests -> tests);
    }

    private static Stream<DynamicTest> of(String row, String name, MmuFactory design, Nesting nesting) {
        Subject subject = new Subject(name, design, Map.of(), new RigLaboratory(), Subject.models(new JsonCostProfiles())).nested(nesting);
        AtomicLong seed = new AtomicLong(nesting.ordinal());
        return new ContractKit().properties().stream().filter(p -> p.configurations(subject) > 0)
                .map(p -> DynamicTest.dynamicTest(row + " P07 " + nesting.label() + " on " + name + ", " + p.name() + ": " + p.description(),
                        () -> holds(p, subject, seed.addAndGet(7))));
    }

    private static void holds(Property property, Subject subject, long seed) {
        PropertyResult result = ContractKit.run(property, subject, seed, RUNS, () -> { }, () -> false);
        if (!result.held()) {
            throw new AssertionError(String.format("with seed %d, %s: %s", result.seed(), result.configuration(), result.reason()));
        }
    }
}
