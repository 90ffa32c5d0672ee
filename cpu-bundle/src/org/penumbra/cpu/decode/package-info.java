/** Bytes to instructions, instructions to text. */
package org.penumbra.cpu.decode;
