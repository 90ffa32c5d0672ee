package org.penumbra.experiments.engine;

import org.penumbra.api.cpu.MemoryHooks;
import org.penumbra.api.memory.PhysicalMemory;

/** Emulated memory where every gva is its own hpa, byte by byte. */
final class DirectHooks implements MemoryHooks {
    private final PhysicalMemory memory;
    boolean refuse;

    DirectHooks(PhysicalMemory memory) {
        this.memory = memory;
    }

    @Override
    public boolean prepare(long gva, int width, int operation) {
        return !refuse;
    }

    @Override
    public long load(long gva, int width) {
        long value = 0;
        for (int i = 0; i < width; i++) {
            value |= memory.load(gva + i, 1) << 8 * i;
        }
        return value;
    }

    @Override
    public void store(long gva, int width, long value) {
        // Wider than 8 bytes, the value starts again at each aligned 8 bytes.
        for (int i = 0, from = 0; i < width; i++, from++) {
            if (width > 8 && (gva + i & 7) == 0) {
                from = 0;
            }
            memory.store(gva + i, 1, value >>> 8 * from);
        }
    }

    @Override
    public boolean compareAndSet(long gva, int width, long expected, long value) {
        if (load(gva, width) != expected) {
            return false;
        }
        store(gva, width, value);
        return true;
    }
}
