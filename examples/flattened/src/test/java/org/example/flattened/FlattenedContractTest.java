package org.example.flattened;

import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.DisplayName;
import org.penumbra.laboratory.PenumbraLaboratory;
import org.penumbra.testkit.contract.Subject;
import org.penumbra.testkit.junit.MmuContract;

/** What must hold for every MMU. -Dpenumbra.contract.runs=N tries each property N times. */
@DisplayName("P05 P07 P09 the contract of MMUs, for flattened tables")
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
