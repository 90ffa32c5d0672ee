/**
 * Paging as the SDM and the APM define it: modes, control bits, PDPTE registers, access kinds, error codes, memory types,
 * translation roots.
 *
 * <p><b>If you write an MMU:</b> you receive a {@link org.penumbra.api.paging.PagingState} and answer with a
 * {@link org.penumbra.api.paging.TranslationRoot}; with a {@link org.penumbra.api.paging.StageWalker} or a
 * {@link org.penumbra.api.paging.LinearWalker} you bring hardware. <b>If you write an engine:</b> you name each access by a kind of
 * {@link org.penumbra.api.paging.Access}. All types are immutable values or constants and may be used from any thread.
 */
@Version("0.1.0")
package org.penumbra.api.paging;

import org.osgi.annotation.versioning.Version;
