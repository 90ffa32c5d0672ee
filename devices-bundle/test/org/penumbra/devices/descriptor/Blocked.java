package org.penumbra.devices.descriptor;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.Callable;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;

/** A call on a thread of its own that is expected to wait. */
final class Blocked<T> {
    private final FutureTask<T> task;
    final Thread thread;

    /** Returns when the call waits. */
    Blocked(Callable<T> call) throws InterruptedException {
        task = new FutureTask<>(call);
        thread = new Thread(task);
        thread.start();
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
        while (thread.getState() != Thread.State.WAITING && System.nanoTime() < deadline) {
            Thread.sleep(1);
        }
        assertThat(thread.getState()).isEqualTo(Thread.State.WAITING);
    }

    T result() throws Exception {
        return task.get(10, TimeUnit.SECONDS);
    }
}
