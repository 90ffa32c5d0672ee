package org.penumbra.kit.shadow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.penumbra.testkit.fixture.GuestTables.A;
import static org.penumbra.testkit.fixture.GuestTables.D;
import static org.penumbra.testkit.fixture.GuestTables.P;
import static org.penumbra.testkit.fixture.GuestTables.U;
import static org.penumbra.testkit.fixture.GuestTables.W;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.kit.Rights;
import org.penumbra.kit.Role;
import org.penumbra.testkit.fixture.FixtureHost;

/** What the trace points of shadow paging tell of situations made by hand, with every field. */
class ShadowTraceTest extends ShadowFixture {
    private static final long RWUAD = P | W | U | A | D;

    private List<String> told;

    private void listen() {
        told = host.traced();
    }

    private List<String> names() {
        return told.stream().map(t -> t.split(" ")[0]).toList();
    }

    private int role(int level) {
        return Role.of(level, Rights.ALL, Role.mode(state), 0);
    }

    /** sptep of the leaf spte for {@code gva} in the only shadow page of its table. */
    private long sptep(long gva) {
        return mmu.tree.pages.find(tables.entryGpa(gva, 1) >>> 12, role(1), host.clock()).sptep(Spte.index(gva, 1));
    }

    private String page(String point, long gva, int level, int generation, int unsync) {
        return String.format("%s %x %x %x 0 %x", point, generation, tables.entryGpa(gva, level) >>> 12, role(level), unsync);
    }

    @Test
    @DisplayName("S01 X08 a first fault tells of the walk and its entries, of each shadow page that is made, of the spte wanted and the spte put in")
    void firstFault() {
        start();
        tables.map(GVA, 100, 1, RWUAD);
        List<String> expected = new ArrayList<>(List.of(String.format("kvm_mmu_pagetable_walk %x 6", GVA)));
        for (int level = 4; level >= 1; level--) {
            expected.add(String.format("kvm_mmu_paging_element %x %d", host.guest64(tables.entryGpa(GVA, level)), level));
        }
        for (int level = 4; level >= 2; level--) {
            expected.add(String.format("kvm_mmu_set_accessed_bit %x", tables.entryGpa(GVA, level)));
        }
        listen();
        access(GVA, USER_WRITE);
        for (int level = 3; level >= 1; level--) {
            expected.add(page("kvm_mmu_get_page", GVA, level, 0, 0) + " 1");
        }
        expected.add(String.format("kvm_mmu_spte_requested 64 %x 1", 100 + FixtureHost.OFFSET));
        expected.add(String.format("kvm_mmu_set_spte 64 %x %x 1", spte(GVA), sptep(GVA)));
        assertThat(told).isEqualTo(expected);
        told.clear();
        access(GVA, USER_WRITE);
        assertThat(names()).as("spurious").doesNotContain("kvm_mmu_get_page", "kvm_mmu_set_spte").endsWith("kvm_mmu_spte_requested");
    }

    @Test
    @DisplayName("T07 X08 a walk tells of each flag that it sets, with the address of the entry, and of none that is set already")
    void flags() {
        start();
        tables.map(GVA, 100, 1, P | W | U);
        listen();
        access(GVA, USER_READ);
        assertThat(told).contains(String.format("kvm_mmu_set_accessed_bit %x", tables.entryGpa(GVA, 1)))
                .noneMatch(t -> t.startsWith("kvm_mmu_set_dirty_bit"));
        told.clear();
        access(GVA, USER_WRITE);
        assertThat(told).contains(String.format("kvm_mmu_set_dirty_bit %x", tables.entryGpa(GVA, 1)))
                .noneMatch(t -> t.startsWith("kvm_mmu_set_accessed_bit"));
        told.clear();
        access(GVA, USER_WRITE);
        assertThat(told).noneMatch(t -> t.contains("_bit"));
    }

