/**
 * The contract test kit: generic properties that every MMU design must have, tried on real simulated machines without knowing the design.
 *
 * <p><b>If you write an MMU:</b> extend {@code org.penumbra.testkit.junit.MmuContract} in a test, or call
 * {@link org.penumbra.testkit.contract.ContractKit} with a {@link org.penumbra.testkit.contract.Subject} of your factory. <b>If you write a
 * property:</b> implement {@link org.penumbra.testkit.contract.Property}; all that a run decides must follow from its seed.
 */
@Version("0.1.0")
package org.penumbra.testkit.contract;

import org.osgi.annotation.versioning.Version;
