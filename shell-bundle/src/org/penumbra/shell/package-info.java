/**
 * The shell of the container: Gogo commands in the scope {@code penumbra}, a terminal and scripts to type them at, and the folder
 * whose jars are installed.
 *
 * <p>A command never prints. It returns records, lists or maps, which Gogo hands to the next command or {@link
 * org.penumbra.shell.Display} makes readable, and throws a {@link org.penumbra.shell.UserError} for a person. Its method is
 * described for {@code help} and for completion by {@code @Descriptor}: the first word of a parameter's description is its name in
 * the usage line, and says what completes it (see {@link org.penumbra.shell.Completion}).
 */
package org.penumbra.shell;
