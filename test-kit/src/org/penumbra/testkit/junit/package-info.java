/**
 * The contract test kit for JUnit 5. Needs JUnit where it is used; nothing else of the bundle does.
 *
 * <p><b>If you write an MMU:</b> extend {@link org.penumbra.testkit.junit.MmuContract} in your tests.
 */
@Version("0.1.0")
package org.penumbra.testkit.junit;

import org.osgi.annotation.versioning.Version;
