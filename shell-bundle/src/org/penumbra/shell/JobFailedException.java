package org.penumbra.shell;

/** A job that ended with an exit code other than 0. */
final class JobFailedException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final String output;
    private final int exitCode;

    JobFailedException(Job job) {
        super("job " + job.id() + " (" + job.command() + ") ended with exit code " + job.exitCode());
        this.output = job.output();
        this.exitCode = job.exitCode();
    }

    /** What the job printed. */
    String output() {
        return output;
    }

    int exitCode() {
        return exitCode;
    }
}
