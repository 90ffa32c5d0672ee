/**
 * A hypervisor that is a guest itself, in scripts: what it does is seldom what a good hypervisor would do, and always what the architecture
 * lets one do.
 */
package org.penumbra.testkit.nested;
