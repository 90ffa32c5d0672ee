package org.penumbra.devices.descriptor;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Label;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import org.penumbra.api.interrupt.TimerDescriptor;
import org.penumbra.api.interrupt.TimerDescriptor.Setting;

class TimerDescriptorPropertyTest {
    /** Each step moves on and then reads, or looks, or does nothing, by its last digit. */
    @Property
    @Label("I02 reads add up to the expirations that came, however read, looked at and jumped over")
    void counts(
            @ForAll @IntRange(max = 40) int first,
            @ForAll @IntRange(max = 15) int interval,
            @ForAll boolean absolute,
            @ForAll boolean jumps,
            @ForAll @Size(max = 30) List<@IntRange(max = 99) Integer> steps) {
        ManualTimeline time = new ManualTimeline();
        TimerDescriptor timer = new DescriptorService().timer(time);
        time.advanceTo(20);
        timer.settime(absolute ? TimerDescriptor.TFD_TIMER_ABSTIME : 0, new Setting(first, interval));
        long start = absolute ? first : 20 + first;
        long read = 0;
        long now = 20;
        for (int step : steps) {
            now += step / 3;
            if (jumps) {
                time.jumpTo(now);
            } else {
                time.advanceTo(now);
            }
            long due = first == 0 || now < start ? 0 : interval == 0 ? 1 : (now - start) / interval + 1;
            assertThat(timer.poll() != 0).isEqualTo(due > read);
            if (step % 3 == 0) {
                read += timer.tryRead();
                assertThat(read).isEqualTo(due);
            } else if (step % 3 == 1) {
                long left = first == 0 || interval == 0 && due > 0 ? 0 : start + due * interval - now;
                assertThat(timer.gettime()).isEqualTo(new Setting(left, interval));
            }
        }
    }
}
