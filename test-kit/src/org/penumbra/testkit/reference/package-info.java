/** Paging as the manual defines it, written down once more: entry bits, access rights, the walk. Stateless; any thread. */
package org.penumbra.testkit.reference;
