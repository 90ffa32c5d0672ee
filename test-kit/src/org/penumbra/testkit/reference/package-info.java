/**
 * Address translation as the manuals define it, written down once more: entry bits, access rights, the walks of both dimensions,
 * memory types. Without caches and effects. Whatever keeps no result in its fields may be used from any thread.
 */
package org.penumbra.testkit.reference;
