/**
 * Plugins as files: projects that make them, jars, repositories, and the folder from which a container takes them.
 *
 * <p><b>If you write a command:</b> get the {@link org.penumbra.api.plugin.PluginTools}. <b>If you write a plugin</b> you need nothing from
 * here.
 */
@Version("0.1.0")
package org.penumbra.api.plugin;

import org.osgi.annotation.versioning.Version;
