package org.penumbra.shell;

import java.util.function.Consumer;
import org.osgi.service.component.annotations.Component;

/** Lines that nobody asked for: what happens in the folder of plugins. To standard error, or above the line that a person types. */
@Component(service = Notices.class)
public final class Notices {
    private volatile Consumer<String> sink = line -> System.err.println("penumbra: " + line);

    void say(String line) {
        sink.accept(line);
    }

    /** From now on lines go to {@code newSink}; the answer is where they went before. */
    synchronized Consumer<String> redirect(Consumer<String> newSink) {
        Consumer<String> old = sink;
        sink = newSink;
        return old;
    }
}
