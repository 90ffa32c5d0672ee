package org.penumbra.experiments.boot;

import java.util.Map;
import java.util.Optional;
import java.util.function.IntConsumer;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.guest.GuestState;
import org.penumbra.api.machine.GuestBoot;

/** A guest in machine code that goes on from a snapshot, which has all of it: neither its file nor its modules are needed. */
public final class ResumedKernel implements GuestBoot {
    private final Map<String, String> identity;
    private final IntConsumer console;
    private GuestState state;

    /**
     * @param identity what the snapshot says of it
     * @param console takes what the kernel puts out on the serial port from here on
     */
    public ResumedKernel(Map<String, String> identity, IntConsumer console) {
        this.identity = Map.copyOf(identity);
        this.console = console;
    }

    @Override
    public GuestState[] boot(Loader loader, RegisterFile[] vcpus, long memoryBytes) {
        state = new GuestState(new MachineCode());
        return new GuestState[] {state};
    }

    @Override
    public Map<String, String> identity() {
        return identity;
    }

    @Override
    public Optional<String> refusal(int vcpus, long memoryBytes) {
        return vcpus == 1 ? Optional.empty() : Optional.of("a guest in machine code runs on one vCPU, not on " + vcpus);
    }

    @Override
    public void console(int octet) {
        MachineCode.putOut(state, octet);
        console.accept(octet);
    }
}
