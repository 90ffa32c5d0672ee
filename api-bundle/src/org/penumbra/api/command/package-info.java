/**
 * Penumbra's commands as services, so that the command line and the shell can call one another without knowing each other.
 *
 * <p><b>If you write a bundle that starts experiments:</b> get the {@link org.penumbra.api.command.CommandLine}. A bundle that
 * offers commands to a person at the shell needs nothing from here: it publishes a Gogo command, like any OSGi bundle.
 */
@Version("0.1.0")
package org.penumbra.api.command;

import org.osgi.annotation.versioning.Version;
