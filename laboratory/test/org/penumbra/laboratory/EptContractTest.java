package org.penumbra.laboratory;

import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.DisplayName;
import org.penumbra.ept.EptMmuFactory;
import org.penumbra.testkit.contract.Subject;
import org.penumbra.testkit.junit.MmuContract;

@DisplayName("P05 P07 the contract of MMUs, run as a stranger's project runs it")
class EptContractTest extends MmuContract {
    private static final PenumbraLaboratory LABORATORY = new PenumbraLaboratory();

    @Override
    protected Subject subject() {
        return LABORATORY.subject("ept", new EptMmuFactory());
    }

    @AfterAll
    static void close() {
        LABORATORY.close();
    }
}
