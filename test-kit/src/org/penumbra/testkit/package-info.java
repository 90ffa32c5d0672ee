/** The test kit: what the architecture says, to compare hardware and MMUs with. Shares no code and no bit table with them. */
package org.penumbra.testkit;
