package org.penumbra.experiments.boot;

import org.penumbra.api.cpu.GuestOperation.Kind;
import org.penumbra.api.guest.AccessListener;

/** Machine code whose accesses somebody records. */
final class RecordedCode extends MachineCode implements AccessListener {
    private final AccessListener recorder;

    RecordedCode(AccessListener recorder) {
        this.recorder = recorder;
    }

    @Override
    public void accessed(Kind kind, long gva, int width) {
        recorder.accessed(kind, gva, width);
    }
}
