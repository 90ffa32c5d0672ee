/** Plugins as files. Private: reached through {@link org.penumbra.api.plugin.PluginTools}. */
package org.penumbra.plugins;
