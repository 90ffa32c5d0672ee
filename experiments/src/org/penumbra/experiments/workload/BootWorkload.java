package org.penumbra.experiments.workload;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.penumbra.api.experiment.Workload;
import org.penumbra.api.machine.GuestBoot;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.experiments.boot.KernelFile;

/**
 * A multiboot kernel, in machine code, as a workload: it ends when the kernel writes 0 to port 0xf4. Its digest depends on what it puts out on the
 * serial port, which goes nowhere else. Nothing in it depends on the seed, and the kernel chooses its paging mode itself.
 */
public final class BootWorkload implements Workload {
    /** What the name of such a workload begins with; the path of the kernel follows. */
    public static final String PREFIX = "boot:";

    private final Path file;
    private final KernelFile kernel;
    private final String engine;

    private BootWorkload(Path file, KernelFile kernel, String engine) {
        this.file = file;
        this.kernel = kernel;
        this.engine = engine;
    }

    /**
     * The kernel in {@code file} with a command line and modules, as {@link KernelFile#read} takes them, executed by
     * {@code engine}.
     *
     * @throws IOException if a file cannot be read
     * @throws IllegalArgumentException with a line for the user if it is no such kernel
     */
    public static BootWorkload of(Path file, String append, List<String> modules, String engine) throws IOException {
        return new BootWorkload(file, KernelFile.read(file, append, modules), engine);
    }

    @Override
    public String description() {
        return "a booted kernel: " + file;
    }

    @Override
    public String engine() {
        return engine;
    }

    @Override
    public GuestBoot prepare(long seed, PagingMode mode) {
        return kernel.guest(octet -> { }, null);
    }

    @Override
    public String inputIdentity() {
        return kernel.identity();
    }

    @Override
    public long expectedOperations() {
        return 0;
    }
}
