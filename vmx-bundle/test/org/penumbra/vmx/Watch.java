package org.penumbra.vmx;

import java.util.ArrayList;
import java.util.List;
import java.util.function.LongConsumer;
import org.penumbra.api.observe.TranslationChecker;
import org.penumbra.api.paging.PagingState;

/** Gives every translation that a processor, or the emulator, uses to a test. */
final class Watch implements TranslationChecker {
    /** Told of a use. */
    interface User {
        void uses(long gva, int access, long hpa);
    }

    final List<String> complaints = new ArrayList<>();
    User user = (gva, access, hpa) -> {};
    private long compared;

    @Override
    public void translated(int vcpu, long gva, int access, long hpa) {
        compared++;
        user.uses(gva, access, hpa);
    }

    @Override
    public long compared() {
        return compared;
    }

    @Override
    public long stale() {
        return 0;
    }

    @Override
    public long wrong() {
        return complaints.size();
    }

    @Override
    public List<String> complaints() {
        return complaints;
    }

    @Override
    public void takeWritten(LongConsumer gfns) {}

    @Override
    public void written(long hpa, int bytes) {}

    @Override
    public void updated(long hpa) {}

    @Override
    public void moved(long gfn) {}

    @Override
    public void pageFault(int vcpu, long gva, int errorCode, boolean ac) {}

    @Override
    public void invalidatedPage(int vcpu, long gva) {}

    @Override
    public void invalidatedPcid(int vcpu, int type, int pcid, long gva) {}

    @Override
    public void loaded(int vcpu, PagingState state, boolean keepPcid) {}
}
