package org.penumbra.testkit.contract;

import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.cpu.VirtualizationExtension;
import org.penumbra.api.memory.DirtyLog;
import org.penumbra.api.memory.FrameLease;
import org.penumbra.api.memory.GuestMemory;
import org.penumbra.api.memory.WriteTracking;
import org.penumbra.api.mmu.Mmu;
import org.penumbra.api.mmu.MmuContext;
import org.penumbra.api.mmu.MmuFactory;
import org.penumbra.api.mmu.MmuHost;
import org.penumbra.api.mmu.Resolution;
import org.penumbra.api.observe.Counters;
import org.penumbra.api.observe.Tracing;
import org.penumbra.api.paging.PagingState;

/**
 * A design with something between it and the machine: what it asks for passes by here and can be disturbed at that moment. Its abilities
 * are those of the design. Any thread.
 */
final class Probe implements MmuFactory {
    /** Who is told of moments at which other processors, or the host, may come in between. On the thread of the vCPU whose fault it is. */
    interface Intruder {
        /** The design has read guest memory at {@code gpa} for a fault. */
        void read(long gpa);

        /** The design has looked up the host frame behind {@code gfn} for a fault. */
        void lookedUp(long gfn);

        /** The fault is resolved as {@code answer} says, and the design is about to return. Answers what the machine is to hear. */
        Resolution resolved(Resolution answer);
    }

    /** Faults that the design was asked to resolve. */
    final AtomicLong resolves = new AtomicLong();
    /** What designs did with handles of a lease after they were closed: the first of it, empty for nothing. */
    volatile String afterClose = "";
    /** The MMU that is in use, or was the last, and its host. */
    volatile Mmu mmu;
    volatile MmuHost host;
    volatile Intruder intruder;
    private final MmuFactory design;
    /** True while the thread is in a fault of its vCPU. */
    private final ThreadLocal<Boolean> resolving = ThreadLocal.withInitial(() -> false);

    Probe(MmuFactory design) {
        this.design = design;
    }

    @Override
    public String description() {
        return design.description();
    }

    @Override
    public List<Setting> settings() {
        return design.settings();
    }

    @Override
    public VirtualizationExtension extension() {
        return design.extension();
    }

    @Override
    public String objection(PagingState state) {
        return design.objection(state);
    }

    @Override
    public Mmu create(MmuHost machine) {
        WatchedHost watched = new WatchedHost(machine);
        Mmu real = design.create(watched);
        host = machine;
        mmu = real;
        return like(Mmu.class, real, (proxy, method, arguments) -> {
            Object answer = call(real, method, arguments);
            if (method.getName().equals("close")) {
                watched.closed = true;
            }
            return answer instanceof MmuContext context ? watched(context) : answer;
        });
    }

    private MmuContext watched(MmuContext real) {
        return like(MmuContext.class, real, (proxy, method, arguments) -> {
            if (!method.getName().equals("resolve")) {
                return call(real, method, arguments);
            }
            resolves.incrementAndGet();
            Intruder now = intruder;
            if (now == null) {
                return call(real, method, arguments);
            }
            resolving.set(true);
            Resolution answer = null;
            try {
                answer = (Resolution) call(real, method, arguments);
            } finally {
                resolving.set(false);
                answer = now.resolved(answer);
            }
            return answer;
        });
    }

    /** A proxy with every type of the contract that {@code real} has, so that its abilities are found. */
    static <T> T like(Class<T> type, T real, InvocationHandler handler) {
        Set<Class<?>> types = new LinkedHashSet<>(List.of(type));
        for (Class<?> c = real.getClass(); c != null; c = c.getSuperclass()) {
            for (Class<?> i : c.getInterfaces()) {
                if (i.getPackage().equals(type.getPackage())) {
                    types.add(i);
                }
            }
        }
        return type.cast(Proxy.newProxyInstance(MmuFactory.class.getClassLoader(), types.toArray(Class<?>[]::new), handler));
    }

    /** Calls {@code method} of {@code real} as a proxy does. */
    static Object call(Object real, Method method, Object[] arguments) throws Throwable {
        try {
            return method.invoke(real, arguments);
        } catch (InvocationTargetException e) {
            throw e.getCause();
        }
    }

    private Intruder inFault() {
        return resolving.get() ? intruder : null;
    }

    private final class WatchedHost implements MmuHost {
        private final MmuHost real;
        volatile boolean closed;

        WatchedHost(MmuHost real) {
            this.real = real;
        }

        @Override
        public FrameLease lease() {
            FrameLease lease = real.lease();
            return like(FrameLease.class, lease, (proxy, method, arguments) -> {
                if (closed) {
                    afterClose = "the closed MMU called FrameLease." + method.getName();
                }
                return call(lease, method, arguments);
            });
        }

        @Override
        public GuestMemory guestMemory(CycleClock clock) {
            return new WatchedMemory(real.guestMemory(clock));
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
        public WriteTracking writeTracking() {
            return real.writeTracking();
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
            real.flushRemoteTlbs(clock);
        }
    }

    private final class WatchedMemory implements GuestMemory {
        private final GuestMemory real;

        WatchedMemory(GuestMemory real) {
            this.real = real;
        }

        @Override
        public long pfn(long gfn, boolean write) {
            long pfn = real.pfn(gfn, write);
            Intruder now = inFault();
            if (now != null) {
                now.lookedUp(gfn);
            }
            return pfn;
        }

        @Override
        public long load(long gpa, int width) {
            long value = real.load(gpa, width);
            Intruder now = inFault();
            if (now != null) {
                now.read(gpa);
            }
            return value;
        }

        @Override
        public boolean writable(long gfn) {
            return real.writable(gfn);
        }

        @Override
        public long current(long gfn) {
            return real.current(gfn);
        }

        @Override
        public long generation() {
            return real.generation();
        }

        @Override
        public long sequence() {
            return real.sequence();
        }

        @Override
        public boolean retry(long since, long gfn) {
            return real.retry(since, gfn);
        }

        @Override
        public int mappingLevel(long gfn) {
            return real.mappingLevel(gfn);
        }

        @Override
        public void store(long gpa, int width, long value) {
            real.store(gpa, width, value);
        }

        @Override
        public boolean compareAndSet(long gpa, long expected, long value) {
            return real.compareAndSet(gpa, expected, value);
        }
    }
}
