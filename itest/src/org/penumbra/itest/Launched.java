package org.penumbra.itest;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Penumbra as a user starts it: a process of its own, without a terminal, in the container that the build has assembled. */
final class Launched implements AutoCloseable {
    private static final long PATIENCE_SECONDS = 60;

    private final Path folder;
    private final Process process;

    /** @param folder for what the process prints, and as its folder for temporary files */
    Launched(Path folder, String... arguments) throws IOException {
        Path container = Path.of(System.getProperty("penumbra.test.container"));
        List<String> command = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:+UseSerialGC", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-Djava.io.tmpdir=" + tmp(folder),
                "-Dpenumbra.container=" + container, "-Xbootclasspath/a:" + jars(container.resolve("boot")),
                "-cp", jars(container.resolve("lib")), "org.penumbra.launcher.Launcher"));
        command.addAll(List.of(arguments));
        this.folder = folder;
        this.process = new ProcessBuilder(command).directory(folder.toFile()).redirectOutput(folder.resolve("out").toFile())
                .redirectError(folder.resolve("err").toFile()).start();
    }

    private static Path tmp(Path folder) throws IOException {
        return Files.createDirectories(folder.resolve("tmp"));
    }

    private static String jars(Path folder) throws IOException {
        try (Stream<Path> jars = Files.list(folder)) {
            return jars.map(Path::toString).collect(Collectors.joining(":"));
        }
    }

    /** Types {@code text}, which may be empty, and ends standard input. */
    Launched type(String text) throws IOException {
        say(text);
        process.getOutputStream().close();
        return this;
    }

    /** Types {@code text}, and more may follow. */
    void say(String text) throws IOException {
        process.getOutputStream().write(text.getBytes(StandardCharsets.UTF_8));
        process.getOutputStream().flush();
    }

    /** Waits for its end; answers the exit code. */
    int exitCode() throws InterruptedException {
        if (!process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
            throw new AssertionError("still runs after " + PATIENCE_SECONDS + " s");
        }
        return process.exitValue();
    }

    /** Asks it to end, as Ctrl-C does. */
    void interrupt() throws IOException, InterruptedException {
        new ProcessBuilder("kill", "-INT", String.valueOf(process.pid())).start().waitFor();
    }

    String out() throws IOException {
        return Files.readString(folder.resolve("out"));
    }

    String err() throws IOException {
        return Files.readString(folder.resolve("err"));
    }

    /** Waits until it has printed {@code text} on either stream. */
    void await(String text) throws IOException, InterruptedException {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
        while (!(out() + err()).contains(text)) {
            if (System.nanoTime() > end || !process.isAlive() && !(out() + err()).contains(text)) {
                throw new AssertionError("never printed '" + text + "', but: " + out() + err());
            }
            Thread.sleep(20);
        }
    }

    /** What it has left in its folder for temporary files. */
    List<String> leftovers() throws IOException {
        try (Stream<Path> files = Files.list(folder.resolve("tmp"))) {
            // the Java machine's own, which goes when the next one starts
            return files.map(f -> f.getFileName().toString()).filter(f -> !f.startsWith("hsperfdata")).toList();
        }
    }

    @Override
    public void close() {
        process.destroyForcibly();
    }
}
