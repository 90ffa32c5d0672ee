package org.example.flattened;

import org.junit.jupiter.api.AfterAll;
import org.penumbra.laboratory.PenumbraLaboratory;
import org.penumbra.testkit.contract.Subject;
import org.penumbra.testkit.junit.MmuContract;

/** What must hold for every MMU. -Dpenumbra.contract.runs=N tries each property N times. */
class FlattenedContractTest extends MmuContract {
    private static final PenumbraLaboratory LABORATORY = new PenumbraLaboratory();

    @Override
    protected Subject subject() {
        return LABORATORY.subject("flattened", new FlattenedMmuFactory());
    }

    @AfterAll
    static void close() {
        LABORATORY.close();
    }
}
