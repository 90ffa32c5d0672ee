package org.penumbra.devices.interrupt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.interrupt.ControllerState;
import org.penumbra.api.interrupt.GsiRoute;
import org.penumbra.api.interrupt.Interrupts;
import org.penumbra.api.interrupt.Registration;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.snapshot.Saved;

class SavedInterruptsTest {
    private static Board copy(Board board) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        ((Saved) board.interrupts).save(new DataOutputStream(bytes));
        Board other = new Board();
        ByteArrayInputStream in = new ByteArrayInputStream(bytes.toByteArray());
        ((Saved) other.interrupts).restore(new DataInputStream(in));
        assertThat(in.available()).isZero();
        return other;
    }

    @Test
    @DisplayName("P10 what is requested, in service, held back by task priority and high goes on elsewhere, by the same routes")
    void goesOn() throws IOException {
        Board board = new Board();
        Map<Integer, GsiRoute> routes = new TreeMap<>(board.interrupts.routes());
        routes.put(40, new GsiRoute.Msi(Board.address(1), 0x91));
        routes.put(20, new GsiRoute.Pin(18));
        board.interrupts.routes(routes);
        board.interrupts.redirect(18, ControllerState.entry(0x52, true, 0));
        board.interrupts.setLine(5, true, Interrupts.KVM_USERSPACE_IRQ_SOURCE_ID);
        assertThat(board.interrupts.acknowledge(0)).isEqualTo(0x35);
        board.interrupts.msi(Board.address(0), 0x36);
        board.interrupts.msi(Board.address(0), 0x83);
        board.interrupts.setLine(20, true, 3);
        board.interrupts.msi(Board.address(1), 0x45);
        board.interrupts.priority(1, 0x50);
        Board other = copy(board);
        assertThat(other.interrupts.state()).isEqualTo(board.interrupts.state());
        assertThat(other.interrupts.routes()).isEqualTo(board.interrupts.routes());
        List<List<Integer>> served = new ArrayList<>();
        for (Board b : List.of(board, other)) {
            List<Integer> vectors = new ArrayList<>();
            vectors.add(b.serve(1));
            b.interrupts.priority(1, 0);
            vectors.add(b.serve(1));
            vectors.add(b.interrupts.acknowledge(0));
            b.interrupts.endOfInterrupt(0);
            vectors.add(b.interrupts.acknowledge(0));
            b.interrupts.setLine(20, false, 3);
            b.interrupts.endOfInterrupt(0);
            b.interrupts.endOfInterrupt(0);
            vectors.add(b.serve(0));
            vectors.add(b.serve(0));
            b.interrupts.setLine(40, true, Interrupts.KVM_USERSPACE_IRQ_SOURCE_ID);
            vectors.add(b.serve(1));
            b.interrupts.setLine(5, true, Interrupts.KVM_USERSPACE_IRQ_SOURCE_ID);
            vectors.add(b.serve(0));
            served.add(vectors);
        }
        assertThat(served.get(1)).isEqualTo(served.get(0)).startsWith(-1, 0x45, 0x83, 0x52, 0x36, -1, 0x91, -1);
        assertThat(other.interrupts.state()).isEqualTo(board.interrupts.state());
    }

    @Test
    @DisplayName("P10 interrupts to which events of this process are tied are not saved")
    void tied() {
        Board board = new Board();
        Registration tie = board.interrupts.irqfd(Board.event(), 7, null);
        assertThatThrownBy(() -> copy(board)).isInstanceOf(MachineException.class).hasMessageContaining("irqfd");
        tie.close();
    }
}
