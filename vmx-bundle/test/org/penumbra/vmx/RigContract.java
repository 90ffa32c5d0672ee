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

    private final Map<String, String> settings;

    RigContract(String name, MmuFactory design) {
        this(name, design, Map.of());
    }

    RigContract(String name, MmuFactory design, Map<String, String> settings) {
        this.name = name;
        this.design = design;
        this.settings = settings;
    }

    @Override
    protected Subject subject() {
        return new Subject(name, design, settings, new RigLaboratory(), Subject.models(new JsonCostProfiles()));
    }
}
