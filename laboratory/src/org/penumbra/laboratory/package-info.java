/**
 * Machines for the tests of a plugin, on the class path beside JUnit.
 *
 * <p><b>If you write a plugin:</b> make a {@link org.penumbra.laboratory.PenumbraLaboratory}, give it to a
 * {@link org.penumbra.testkit.contract.Subject} of your MMU, or offer it your exit handler, interrupt controller or device and run a guest
 * on a machine of it.
 */
package org.penumbra.laboratory;
