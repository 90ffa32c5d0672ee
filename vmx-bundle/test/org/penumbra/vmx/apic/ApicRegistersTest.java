package org.penumbra.vmx.apic;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.interrupt.ControllerState;
import org.penumbra.api.interrupt.Interrupts;
import org.penumbra.api.interrupt.Registration;
import org.penumbra.api.interrupt.Timeline;

/** SDM vol. 3, "Advanced Programmable Interrupt Controller". */
class ApicRegistersTest {
    private static final long PAGE = 0xfee0_0000L;
    private static final long ENABLED = 1 << 11;
    private static final long X2APIC = 1 << 10;

    private final List<String> sent = new ArrayList<>();
    private final List<Boolean> external = new ArrayList<>();
    private String logical = "none";
    private final Clock clock = new Clock();
    private final Interrupts interrupts = (Interrupts) Proxy.newProxyInstance(
            ApicRegistersTest.class.getClassLoader(), new Class<?>[] {Interrupts.class}, (proxy, method, arguments) -> {
                switch (method.getName()) {
                    case "msi":
                        String kind = ((long) arguments[0] & 4) != 0 ? "logical " : "";
                        sent.add(String.format("%x to %s%x", arguments[1], kind, (long) arguments[0] >>> 12 & 0xff));
                        return null;
                    case "endOfInterrupt":
                        sent.add("EOI");
                        return null;
                    case "logicalId":
                        logical = String.format("%x as %d", arguments[1], arguments[2]);
                        return null;
                    case "external":
                        external.add((boolean) arguments[1]);
                        return null;
                    case "priority":
                        sent.add("priority " + arguments[1]);
                        return null;
                    case "state":
                        return new ControllerState(1, new long[] {0, 1L << 40, 0, 0}, new long[4], new long[4], new long[24], 0);
                    default:
                        throw new UnsupportedOperationException(method.getName());
                }
            });
    private final ApicRegisters apic = new ApicRegisters(0, interrupts, () -> clock, 46);

    /** A time that the test sets. */
    private static final class Clock implements Timeline {
        private long now;
        private final List<Long> due = new ArrayList<>();
        private final List<Runnable> actions = new ArrayList<>();

        @Override
        public long now() {
            return now;
        }

        @Override
        public Registration at(long time, Runnable action) {
            due.add(time);
            actions.add(action);
            return () -> {
                int i = actions.indexOf(action);
                if (i >= 0) {
                    actions.remove(i);
                    due.remove(i);
                }
            };
        }

        void advance(long to) {
            now = to;
            while (!due.isEmpty() && due.get(0) <= now) {
                due.remove(0);
                actions.remove(0).run();
            }
        }
    }

    private void store(int offset, long value) {
        apic.store(PAGE + offset, 4, value);
    }

    private long load(int offset) {
        return apic.load(PAGE + offset, 4);
    }

    @Test
    @DisplayName("I07 registers of the local APIC as firmware leaves them: version, spurious vector, masked vectors, LINT0 open to the 8259s")
    void reset() {
        assertThat(apic.base()).isEqualTo(PAGE | ENABLED | 1 << 8);
        assertThat(load(0x30) & 0xff).isEqualTo(0x14);
        assertThat(load(0xf0)).isEqualTo(0x1ff);
        assertThat(load(0x350)).isEqualTo(0x700);
        assertThat(load(0x360)).isEqualTo(0x400);
        assertThat(load(0x320)).isEqualTo(1 << 16);
        assertThat(load(0xe0)).isEqualTo(0xffff_ffffL);
        assertThat(load(0x230)).as("IRR, vectors 96 to 127").isEqualTo(1 << 8);
    }

    @Test
    @DisplayName("I07 ICR: to itself, to a destination, to all; NMIs; other delivery modes go nowhere; EOI reaches the controller")
    void messages() {
        store(0x310, 1 << 24);
        store(0x300, 0x31);
        store(0x300, 0x4_0032);
        store(0x300, 0x8_0033);
        store(0x300, 0xc_0034);
        store(0x300, 0x4_0435);
        store(0x300, 0x4_0536);
        store(0xb0, 0);
        assertThat(sent).containsExactly("31 to 1", "32 to 0", "33 to ff", "400 to 0", "EOI");
    }

    @Test
    @DisplayName("I07 ICR: logical destinations go to the controller in xAPIC mode, and are taken apart by clusters of 16 in x2APIC mode")
    void logicalMessages() {
        store(0x310, 3L << 24);
        store(0x300, 0x831);
        store(0x300, 0x932);
        store(0xd0, 2L << 24);
        assertThat(logical).isEqualTo("2000000 as 15");
        store(0xe0, 0x0fff_ffffL);
        assertThat(logical).isEqualTo("2000000 as 0");
        assertThat(apic.base(PAGE | ENABLED | X2APIC)).isTrue();
        assertThat(logical).isEqualTo("1 as 1");
        apic.writeMsr(0x830, 0x1_8001L << 32 | 0x833);
        apic.writeMsr(0x830, 0x1_8001L << 32 | 0x934);
        apic.writeMsr(0x830, 0xffff_ffffL << 32 | 0x835);
        assertThat(sent).containsExactly("31 to logical 3", "132 to logical 3", "33 to 10", "33 to 1f", "134 to 10", "35 to ff");
    }

