package org.penumbra.experiments.guest;

import java.util.ArrayList;
import java.util.List;
import org.penumbra.api.guest.StepBuffer;
import org.penumbra.api.machine.MachineException;

/**
 * The memory of a process without paging, as a kernel for processors without an MMU provides it (Linux,
 * {@code Documentation/admin-guide/mm/nommu-mmap.rst}): each mapping is filled when it is made, in frames that follow one another, and
 * the process is relocated to them. Nothing can be shared, protected or left out.
 */
final class FlatMemory implements ProcessMemory {
    /** @param gpa where the first byte lies */
    private record Block(Vma vma, long gpa) {}

    private final String owner;
    private final FrameAllocator frames;
    private final GuestLayout layout;
    private final List<Block> blocks = new ArrayList<>();

    /** @param owner for messages */
    FlatMemory(String owner, FrameAllocator frames, GuestLayout layout) {
        this.owner = owner;
        this.frames = frames;
        this.layout = layout;
    }

    @Override
    public long cr3() {
        return 0;
    }

    @Override
    public void place(StepBuffer steps) {
        Block last = blocks.isEmpty() ? null : blocks.get(0);
        for (int i = 0; i < steps.count; i++) {
            if (!StepBuffer.accessesMemory(steps.kind[i])) {
                continue;
            }
            long gva = steps.address[i];
            if (last == null || !last.vma.contains(gva)) {
                last = blocks.stream().filter(b -> b.vma.contains(gva)).findFirst().orElse(null);
            }
            if (last == null || gva + steps.width[i] > last.vma.end()) {
                throw new MachineException(owner + " makes a " + steps.describe(i) + ", which it has not mapped");
            }
            steps.address[i] = last.gpa + (gva - last.vma.start());
        }
    }

    @Override
    public void map(Vma vma, StepBuffer out) {
        layout.execute(GuestLayout.ALLOCATOR, out);
        long gpa = frames.allocateRun((int) ((vma.end() - vma.start()) / GuestLayout.PAGE));
        for (long gva = vma.start(); gva < vma.end(); gva += GuestLayout.PAGE) {
            out.store(layout.direct(gpa + (gva - vma.start())), (int) GuestLayout.PAGE, vma.contents().word(gva));
        }
        blocks.add(new Block(vma, gpa));
    }

    @Override
    public void clear(StepBuffer out) {
        for (Block b : blocks) {
            for (long offset = 0; offset < b.vma.end() - b.vma.start(); offset += GuestLayout.PAGE) {
                frames.release(b.gpa + offset);
            }
        }
        blocks.clear();
    }

    @Override
    public void free() {
        // All frames are gone with the mappings.
    }

    @Override
    public void touch(long gva, boolean write, Vma vma, StepBuffer out) {
        throw needsPaging("serves page faults");
    }

    @Override
    public void unmap(long start, long end, StepBuffer out) {
        throw needsPaging("unmaps");
    }

    @Override
    public void protect(long start, long end, boolean write, StepBuffer out) {
        throw needsPaging("protects pages");
    }

    @Override
    public void age(StepBuffer out) {
        throw needsPaging("has its pages aged");
    }

    @Override
    public ProcessMemory fork(int pcid, StepBuffer out) {
        throw needsPaging("forks");
    }

    private MachineException needsPaging(String what) {
        return new MachineException(owner + " " + what + ", and without paging it can only map memory and use it");
    }
}
