/** The stock exit handlers, each a service that another can outrank. They hold no state. */
package org.penumbra.vmx.exit;
