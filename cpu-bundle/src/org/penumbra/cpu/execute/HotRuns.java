package org.penumbra.cpu.execute;

import java.util.ArrayList;
import java.util.List;

/**
 * Which runs of code are executed often enough to be compiled, and how many methods there are: when they are too many, all are forgotten, and what is
 * still hot comes back. Counts entries, never time, so that the same guest has the same methods at the same instruction.
 */
final class HotRuns {
    private final int threshold;
    private final int most;
    /** The runs that have a method. */
    private final List<Block> compiled = new ArrayList<>();

    /**
     * @param threshold entries of a run before the one that compiles it
     * @param most methods at a time; 0: none is ever made
     */
    HotRuns(int threshold, int most) {
        this.threshold = threshold;
        this.most = most;
    }

    /** The method of {@code block}, which is entered now; null while it has none. */
    CompiledRun enter(Block block) {
        CompiledRun method = block.method;
        return method == null && block.kept && most > 0 && block.entered++ >= threshold ? compile(block) : method;
    }

    private CompiledRun compile(Block block) {
        if (compiled.size() == most) {
            compiled.forEach(Block::forget);
            compiled.clear();
        }
        compiled.add(block);
        block.method = RunCompiler.compile(block);
        return block.method;
    }
}
