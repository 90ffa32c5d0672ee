package org.penumbra.experiments.cli;

/** What the process tells its caller. */
final class ExitCodes {
    static final int OK = 0;
    /** Something failed while running: a trial, a recording, a file. */
    static final int FAILED = 1;
    /** The request was refused before anything was run or written. */
    static final int REFUSED = 2;
    /** A translation outside what the architecture allows, another disagreement with it, or a guest that ran differently under two designs. */
    static final int WRONG = 3;
    /** Stopped by Ctrl-C, as shells report it: 128 + SIGINT. */
    static final int INTERRUPTED = 130;

    private ExitCodes() {}
}
