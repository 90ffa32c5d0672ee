package org.penumbra.vmx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.guest.Hypercall;
import org.penumbra.api.memory.GuestMemoryException;
import org.penumbra.api.mmu.LoadableRoots.Loadable;
import org.penumbra.api.vmx.Vmcs;

@DisplayName("CR3-target list")
class Cr3TargetsTest {
    private static final long NOWHERE = 0x9000_0000L;

    private final Vmcs vmcs = new Vmcs();
    private final Map<Long, Long> memory = new TreeMap<>();
    private int stores;
    private final Cr3Targets targets = new Cr3Targets(vmcs, (gpa, value) -> {
        if (gpa == NOWHERE) {
            throw new GuestMemoryException(gpa);
        }
        stores++;
        memory.put(gpa, value);
    });

    private static long marked(long root) {
        return root | Hypercall.SHADOW_ROOT;
    }

    private List<Long> list() {
        return Arrays.stream(vmcs.cr3Targets, 0, vmcs.cr3TargetCount).boxed().toList();
    }

    @Test
    @DisplayName("S21 a slot holds the marked root as long as the list does, and 0 otherwise")
    void slots() {
        assertThat(targets.keep(0x1000, 0x800)).isTrue();
        assertThat(targets.keep(0x2000, 0x808)).isTrue();
        assertThat(memory).containsEntry(0x800L, 0L).containsEntry(0x808L, 0L);
        targets.update(List.of(new Loadable(0x1000, 0x71000), new Loadable(0x3000, 0x73000)));
        assertThat(list()).as("who has no slot is not in the list").containsExactly(marked(0x71000));
        assertThat(memory).containsEntry(0x800L, marked(0x71000)).containsEntry(0x808L, 0L);
        assertThat(targets.guestCr3(marked(0x71000))).isEqualTo(0x1000);
        int before = stores;
        targets.update(List.of(new Loadable(0x1000, 0x71000)));
        assertThat(stores).as("nothing changed, nothing written").isEqualTo(before);
        targets.update(List.of(new Loadable(0x2000, 0x71000)));
        assertThat(list()).containsExactly(marked(0x71000));
        assertThat(memory).as("the root serves another address space now").containsEntry(0x800L, 0L).containsEntry(0x808L, marked(0x71000));
        targets.update(List.of());
        assertThat(vmcs.cr3TargetCount).isZero();
        assertThat(memory).containsEntry(0x808L, 0L);
    }

    @Test
    @DisplayName("S21 the list has no more values than the processor takes")
    void most() {
        for (long i = 1; i <= 5; i++) {
            targets.keep(i << 12, i * 8);
        }
        targets.update(List.of(new Loadable(0x1000, 0x71000), new Loadable(0x2000, 0x72000), new Loadable(0x3000, 0x73000),
                new Loadable(0x4000, 0x74000), new Loadable(0x5000, 0x75000)));
        assertThat(list()).containsExactly(marked(0x71000), marked(0x72000), marked(0x73000), marked(0x74000));
        assertThat(memory).containsEntry(5 * 8L, 0L);
    }

    @Test
    @DisplayName("S21 a slot that was given up is never written again, and its root leaves the list at once")
    void forgotten() {
        targets.keep(0x1000, 0x800);
        targets.update(List.of(new Loadable(0x1000, 0x71000)));
        targets.forget(0x1000);
        assertThat(vmcs.cr3TargetCount).isZero();
        assertThat(targets.isEmpty()).isTrue();
        memory.put(0x800L, 42L);
        targets.update(List.of(new Loadable(0x1000, 0x71000)));
        targets.update(List.of());
        assertThat(memory).containsEntry(0x800L, 42L);
        assertThatIllegalStateException().isThrownBy(() -> targets.guestCr3(marked(0x71000)));
    }

    @Test
    @DisplayName("S21 a slot must be aligned and writable memory")
    void refused() {
        assertThat(targets.keep(0x1000, 0x804)).isFalse();
        assertThat(targets.keep(0x1000, NOWHERE)).isFalse();
        assertThat(targets.isEmpty()).isTrue();
    }
}
