/** Guests that are machine code: what a boot loader does for them. */
package org.penumbra.experiments.boot;
