/**
 * The abstract TLB: not a cache, but the set of translations that a cache may hold at a moment. Rules from SDM vol. 3, "Caching
 * Translation Information". Used by one thread at a time.
 */
package org.penumbra.testkit.tlb;
