/**
 * What can be seen of a run: counters, exits, and the observer through which a checked run is judged.
 *
 * <p><b>If you write an MMU:</b> count with {@link org.penumbra.api.observe.Counters}, using KVM's names. <b>If you write a
 * checker:</b> implement {@link org.penumbra.api.observe.TranslationObserver}; you are called for every access, so an unchecked
 * run passes none.
 */
@Version("0.1.0")
package org.penumbra.api.observe;

import org.osgi.annotation.versioning.Version;
