package org.penumbra.experiments.cli;

import java.util.Locale;

/** One line on a terminal that is written over and over: what runs, how far it is, how long it will still take. */
final class StatusLine {
    private static final int WIDTH = 79;
    private static final long REFRESH_NANOS = 200_000_000;

    private final Console console;
    private final boolean shown;
    private final long start = System.nanoTime();
    /** When it was written; 0 if it is not there. */
    private long last;

    /** @param quiet show nothing, as where standard error is no terminal */
    StatusLine(Console console, boolean quiet) {
        this.console = console;
        this.shown = !quiet && console.terminal().err();
    }

    /**
     * Shows it, unless the line was written a moment ago.
     *
     * @param share how much of {@code what} is done, 0 to 1
     * @param done how much of all is
     */
    void show(String what, double share, double done) {
        long now = System.nanoTime();
        if (!shown || last != 0 && now - last < REFRESH_NANOS) {
            return;
        }
        last = now;
        String line = String.format(Locale.ROOT, "%s  %3.0f%%  %s", what, 100 * share, remaining(done, (now - start) / 1e9));
        console.err().print("\r" + (line + " ".repeat(WIDTH)).substring(0, WIDTH));
        console.err().flush();
    }

    /** Takes the line away, so that something else can be printed. */
    void clear() {
        last = 0;
        if (shown) {
            console.err().print("\r" + " ".repeat(WIDTH) + "\r");
            console.err().flush();
        }
    }

    /** "about 1 min 20 s left", once there is something to judge from. */
    static String remaining(double done, double elapsedSeconds) {
        if (done < 0.01 || elapsedSeconds < 1) {
            return "";
        }
        long seconds = Math.round(elapsedSeconds * (1 - done) / done);
        return "about " + (seconds < 60 ? "" : seconds / 60 + " min ") + seconds % 60 + " s left";
    }
}
