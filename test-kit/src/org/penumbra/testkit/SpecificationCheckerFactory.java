package org.penumbra.testkit;

import java.util.function.LongUnaryOperator;
import org.osgi.service.component.annotations.Component;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.api.observe.TranslationChecker;
import org.penumbra.api.observe.TranslationCheckerFactory;

/** The service by which a machine gets its checker. */
@Component
public final class SpecificationCheckerFactory implements TranslationCheckerFactory {
    @Override
    public TranslationChecker create(int vcpus, int physicalAddressBits, PhysicalMemory memory, LongUnaryOperator gpaToHpa,
            LongUnaryOperator hpaToGpa) {
        return new SpecificationChecker(vcpus, physicalAddressBits, memory, gpaToHpa, hpaToGpa);
    }
}
