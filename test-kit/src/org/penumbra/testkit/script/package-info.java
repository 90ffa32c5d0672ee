/** How the test kit's own guests run: scripts of a few operations, each of which a guest judges before it plans the next. */
package org.penumbra.testkit.script;
