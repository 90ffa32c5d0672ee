/**
 * The miniature guest kernel: demand paging, copy-on-write fork, mmap, munmap, mprotect, processes and their switching, in the
 * ways of Linux on x86-64, with its translation tables in guest memory.
 *
 * <p>Two halves. Data that no translation depends on (which frames are free, who waits for whom) is kept in Java objects, as a
 * kernel keeps it in its heap. Translation tables and user pages are bytes in guest memory, and every read or change of them
 * is an ordinary guest operation of the kernel through its direct map; so every MMU sees and pays for all of it.
 * {@code docs/miniature-guest.md} describes layout and behaviour.
 *
 * <p><b>If you write a workload:</b> implement {@link org.penumbra.experiments.guest.UserProgram} and boot it with
 * {@link org.penumbra.experiments.guest.MiniatureGuest}.
 */
package org.penumbra.experiments.guest;