    @Test
    @DisplayName("I07 x2APIC: MSRs that are reserved are none, EOI and self-IPI cannot be read, LDR follows from the ID, reserved bits are refused")
    void x2apicRegisters() {
        assertThat(apic.base(PAGE | ENABLED | X2APIC)).isTrue();
        for (int reserved : new int[] {0x800, 0x801, 0x804, 0x809, 0x80c, 0x80e, 0x829, 0x82f, 0x831, 0x83a, 0x83d, 0x840, 0x8ff}) {
            assertThat(apic.holdsMsr(reserved)).as(Integer.toHexString(reserved)).isFalse();
        }
        assertThat(apic.readsMsr(0x80b)).isFalse();
        assertThat(apic.readsMsr(0x83f)).isFalse();
        assertThat(apic.readsMsr(0x80d)).isTrue();
        assertThat(apic.readMsr(0x80d)).isEqualTo(1);
        assertThat(apic.writeMsr(0x83f, 0x131)).isFalse();
        assertThat(apic.writeMsr(0x808, 0x100)).isFalse();
        assertThat(apic.writeMsr(0x80b, 1)).isFalse();
        assertThat(apic.writeMsr(0x80b, 0)).isTrue();
        assertThat(sent).containsExactly("EOI");
    }

    @Test
    @DisplayName("I05 the 8259s are heard through LINT0 as ExtINT, or if the local APIC is disabled; disabled by software it masks LINT0 for good")
    void external() {
        store(0x350, 0x1_0700);
        store(0x350, 0x700);
        store(0x350, 0x431);
        assertThat(external).containsExactly(false, true, false);
        store(0x350, 0x700);
        store(0xf0, 0xff);
        assertThat(load(0x350)).isEqualTo(0x1_0700);
        store(0x350, 0x700);
        assertThat(load(0x350)).isEqualTo(0x1_0700);
        assertThat(external).endsWith(true, false, false);
        apic.base(PAGE);
        assertThat(external).endsWith(true);
        apic.base(PAGE | ENABLED);
        assertThat(external).as("after reset LINT0 is masked").endsWith(false);
        assertThat(load(0xf0)).isEqualTo(0xff);
    }

    @Test
    @DisplayName("I07 the task priority reaches the controller, by its register and by CR8; the processor priority is the higher of it and what is served")
    void priority() {
        store(0x80, 0x23);
        assertThat(apic.taskPriority()).isEqualTo(0x23);
        apic.taskPriority(0x70);
        assertThat(load(0x80)).isEqualTo(0x70);
        assertThat(load(0xa0)).as("nothing is in service").isEqualTo(0x70);
        store(0xa0, 0);
        assertThat(sent).containsExactly("priority 35", "priority 112");
    }

    @Test
    @DisplayName("I07 the timer counts down by its divisor, fires once or again and again, not if it is masked, and stops at 0")
    void timer() {
        store(0x3e0, 0b1011);
        store(0x320, 0x40);
        store(0x380, 100);
        clock.advance(40);
        assertThat(load(0x390)).isEqualTo(60);
        clock.advance(99);
        assertThat(sent).isEmpty();
        clock.advance(100);
        assertThat(sent).containsExactly("40 to 0");
        assertThat(load(0x390)).isZero();
        store(0x3e0, 0b0000);
        store(0x320, 1 << 17 | 0x41);
        store(0x380, 50);
        clock.advance(250);
        clock.advance(300);
        assertThat(sent).as("divided by 2").containsExactly("40 to 0", "41 to 0", "41 to 0");
        store(0x320, 1 << 17 | 1 << 16 | 0x41);
        clock.advance(400);
        assertThat(sent).hasSize(3);
        store(0x380, 0);
        assertThat(clock.due).isEmpty();
    }

    @Test
    @DisplayName("I07 IA32_APIC_BASE: disabled it reads as ones and forgets; the page moves; x2APIC only from enabled, and back by disabled only")
    void base() {
        store(0x80, 0x20);
        assertThat(apic.base(PAGE)).isTrue();
        assertThat(apic.enabled()).isFalse();
        assertThat(load(0x30)).isEqualTo(0xffff_ffffL);
        assertThat(apic.base(PAGE | ENABLED | X2APIC)).as("from disabled").isFalse();
        assertThat(apic.base(0x1234_5000L | ENABLED)).isTrue();
        assertThat(apic.holds(PAGE)).isFalse();
        assertThat(apic.load(0x1234_5080L, 4)).isZero();
        assertThat(apic.base(PAGE | ENABLED | 1)).as("reserved").isFalse();
        assertThat(apic.base(1L << 46 | ENABLED)).as("beyond MAXPHYADDR").isFalse();
        assertThat(apic.holdsMsr(0x802)).isFalse();
        assertThat(apic.base(PAGE | ENABLED | X2APIC)).isTrue();
        assertThat(apic.holdsMsr(0x802)).isTrue();
        assertThat(apic.holdsMsr(0x831)).as("there is no high half of ICR").isFalse();
        assertThat(apic.writeMsr(0x830, 2L << 32 | 0x55)).isTrue();
        assertThat(apic.writeMsr(0x83f, 0x56)).isTrue();
        assertThat(sent).containsExactly("priority 32", "priority 0", "55 to 2", "56 to 0");
        assertThat(apic.writeMsr(0x802, 1)).as("read-only").isFalse();
        assertThat(apic.writeMsr(0x808, 1L << 32)).isFalse();
        assertThat(apic.base(PAGE | ENABLED)).isFalse();
        assertThat(apic.base(PAGE)).isTrue();
    }
}
