package org.penumbra.itest;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Dictionary;
import java.util.Hashtable;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.osgi.framework.BundleContext;
import org.osgi.framework.ServiceRegistration;
import org.osgi.test.common.annotation.InjectBundleContext;
import org.osgi.test.common.annotation.InjectService;
import org.penumbra.api.clock.CostProfiles;
import org.penumbra.api.experiment.Workload;
import org.penumbra.api.machine.Machine;
import org.penumbra.api.machine.MachineFactory;
import org.penumbra.api.mmu.MmuFactory;
import org.penumbra.api.observe.TranslationChecker;

/** The check itself: a hypervisor that forgets its flushes does not get away with it. */
class ForgottenFlushTest {
    @InjectBundleContext
    BundleContext context;

    @InjectService(filter = "(machine.kind=vmx)")
    MachineFactory vmx;

    @InjectService
    CostProfiles profiles;

    @InjectService(filter = "(mmu.name=shadow)")
    MmuFactory shadow;

    @InjectService(filter = "(workload.name=mmap-churn)")
    Workload churn;

    @Test
    @DisplayName("T11 a design that forgets its flushes uses translations that the architecture does not allow, and is caught")
    void caught() {
        Dictionary<String, Object> properties = new Hashtable<>();
        properties.put(MmuFactory.MMU_NAME, "forgetful");
        properties.put(MmuFactory.MMU_DIMENSIONS, 1);
        ServiceRegistration<MmuFactory> plugin = context.registerService(MmuFactory.class, new ForgetfulShadow(shadow), properties);
        try {
            Machine machine = Trial.machine(vmx, profiles.all().get(0), churn, "forgetful");
            TranslationChecker checker = machine.checker();
            while (checker.wrong() == 0 && machine.run(10_000)) {
                // Until it is caught, or gets through.
            }
            assertThat(checker.wrong()).isPositive();
            assertThat(checker.complaints()).isNotEmpty();
        } finally {
            plugin.unregister();
        }
    }
}
