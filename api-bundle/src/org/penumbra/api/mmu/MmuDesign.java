package org.penumbra.api.mmu;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.osgi.annotation.bundle.Attribute;
import org.osgi.annotation.bundle.Capability;
import org.osgi.service.component.annotations.ComponentPropertyType;

/**
 * On a component that is an {@link MmuFactory}: its service properties {@link MmuFactory#MMU_NAME} and
 * {@link MmuFactory#MMU_DIMENSIONS}, and the same as a capability of its bundle, by which a repository's index tells what designs a jar
 * brings before anybody loads it.
 */
@ComponentPropertyType
@Capability(namespace = MmuDesign.NAMESPACE)
@Retention(RetentionPolicy.CLASS)
@Target(ElementType.TYPE)
public @interface MmuDesign {
    /** What the names of the service properties begin with. */
    String PREFIX_ = "mmu.";

    /** The namespace of the capability; its attribute of the same name is the name of the design. */
    String NAMESPACE = "org.penumbra.mmu";

    /** The name by which a user selects the design. */
    @Attribute(NAMESPACE)
    String name();

    /** 1 if the hardware walks tables of the MMU from gva, 2 if it walks the guest's tables and the MMU's. */
    @Attribute("dimensions")
    int dimensions();
}
