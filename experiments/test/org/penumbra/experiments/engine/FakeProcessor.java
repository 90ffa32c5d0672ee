package org.penumbra.experiments.engine;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.penumbra.api.clock.CostProfile;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.clock.GuestClock;
import org.penumbra.api.cpu.FirstLevelTlb;
import org.penumbra.api.cpu.GuestException;
import org.penumbra.api.cpu.InterruptLine;
import org.penumbra.api.cpu.Msr;
import org.penumbra.api.cpu.Outcome;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.cpu.TlbArray;
import org.penumbra.api.cpu.TranslationStatistics;
import org.penumbra.api.cpu.WalkListener;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.api.observe.TranslationObserver;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.vmx.ExitReason;
import org.penumbra.api.vmx.ExitRecord;
import org.penumbra.testkit.fixture.StepProcessor;

/** A processor that maps every gva to itself and does to the engine what a test tells it to. */
public class FakeProcessor extends StepProcessor {
    /** Anything but DONE happens once, then the operation works. */
    private record Event(int outcome, int vector, int errorCode) {}

    public final RegisterFile registers = new RegisterFile();
    public final PhysicalMemory memory;
    public final CycleClock cycles = new CycleClock(new FlatProfile());
    public final GuestClock time = new GuestClock();
    public final GuestException exception = new GuestException();
    public final ExitRecord exit = new ExitRecord();
    public final InterruptLine line = new InterruptLine();
    /** Changes of privilege exit, as they do for a de-privileged guest. */
    public boolean trapsPrivilege;
    /** Privileged operations that took effect. */
    public final List<String> done = new ArrayList<>();
    public TranslationObserver observer;
    public GuestException injected;
    /** Every miss and every privileged operation exits, until a test says otherwise. */
    public boolean alwaysExit;

    protected final FirstLevelTlb data = new FirstLevelTlb(new TlbArray(2048, 4), new TlbArray(32, 4), null);
    protected final FirstLevelTlb code = new FirstLevelTlb(new TlbArray(2048, 4), new TlbArray(32, 4), null);
    private final Map<Long, Deque<Event>> pages = new HashMap<>();
    private final Deque<Event> privileged = new ArrayDeque<>();

    public FakeProcessor(long memoryBytes) {
        this(new PhysicalMemory(memoryBytes));
    }

    /** One of several processors over {@code memory}. */
    public FakeProcessor(PhysicalMemory memory) {
        this.memory = memory;
    }

    public boolean interruptible() {
        return (registers.rflags & ControlBits.RFLAGS_IF) != 0;
    }

    public void faultOnce(long gva, int errorCode) {
        pages.computeIfAbsent(gva >>> 12, p -> new ArrayDeque<>()).add(new Event(Outcome.FAULT, GuestException.PF, errorCode));
    }

    public void exitOnce(long gva) {
        pages.computeIfAbsent(gva >>> 12, p -> new ArrayDeque<>()).add(new Event(Outcome.EXIT, 0, 0));
    }

    public void exitPrivilegedOnce() {
        privileged.add(new Event(Outcome.EXIT, 0, 0));
    }

    public void raisePrivilegedOnce(int vector) {
        privileged.add(new Event(Outcome.FAULT, vector, 0));
    }

    @Override
    public RegisterFile registers() {
        return registers;
    }

    @Override
    public FirstLevelTlb dataTlb() {
        return data;
    }

    @Override
    public FirstLevelTlb instructionTlb() {
        return code;
    }

    @Override
    public PhysicalMemory memory() {
        return memory;
    }

    @Override
    public CycleClock cycles() {
        return cycles;
    }

    @Override
    public GuestClock guestTime() {
        return time;
    }

    @Override
    public TranslationObserver observer() {
        return observer;
    }

    @Override
    public long translate(long gva, int access) {
        Deque<Event> events = pages.get(gva >>> 12);
        if (alwaysExit || events != null && !events.isEmpty()) {
            int outcome = happen(alwaysExit ? new Event(Outcome.EXIT, 0, 0) : events.poll(), gva);
            return outcome == Outcome.FAULT ? FAULT : EXIT;
        }
        return gva;
    }

