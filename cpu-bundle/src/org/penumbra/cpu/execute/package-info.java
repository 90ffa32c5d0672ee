/** The interpreter and the engine. */
package org.penumbra.cpu.execute;
