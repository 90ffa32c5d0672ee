/** The file that a snapshot of a machine is. */
package org.penumbra.vmx.snapshot;
