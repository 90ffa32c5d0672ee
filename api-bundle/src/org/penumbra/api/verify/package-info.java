/**
 * Comparisons of a whole machine with the specification, which a user can ask for by name.
 *
 * <p><b>If you write a verification:</b> publish a {@link org.penumbra.api.verify.Verification}; its guest runs on any machine, on an
 * engine that you publish, too, and compares while it runs. <b>If you run one:</b> make a machine with the guest in it, run it to its
 * end, and read the report.
 */
@Version("0.1.0")
package org.penumbra.api.verify;

import org.osgi.annotation.versioning.Version;
