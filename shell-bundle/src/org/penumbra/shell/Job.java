package org.penumbra.shell;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.penumbra.api.command.CommandLine;

/** A command in the background, with everything it prints. Any thread. */
final class Job {
    private static final int FAILED = 1;

    private final int id;
    private final List<String> arguments;
    private final CommandLine commandLine;
    private final StringWriter output = new StringWriter();
    private final CountDownLatch ended = new CountDownLatch(1);
    private final long start = System.nanoTime();
    private volatile long end;
    private volatile boolean cancelled;
    private volatile boolean attended;
    private volatile int exitCode = -1;

    Job(int id, List<String> arguments, CommandLine commandLine) {
        this.id = id;
        this.arguments = List.copyOf(arguments);
        this.commandLine = commandLine;
    }

    void start() {
        Thread thread = new Thread(this::run, "penumbra-job-" + id);
        thread.setDaemon(true);
        thread.start();
    }

    private void run() {
        PrintWriter writer = new PrintWriter(output, true);
        int code = FAILED;
        try {
            code = commandLine.run(arguments, writer, writer, () -> cancelled);
        } catch (RuntimeException | LinkageError | AssertionError | OutOfMemoryError | StackOverflowError e) {
            writer.println("penumbra: " + e);
        } finally {
            writer.flush();
            end = System.nanoTime();
            exitCode = code;
            ended.countDown();
        }
    }

    int id() {
        return id;
    }

    boolean running() {
        return ended.getCount() > 0;
    }

    /** Whether somebody has cancelled it, or has seen its end or its output. */
    boolean attended() {
        return attended;
    }

    void attend() {
        attended = true;
    }

    /** Asks it to end. */
    void cancel() {
        cancelled = true;
        attended = true;
    }

    /** Waits for its end, at most so long; answers whether it has ended. */
    boolean await(long millis) throws InterruptedException {
        return ended.await(millis, TimeUnit.MILLISECONDS);
    }

    /** Waits for its end. */
    void await() throws InterruptedException {
        ended.await();
    }

    int exitCode() {
        return exitCode;
    }

    /** What it has printed so far: answers and messages, in the order they came. */
    String output() {
        return output.toString().stripTrailing();
    }

    /** The command as it was typed. */
    String command() {
        return String.join(" ", arguments);
    }

    JobInfo info() {
        boolean over = !running();
        String state = !over ? cancelled ? "cancelling" : "running" : exitCode == 0 ? "done" : cancelled ? "cancelled" : "failed";
        double seconds = ((over ? end : System.nanoTime()) - start) / 1e9;
        return new JobInfo(id, state, over ? exitCode : -1, Math.round(seconds * 10) / 10.0, command());
    }
}
