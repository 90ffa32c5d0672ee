package org.penumbra.devices.descriptor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.penumbra.api.interrupt.Descriptor.POLLHUP;
import static org.penumbra.api.interrupt.Descriptor.POLLIN;
import static org.penumbra.api.interrupt.Descriptor.POLLNVAL;
import static org.penumbra.api.interrupt.TimerDescriptor.TFD_TIMER_ABSTIME;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.interrupt.Registration;
import org.penumbra.api.interrupt.TimerDescriptor;
import org.penumbra.api.interrupt.TimerDescriptor.Setting;

class TimerDescriptorTest {
    private final ManualTimeline time = new ManualTimeline();
    private final TimerDescriptor timer = new DescriptorService().timer(time);

    @Test
    @DisplayName("I02 a relative timer expires once when its time has come, and is read once")
    void relative() {
        time.advanceTo(100);
        assertThat(timer.settime(0, new Setting(10, 0))).isEqualTo(new Setting(0, 0));
        time.advanceTo(109);
        assertThat(timer.poll()).isZero();
        assertThat(timer.tryRead()).isZero();
        assertThat(timer.gettime()).isEqualTo(new Setting(1, 0));
        time.advanceTo(110);
        assertThat(timer.poll()).isEqualTo(POLLIN);
        assertThat(timer.gettime()).isEqualTo(new Setting(0, 0));
        assertThat(timer.tryRead()).isEqualTo(1);
        assertThat(timer.tryRead()).isZero();
        time.advanceTo(1000);
        assertThat(timer.poll()).isZero();
    }

    @Test
    @DisplayName("I02 a periodic timer counts every interval between two reads, the first distance being its own")
    void periodic() {
        timer.settime(0, new Setting(5, 10));
        time.advanceTo(5);
        assertThat(timer.tryRead()).isEqualTo(1);
        time.advanceTo(14);
        assertThat(timer.tryRead()).isZero();
        assertThat(timer.gettime()).isEqualTo(new Setting(1, 10));
        time.advanceTo(44);
        assertThat(timer.tryRead()).as("15, 25, 35").isEqualTo(3);
        assertThat(timer.gettime()).isEqualTo(new Setting(1, 10));
        time.advanceTo(45);
        assertThat(timer.tryRead()).isEqualTo(1);
    }

    @Test
    @DisplayName("I02 an absolute time that has passed expires at once, with the intervals since then")
    void absolute() {
        time.advanceTo(35);
        timer.settime(TFD_TIMER_ABSTIME, new Setting(1, 10));
        time.advanceTo(35);
        assertThat(timer.tryRead()).as("1, 11, 21, 31").isEqualTo(4);
        assertThat(timer.gettime()).isEqualTo(new Setting(6, 10));
        timer.settime(TFD_TIMER_ABSTIME, new Setting(50, 0));
        time.advanceTo(49);
        assertThat(timer.poll()).isZero();
        time.advanceTo(50);
        assertThat(timer.tryRead()).isEqualTo(1);
    }

    @Test
    @DisplayName("I02 settime forgets what was not read, tells the setting before, and disarms with 0")
    void settime() {
        timer.settime(0, new Setting(10, 7));
        time.advanceTo(4);
        assertThat(timer.settime(0, new Setting(10, 3))).isEqualTo(new Setting(6, 7));
        time.advanceTo(15);
        assertThat(timer.poll()).isEqualTo(POLLIN);
        assertThat(timer.settime(0, new Setting(100, 0))).as("14 and 17").isEqualTo(new Setting(2, 3));
        assertThat(timer.poll()).isZero();
        assertThat(timer.settime(0, new Setting(0, 9))).isEqualTo(new Setting(100, 0));
        assertThat(timer.gettime()).as("disarmed, the interval remembered").isEqualTo(new Setting(0, 9));
        assertThat(time.waiting()).isZero();
        time.advanceTo(1000);
        assertThat(timer.tryRead()).isZero();
    }

    @Test
    @DisplayName("I02 waiters are called once when a periodic timer expires, and again only after it was read or looked at")
    void waiters() {
        List<String> calls = new ArrayList<>();
        Registration r = timer.addWaiter(events -> calls.add(time.now() + ":" + events));
        timer.settime(0, new Setting(10, 10));
        time.advanceTo(35);
        assertThat(calls).containsExactly("10:1");
        assertThat(timer.tryRead()).isEqualTo(3);
        time.advanceTo(41);
        assertThat(calls).containsExactly("10:1", "40:1");
        assertThat(timer.gettime()).isEqualTo(new Setting(9, 10));
        time.advanceTo(50);
        assertThat(calls).containsExactly("10:1", "40:1", "50:1");
        assertThat(timer.tryRead()).as("what gettime saw is still to be read").isEqualTo(2);
        r.close();
        time.advanceTo(60);
        assertThat(calls).hasSize(3);
    }

    @Test
    @DisplayName("I02 time that jumps over expirations loses none")
    void jumps() {
        timer.settime(0, new Setting(10, 10));
        time.jumpTo(1005);
        assertThat(timer.tryRead()).isEqualTo(100);
        assertThat(timer.gettime()).isEqualTo(new Setting(5, 10));
    }

    @Test
    @DisplayName("I02 a read blocks until the expiration")
    void blocks() throws Exception {
        timer.settime(0, new Setting(10, 0));
        Blocked<Long> reader = new Blocked<>(timer::read);
        time.advanceTo(10);
        assertThat(reader.result()).isEqualTo(1);
        Blocked<Long> interrupted = new Blocked<>(timer::read);
        interrupted.thread.interrupt();
        assertThatThrownBy(interrupted::result).hasCauseInstanceOf(InterruptedException.class);
    }

    @Test
    @DisplayName("I02 a time beyond the end of time is the end of time")
    void saturates() {
        time.advanceTo(100);
        timer.settime(0, new Setting(Long.MAX_VALUE, 0));
        assertThat(timer.gettime().value()).isEqualTo(Long.MAX_VALUE - 100);
        timer.settime(0, new Setting(1, Long.MAX_VALUE));
        time.advanceTo(101);
        assertThat(timer.tryRead()).isEqualTo(1);
        assertThat(timer.gettime().value()).isEqualTo(Long.MAX_VALUE - 101);
    }

    @Test
    @DisplayName("I02 negative times and unknown flags are EINVAL and change nothing; a closed timer is EBADF")
    void refused() {
        timer.settime(0, new Setting(10, 3));
        assertThatThrownBy(() -> timer.settime(2, new Setting(1, 0))).hasMessageContaining("EINVAL");
        assertThatThrownBy(() -> timer.settime(0, new Setting(-1, 0))).hasMessageContaining("EINVAL");
        assertThatThrownBy(() -> timer.settime(0, new Setting(1, -1))).hasMessageContaining("EINVAL");
        assertThat(timer.gettime()).isEqualTo(new Setting(10, 3));
        List<Integer> calls = new ArrayList<>();
        timer.addWaiter(calls::add);
        timer.close();
        assertThat(calls).containsExactly(POLLHUP);
        assertThat(time.waiting()).isZero();
        assertThat(timer.poll()).isEqualTo(POLLNVAL);
        assertThatThrownBy(timer::tryRead).hasMessageContaining("EBADF");
        assertThatThrownBy(timer::gettime).hasMessageContaining("EBADF");
        assertThatThrownBy(() -> timer.settime(0, new Setting(1, 0))).hasMessageContaining("EBADF");
    }
}
