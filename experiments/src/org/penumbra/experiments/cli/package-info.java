/**
 * The command line: commands parse and print, and leave the work to the other packages.
 *
 * <p>Standard output carries what was asked for and nothing else; messages and progress go to standard error. Exit codes: 0 all
 * went well, 1 something failed while running, 2 the request was refused and nothing was run or written, 3 translations or guests
 * disagreed, 130 interrupted.
 */
package org.penumbra.experiments.cli;
