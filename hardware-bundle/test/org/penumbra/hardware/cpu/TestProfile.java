package org.penumbra.hardware.cpu;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.penumbra.api.clock.CostProfile;
import org.penumbra.api.clock.Work;

/** A small processor for tests: every price is 1, caches are ample unless a test makes them otherwise. */
final class TestProfile implements CostProfile {
    private final Map<String, Long> values = new HashMap<>();

    TestProfile() {
        for (Work w : Work.values()) {
            values.put(w.key(), 1L);
        }
        set("cpu.maxphyaddr", 40).set("cpu.linear-address-bits", 57).set("data-cache.model", 0).set("tlb.model", 1);
        array("tlb.data.small", 64, 4).array("tlb.data.large", 32, 4);
        array("tlb.instruction.small", 64, 4).array("tlb.instruction.large", 8, 8);
        array("tlb.data.huge", 4, 4).array("tlb.instruction.huge", 0, 1);
        array("tlb.second-level", 1536, 12).set("tlb.second-level.huge", 1);
        array("tlb.second-level-huge", 0, 1).array("tlb.second-level-instruction", 0, 1);
        set("paging-structure-cache.from-root", 0);
        array("paging-structure-cache.pde", 32, 8).array("paging-structure-cache.pdpte", 8, 4);
        array("paging-structure-cache.pml4e", 4, 4).array("paging-structure-cache.pml5e", 2, 2).array("nested-tlb", 16, 16);
        array("ept-paging-structure-cache.pde", 32, 8).array("ept-paging-structure-cache.pdpte", 8, 4);
        array("ept-paging-structure-cache.pml4e", 4, 4).array("ept-paging-structure-cache.pml5e", 2, 2);
    }

    /** Without paging-structure caches and nested TLB: every walk goes all the way. */
    static TestProfile bare() {
        return new TestProfile().withoutStructureCaches().withoutEptStructureCaches().array("nested-tlb", 0, 1);
    }

    /** With a functional TLB. */
    TestProfile functional() {
        return set("tlb.model", 0);
    }

    TestProfile withoutStructureCaches() {
        return array("paging-structure-cache.pde", 0, 1)
                .array("paging-structure-cache.pdpte", 0, 1)
                .array("paging-structure-cache.pml4e", 0, 1)
                .array("paging-structure-cache.pml5e", 0, 1);
    }

    TestProfile withoutEptStructureCaches() {
        return array("ept-paging-structure-cache.pde", 0, 1)
                .array("ept-paging-structure-cache.pdpte", 0, 1)
                .array("ept-paging-structure-cache.pml4e", 0, 1)
                .array("ept-paging-structure-cache.pml5e", 0, 1);
    }

    TestProfile set(String key, long value) {
        values.put(key, value);
        return this;
    }

    TestProfile array(String name, int entries, int ways) {
        return set(name + ".entries", entries).set(name + ".ways", ways);
    }

    @Override
    public String name() {
        return "test";
    }

    @Override
    public String description() {
        return "for tests";
    }

    @Override
    public Vendor vendor() {
        return Vendor.INTEL;
    }

    @Override
    public int year() {
        return 2015;
    }

    @Override
    public List<Figure> figures() {
        return List.of();
    }

    @Override
    public long figure(String key) {
        return values.get(key);
    }
}
