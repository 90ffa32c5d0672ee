package org.penumbra.kit.shadow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.penumbra.testkit.fixture.GuestTables.A;
import static org.penumbra.testkit.fixture.GuestTables.D;
import static org.penumbra.testkit.fixture.GuestTables.P;
import static org.penumbra.testkit.fixture.GuestTables.U;
import static org.penumbra.testkit.fixture.GuestTables.W;

import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.observe.TracePoint;

/** What the trace points of shadow paging tell of situations made by hand. */
class ShadowTraceTest extends ShadowFixture {
    private final List<String> told = new ArrayList<>();

    private void listen() {
        told.clear();
        host.tracing().listen(EnumSet.allOf(TracePoint.class), (point, vcpu, cycles, operations, a, b, c, d) ->
                told.add(String.format("%s %x %x %x %x", point.label(), a, b, c, d)));
    }

    private List<String> names() {
        return told.stream().map(t -> t.split(" ")[0]).toList();
    }

    @Test
    @DisplayName("S01 X08 a first fault tells of the walk, of each shadow page that is made, and of the spte")
    void firstFault() {
        start();
        tables.map(GVA, 100, 1, P | W | U | A | D);
        context.root();
        listen();
        access(GVA, USER_WRITE);
        assertThat(names()).containsExactly("kvm_mmu_pagetable_walk",
                "kvm_mmu_get_page", "kvm_mmu_get_page", "kvm_mmu_get_page", "kvm_mmu_set_spte");
        long leafTable = tables.entryGpa(GVA, 1) >>> 12;
        assertThat(told.get(3)).startsWith(String.format("kvm_mmu_get_page %x ", leafTable)).endsWith(" 0 1");
        long spte = spte(GVA);
        assertThat(told.get(4)).startsWith(String.format("kvm_mmu_set_spte 64 %x 1 ", spte));
        access(GVA, USER_WRITE);
        assertThat(names().subList(5, told.size())).as("spurious").containsExactly("kvm_mmu_pagetable_walk");
        told.clear();
        refused(GVA + 0x1000, USER_READ);
        assertThat(told).containsExactly("kvm_mmu_pagetable_walk " + Long.toHexString(GVA + 0x1000) + " 0 0 0", "kvm_mmu_walker_error 4 0 0 0");
    }

    @Test
    @DisplayName("S08 X08 a leaf table that goes unsync, is brought in step and zapped tells each of these")
    void life() {
        start();
        tables.map(GVA, 100, 1, P | W | U | A | D);
        long leafTable = tables.entryGpa(GVA, 1) >>> 12;
        tables.map(GVA + 0x1000, leafTable, 1, P | W | U | A | D);
        access(GVA, USER_READ);
        listen();
        access(GVA + 0x1000, USER_WRITE);
        assertThat(told).anyMatch(t -> t.startsWith(String.format("kvm_mmu_unsync_page %x ", leafTable)));
        told.clear();
        load(state);
        assertThat(told).anyMatch(t -> t.startsWith(String.format("kvm_mmu_sync_page %x ", leafTable)));
        told.clear();
        mmu.slotsChanged(0, 4096, host.clock());
        assertThat(names()).startsWith("kvm_mmu_zap_all_fast").contains("kvm_mmu_prepare_zap_page");
        assertThat(names().stream().filter("kvm_mmu_prepare_zap_page"::equals).count()).isEqualTo(4);
    }

    @Test
    @DisplayName("S13 X08 a device page tells of its spte, and of the fault that needed no walk")
    void device() {
        start();
        tables.map(GVA, 0xfee00, 1, P | W | U | A | D);
        tables.map(GVA + 0x1000, 0xfee01, 1, P | W | U | A | D);
        access(GVA, USER_READ);
        access(GVA + 0x1000, USER_READ);
        listen();
        context.resolve(reservedFault(GVA, USER_READ));
        assertThat(names()).containsExactly("check_mmio_spte", "handle_mmio_page_fault");
        assertThat(told.get(1)).isEqualTo(String.format("handle_mmio_page_fault %x fee00 0 0", GVA));
    }
}
