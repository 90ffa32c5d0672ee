/** The table of instructions, and the names of what they do. */
package org.penumbra.cpu.table;