    private int happen(Event e, long gva) {
        if (e.outcome() == Outcome.FAULT) {
            exception.set(e.vector(), e.errorCode(), gva);
        } else {
            exit.start(ExitReason.EPT_VIOLATION, 0);
        }
        return e.outcome();
    }

    private int privileged(String what) {
        if (alwaysExit || !privileged.isEmpty()) {
            return happen(alwaysExit ? new Event(Outcome.EXIT, 0, 0) : privileged.poll(), 0);
        }
        done.add(what);
        return Outcome.DONE;
    }

    @Override
    public int movToCr3(long value) {
        int outcome = privileged(String.format("cr3 %x", value));
        if (outcome == Outcome.DONE) {
            registers.paging = registers.paging.withCr3(value & Long.MAX_VALUE);
        }
        return outcome;
    }

    @Override
    public int movToCr0(long value) {
        int outcome = privileged(String.format("cr0 %x", value));
        if (outcome == Outcome.DONE) {
            registers.paging = registers.paging.withCr0(value);
        }
        return outcome;
    }

    @Override
    public int movToCr4(long value) {
        int outcome = privileged(String.format("cr4 %x", value));
        if (outcome == Outcome.DONE) {
            registers.paging = registers.paging.withCr4(value);
        }
        return outcome;
    }

    @Override
    public int invlpg(long gva) {
        return privileged(String.format("invlpg %x", gva));
    }

    @Override
    public int invpcid(int type, long pcid, long gva) {
        throw new UnsupportedOperationException();
    }

    @Override
    public int wrpkru(int value) {
        throw new UnsupportedOperationException();
    }

    @Override
    public void listen(WalkListener listener) {
        throw new UnsupportedOperationException();
    }

    @Override
    public int changePrivilege(int cpl, long rflags) {
        if (trapsPrivilege) {
            return Outcome.EXIT;
        }
        registers.cpl = cpl;
        registers.rflags = rflags;
        return Outcome.DONE;
    }

    @Override
    public int hlt() {
        return privileged("hlt");
    }

    @Override
    public int out(int port, int width, long value) {
        return privileged(String.format("out %x %d %x", port, width, value));
    }

    @Override
    public int vmcall() {
        return privileged("vmcall");
    }

    @Override
    public int wrmsr(int msr, long value) {
        int outcome = privileged(String.format("wrmsr %x %x", msr, value));
        if (outcome == Outcome.DONE && msr == Msr.IA32_EFER) {
            registers.paging = registers.paging.withEfer(value);
        } else if (outcome == Outcome.DONE && msr == Msr.IA32_PKRS) {
            registers.paging = registers.paging.withPkrs((int) value);
        }
        return outcome;
    }

    @Override
    public InterruptLine interruptLine() {
        return line;
    }

    /** As in non-root operation with "external-interrupt exiting"; the window exits while the line awaits it. */
    @Override
    public int interrupted() {
        if (line.requested()) {
            line.acknowledge();
            exit.start(ExitReason.EXTERNAL_INTERRUPT, 0);
            return Outcome.EXIT;
        }
        if (interruptible()) {
            exit.start(ExitReason.INTERRUPT_WINDOW, 0);
            return Outcome.EXIT;
        }
        return Outcome.DONE;
    }

    @Override
    public GuestException exception() {
        return exception;
    }

    @Override
    public ExitRecord exit() {
        return exit;
    }

    @Override
    public GuestException takeInjectedEvent() {
        GuestException e = injected;
        injected = null;
        return e;
    }

    @Override
    public TranslationStatistics statistics() {
        return TranslationStatistics.NONE;
    }

    /** Everything costs one cycle. */
    private static final class FlatProfile implements CostProfile {
        @Override
        public String name() {
            return "flat";
        }

        @Override
        public String description() {
            return "everything costs one cycle";
        }

        @Override
        public Vendor vendor() {
            return Vendor.INTEL;
        }

        @Override
        public int year() {
            return 2015;
        }

        @Override
        public List<Figure> figures() {
            return List.of();
        }

        @Override
        public long figure(String key) {
            return 1;
        }
    }
}
