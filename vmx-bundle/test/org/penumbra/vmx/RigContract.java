package org.penumbra.vmx;

import java.util.Map;
import org.penumbra.api.mmu.MmuFactory;
import org.penumbra.hardware.profile.JsonCostProfiles;
import org.penumbra.testkit.contract.Subject;
import org.penumbra.testkit.junit.MmuContract;

/** The contract for one of our designs, on machines put together by hand. */
abstract class RigContract extends MmuContract {
    private final String name;
    private final MmuFactory design;

    RigContract(String name, MmuFactory design) {
        this.name = name;
        this.design = design;
    }

    @Override
    protected Subject subject() {
        return new Subject(name, design, Map.of(), new RigLaboratory(), Subject.models(new JsonCostProfiles()));
    }
}
