package {{package}};

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.penumbra.api.interrupt.ControllerState;
import org.penumbra.api.interrupt.InterruptController;

class {{Name}}Test {
    private static final int LEVEL_PIN = 16;
    private boolean stillHigh;

    private final InterruptController.Host host = new InterruptController.Host() {
        @Override
        public void delivered(int vcpu) {}

        @Override
        public boolean acked(int pin) {
            return stillHigh;
        }
    };
    private final InterruptController controller = new {{Name}}Factory().create(ControllerState.initial(2), host);

    @Test
    void anEdgeIsTakenOnce() {
        controller.line(4, true);
        controller.line(4, false);
        assertTrue(controller.pending(0));
        assertFalse(controller.pending(1));
        assertEquals(0x34, controller.acknowledge(0));
        assertEquals(-1, controller.acknowledge(0));
        controller.endOfInterrupt(0);
        assertFalse(controller.pending(0));
    }

    @Test
    void aLevelThatStaysHighComesAgainAfterItsEoi() {
        stillHigh = true;
        controller.line(LEVEL_PIN, true);
        assertEquals(0x30 + LEVEL_PIN, controller.acknowledge(0));
        controller.endOfInterrupt(0);
        assertTrue(controller.pending(0));
        assertEquals(0x30 + LEVEL_PIN, controller.acknowledge(0));
        stillHigh = false;
        controller.endOfInterrupt(0);
        assertFalse(controller.pending(0));
    }

    @Test
    void aSuccessorGoesOnFromTheState() {
        controller.line(5, true);
        InterruptController next = new {{Name}}Factory().create(controller.state(), host);
        assertEquals(controller.state(), next.state());
        assertEquals(0x35, next.acknowledge(0));
    }
}
