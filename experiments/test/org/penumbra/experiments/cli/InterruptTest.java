package org.penumbra.experiments.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.penumbra.experiments.Signals;

@EnabledOnOs({OS.LINUX, OS.MAC})
@Timeout(60)
class InterruptTest {
    /** A process that works until it is asked to end, then takes its time to write what it has. */
    static final class Worker {
        public static void main(String[] arguments) throws InterruptedException {
            try (Interrupt interrupt = new Interrupt()) {
                System.out.println("ready");
                while (!interrupt.asked()) {
                    Thread.sleep(5);
                }
                Thread.sleep(300);
                System.out.println("written");
                System.out.flush();
            }
            Thread.sleep(10_000);
        }
    }

    private static Process worker() throws IOException {
        String classes = where(Worker.class) + ":" + where(Interrupt.class);
        String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        return new ProcessBuilder(java, "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp", classes, Worker.class.getName())
                .redirectError(ProcessBuilder.Redirect.DISCARD).start();
    }

    private static Path where(Class<?> type) {
        return Path.of(java.net.URI.create(type.getProtectionDomain().getCodeSource().getLocation().toString()));
    }

    @Test
    @DisplayName("X04 Ctrl-C waits for what had finished to be written, and ends with 130")
    void interrupt() throws Exception {
        Signals.assumeInterruptIsHeard();
        Process process = worker();
        try (BufferedReader out = new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
            assertThat(out.readLine()).isEqualTo("ready");
            new ProcessBuilder("kill", "-INT", Long.toString(process.pid())).start().waitFor();
            assertThat(out.readLine()).isEqualTo("written");
            assertThat(process.waitFor(5, TimeUnit.SECONDS)).as("what comes after the work is not waited for").isTrue();
            assertThat(process.exitValue()).isEqualTo(ExitCodes.INTERRUPTED);
        } finally {
            process.destroyForcibly();
        }
    }

    @Test
    @DisplayName("a run that ends by itself leaves no hook behind")
    void noHook() {
        Interrupt interrupt = new Interrupt();
        interrupt.close();
        interrupt.close();
        assertThat(interrupt.asked()).isFalse();
    }
}