    @Test
    @DisplayName("T03 X08 under PAE paging the PDPTE register is told as the entry of level 3")
    void pae() {
        start(PagingMode.PAE);
        long gva = 0x4000_0000L;
        tables.map(gva, 100, 1, RWUAD);
        load(tables.state());
        listen();
        access(gva, USER_READ);
        assertThat(told).contains(String.format("kvm_mmu_paging_element %x 3", state.pdptes().of(gva)));
    }

    @Test
    @DisplayName("S12 X08 a fault of the guest's own tells the error code that the guest gets")
    void walkerError() {
        start();
        tables.map(GVA, 100, 1, RWUAD);
        access(GVA, USER_READ);
        listen();
        refused(GVA + 0x1000, USER_WRITE);
        assertThat(told).startsWith(String.format("kvm_mmu_pagetable_walk %x 6", GVA + 0x1000)).endsWith("kvm_mmu_walker_error 6");
    }

    @Test
    @DisplayName("S08 S17 X08 a leaf table that goes unsync, is brought in step and zapped tells each of these, with generation and state")
    void life() {
        start();
        tables.map(GVA, 100, 1, RWUAD);
        tables.map(GVA + 0x1000, tables.entryGpa(GVA, 1) >>> 12, 1, RWUAD);
        access(GVA, USER_READ);
        listen();
        access(GVA + 0x1000, USER_WRITE);
        assertThat(told).contains(page("kvm_mmu_unsync_page", GVA, 1, 0, 0));
        told.clear();
        load(state);
        assertThat(told).contains(page("kvm_mmu_sync_page", GVA, 1, 0, 0));
        access(GVA + 0x1000, USER_WRITE);
        told.clear();
        mmu.slotsChanged(0, 4096, host.clock());
        assertThat(told).startsWith("kvm_mmu_zap_all_fast 1 4").contains(page("kvm_mmu_prepare_zap_page", GVA, 1, 0, 1));
        assertThat(names().stream().filter("kvm_mmu_prepare_zap_page"::equals).count()).isEqualTo(4);
        told.clear();
        context.root();
        assertThat(told).contains(page("kvm_mmu_get_page", GVA, 4, 1, 0) + " 1");
    }

    @Test
    @DisplayName("S13 X08 a device page tells of its spte with access and generation, and of the fault that needed no walk")
    void device() {
        start();
        host.slot(4096, 7);
        tables.map(GVA, 0xfee00, 1, P | U | A | D);
        listen();
        access(GVA, USER_READ);
        long spte = spte0(GVA);
        assertThat(told).contains(String.format("mark_mmio_spte %x fee00 %x 7", sptep(GVA), Rights.USER));
        told.clear();
        context.resolve(reservedFault(GVA, USER_READ));
        assertThat(told).as("from the vCPU's own cache").containsExactly(String.format("handle_mmio_page_fault %x fee00 %x", GVA, Rights.USER));
        load(state);
        told.clear();
        context.resolve(reservedFault(GVA, USER_READ));
        assertThat(told).containsExactly(
                String.format("check_mmio_spte 7 7 %x", spte), String.format("handle_mmio_page_fault %x fee00 %x", GVA, Rights.USER));
        host.slot(4096, 8);
        load(state);
        told.clear();
        context.resolve(reservedFault(GVA, USER_READ));
        assertThat(told.get(0)).isEqualTo(String.format("check_mmio_spte 8 7 %x", spte));
        assertThat(names()).doesNotContain("handle_mmio_page_fault");
    }

    /** What stands at the place of the leaf spte for {@code gva}. */
    private long spte0(long gva) {
        return host.memory().load64(sptep(gva));
    }

    @Test
    @DisplayName("S15 X08 a write that is given by one compare-and-set tells the entry before and after, and of no walk")
    void fast() {
        start(PagingMode.NONE);
        host.logging(true);
        access(0x5000, Access.READ);
        long before = spte(0x5000);
        listen();
        access(0x5000, Access.WRITE);
        assertThat(told).hasSize(1);
        assertThat(told.get(0)).startsWith("fast_page_fault 5000 ").endsWith(String.format(" %x %x", before, spte(0x5000)));
    }
}
