package {{package}};

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.penumbra.api.guest.StepBuffer;
import org.penumbra.api.paging.PagingMode;

class {{Name}}WorkloadTest {
    private final {{Name}}Workload workload = new {{Name}}Workload();

    @Test
    void theProgramTouchesItsPagesAndPowersOff() {
        {{Name}}Program program = new {{Name}}Program(1);
        StepBuffer steps = new StepBuffer(16);
        long executed = 0;
        byte last = -1;
        while (program.refill(steps)) {
            for (int i = 0; i < steps.size(); i++) {
                last = steps.kind[i];
                assertTrue(!StepBuffer.accessesMemory(last) || steps.address[i] >>> 12 < {{Name}}Workload.PAGES);
            }
            executed += steps.size();
            steps.clear();
        }
        assertEquals(StepBuffer.OUT, last);
        assertEquals(workload.expectedOperations() + 1, executed);
    }

    @Test
    void itSaysWhereItCannotRun() {
        assertTrue(workload.prepare(1, PagingMode.PAE).refusal(1, 64 << 20).isPresent());
        assertTrue(workload.prepare(1, PagingMode.FOUR_LEVEL).refusal(1, 64 << 20).isEmpty());
    }
}
