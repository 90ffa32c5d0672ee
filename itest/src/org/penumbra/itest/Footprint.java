package org.penumbra.itest;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryPoolMXBean;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/**
 * What this Java machine holds after garbage collection.
 *
 * @param heap in bytes
 * @param metaspace in bytes
 * @param files open files
 */
record Footprint(long heap, long metaspace, int classes, int threads, long files) {
    /** Caches, compiled code and the like go up and down by themselves; a running guest has touched more or less of its memory. */
    private static final long HEAP_SLACK = 64L << 20;
    private static final long METASPACE_SLACK = 6L << 20;
    private static final int THREAD_SLACK = 2;
    private static final int FILE_SLACK = 8;

    static Footprint now() throws InterruptedException, IOException {
        // The second collection takes what finalizers and cleaners of the first have let go.
        System.gc();
        Thread.sleep(100);
        System.gc();
        long metaspace = ManagementFactory.getMemoryPoolMXBeans().stream().filter(p -> p.getName().equals("Metaspace"))
                .map(MemoryPoolMXBean::getUsage).mapToLong(u -> u.getUsed()).sum();
        return new Footprint(ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed(), metaspace,
                ManagementFactory.getClassLoadingMXBean().getLoadedClassCount(), ManagementFactory.getThreadMXBean().getThreadCount(), openFiles());
    }

    private static long openFiles() throws IOException {
        try (Stream<Path> open = Files.list(Path.of("/proc/self/fd"))) {
            return open.count();
        }
    }

    void assertNoLargerThan(Footprint before) {
        assertThat(heap).as("heap in bytes").isLessThan(before.heap + HEAP_SLACK);
        assertThat(metaspace).as("metaspace in bytes").isLessThan(before.metaspace + METASPACE_SLACK);
        assertThat(threads).as("threads").isLessThanOrEqualTo(before.threads + THREAD_SLACK);
        assertThat(files).as("open files").isLessThanOrEqualTo(before.files + FILE_SLACK);
    }

    @Override
    public String toString() {
        return String.format("heap %.1f MiB, metaspace %.1f MiB, %,d classes, %d threads, %d files", heap / 1048576.0, metaspace / 1048576.0, classes, threads, files);
    }
}
