/** Timers of a PC: the interval timer, the real-time clock, the ACPI timer. They run on guest time, an operation of the guest being a nanosecond. */
package org.penumbra.devices.timer;
