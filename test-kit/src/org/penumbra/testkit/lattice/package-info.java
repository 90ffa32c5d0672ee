/**
 * The access lattice: a guest that tries every combination of entry bits, control bits and kinds of access on a real machine, and compares
 * what happens with {@link org.penumbra.testkit.reference}.
 */
package org.penumbra.testkit.lattice;
