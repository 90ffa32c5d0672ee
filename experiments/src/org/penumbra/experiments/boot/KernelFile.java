package org.penumbra.experiments.boot;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.function.IntConsumer;
import org.penumbra.api.guest.AccessListener;

/** A kernel, multiboot or Linux, with what is loaded beside it, read once, from which any number of guests can be booted. Immutable. */
public final class KernelFile {
    private final byte[] content;
    private final String commandLine;
    private final List<KernelGuest.Module> modules;

    private KernelFile(byte[] content, String commandLine, List<KernelGuest.Module> modules) {
        this.content = content;
        this.commandLine = commandLine;
        this.modules = List.copyOf(modules);
    }

    /**
     * Reads a kernel.
     *
     * @param append its command line; a multiboot kernel finds its name before it
     * @param modules "FILE" or "FILE,TEXT", where TEXT is the module's command line
     * @throws IOException if a file cannot be read
     * @throws IllegalArgumentException with a line for the user if {@code file} is no such kernel
     */
    public static KernelFile read(Path file, String append, List<String> modules) throws IOException {
        List<KernelGuest.Module> loaded = new ArrayList<>();
        for (String m : modules) {
            int comma = m.indexOf(',');
            Path path = Path.of(comma < 0 ? m : m.substring(0, comma));
            loaded.add(new KernelGuest.Module(Files.readAllBytes(path), m.replaceFirst(",", " ")));
        }
        byte[] content = Files.readAllBytes(file);
        String named = append.isEmpty() ? file.toString() : file + " " + append;
        KernelFile kernel = new KernelFile(content, LinuxGuest.is(content) ? append : named, loaded);
        try {
            kernel.guest(octet -> { }, null);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(file + " " + e.getMessage(), e);
        }
        return kernel;
    }

    /**
     * A fresh guest.
     *
     * @param console takes what the kernel puts out on the serial port
     * @param recorder is told of every access; may be null
     */
    public KernelGuest guest(IntConsumer console, AccessListener recorder) {
        if (LinuxGuest.is(content)) {
            return new LinuxGuest(content, commandLine, modules, console, recorder);
        }
        return new MultibootGuest(content, commandLine, modules, console, recorder);
    }

    /** Digests of kernel and modules, and the command lines. */
    public String identity() {
        StringBuilder identity = new StringBuilder("sha256:" + sha256(content) + " '" + commandLine + "'");
        for (KernelGuest.Module m : modules) {
            identity.append(", module sha256:").append(sha256(m.content())).append(" '").append(m.commandLine()).append('\'');
        }
        return identity.toString();
    }

    private static String sha256(byte[] bytes) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }
}
