/** The local APIC as its guest programs it. */
package org.penumbra.vmx.apic;
