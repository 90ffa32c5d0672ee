package org.penumbra.itest;

import java.util.List;
import java.util.function.Consumer;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.memory.DirtyLog;
import org.penumbra.api.memory.FrameLease;
import org.penumbra.api.memory.GuestMemory;
import org.penumbra.api.memory.WriteTracking;
import org.penumbra.api.mmu.ControlDemand;
import org.penumbra.api.mmu.Mmu;
import org.penumbra.api.mmu.MmuContext;
import org.penumbra.api.mmu.MmuContextHost;
import org.penumbra.api.mmu.MmuFactory;
import org.penumbra.api.mmu.MmuHost;
import org.penumbra.api.observe.Counters;
import org.penumbra.api.observe.Tracing;

/** A design that is another design without its TLB flushes: what a hypervisor with a forgotten flush is like. */
final class ForgetfulShadow implements MmuFactory {
    private final MmuFactory real;

    ForgetfulShadow(MmuFactory real) {
        this.real = real;
    }

    @Override
    public String description() {
        return "forgets every flush";
    }

    @Override
    public List<Setting> settings() {
        return real.settings();
    }

    @Override
    public Mmu create(MmuHost host) {
        Mmu mmu = real.create(new DeafHost(host));
        return new Mmu() {
            @Override
            public ControlDemand controlDemand() {
                return mmu.controlDemand();
            }

            @Override
            public MmuContext newContext(MmuContextHost context) {
                return mmu.newContext(new DeafContextHost(context));
            }

            @Override
            public void guestTableWritten(long gpa, int bytes, CycleClock clock) {
                mmu.guestTableWritten(gpa, bytes, clock);
            }

            @Override
            public void writeProtect(long gfn, CycleClock clock) {
                mmu.writeProtect(gfn, clock);
            }

            @Override
            public void hostRangeChanged(long gfn, long frames, CycleClock clock) {
                mmu.hostRangeChanged(gfn, frames, clock);
            }

            @Override
            public void audit(CycleClock clock, Consumer<String> violations) {
                mmu.audit(clock, violations);
            }

            @Override
            public void close() {
                mmu.close();
            }
        };
    }

    private record DeafHost(MmuHost real) implements MmuHost {
        @Override
        public FrameLease lease() {
            return real.lease();
        }

        @Override
        public GuestMemory guestMemory(CycleClock clock) {
            return real.guestMemory(clock);
        }

        @Override
        public WriteTracking writeTracking() {
            return real.writeTracking();
        }

        @Override
        public Tracing.Tracer tracer(CycleClock clock) {
            return real.tracer(clock);
        }

        @Override
        public int linearAddressBits() {
            return real.linearAddressBits();
        }

        @Override
        public long guestFrames() {
            return real.guestFrames();
        }

        @Override
        public DirtyLog dirtyLog() {
            return real.dirtyLog();
        }

        @Override
        public int physicalAddressBits() {
            return real.physicalAddressBits();
        }

        @Override
        public Counters counters() {
            return real.counters();
        }

        @Override
        public String setting(String key) {
            return real.setting(key);
        }

        @Override
        public void flushRemoteTlbs(CycleClock clock) {
            // Forgotten.
        }
    }

    private record DeafContextHost(MmuContextHost real) implements MmuContextHost {
        @Override
        public int vcpu() {
            return real.vcpu();
        }

        @Override
        public CycleClock clock() {
            return real.clock();
        }

        @Override
        public void flushPage(long gva) {
            // Forgotten.
        }

        @Override
        public void flushAll() {
            // Forgotten.
        }
    }
}
