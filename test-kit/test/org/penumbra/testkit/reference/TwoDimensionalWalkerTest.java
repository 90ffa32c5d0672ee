package org.penumbra.testkit.reference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.penumbra.api.paging.ControlBits.*;
import static org.penumbra.testkit.reference.TwoDimensionalWalker.Outcome.*;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.Pdptes;

/**
 * Both dimensions together. Guest tables stand at gpa 0x1000 to 0x5000, the guest's page is gpa 0x8000; the host maps gpa to
 * 0x40_0000 above it, by tables at hpa 0x1000 to 0x5000.
 */
class TwoDimensionalWalkerTest {
    private static final long HOST = 0x40_0000;
    private static final long EPTP = 0x101e;
    private static final long EPTP_FLAGS = 0x105e;
    private static final int USER_READ = Access.READ | Access.USER;
    private static final int USER_WRITE = Access.WRITE | Access.USER;

    private final Memory memory = new Memory();

    private void guest(int levels, boolean large) {
        for (int level = levels; level > 1; level--) {
            memory.put(HOST + 0x1000 * (levels - level + 1), 0x1000 * (levels - level + 2) | 0x27);
        }
        memory.put(HOST + 0x1000 * levels, 0x8067);
        if (large) {
            memory.put(HOST + 0x1000 * (levels - 1), 0xe7);
        }
    }

    private void ept(int levels, boolean large) {
        for (int level = levels; level > 1; level--) {
            memory.put(0x1000 * (levels - level + 1), 0x1000 * (levels - level + 2) | 7);
        }
        for (int i = 0; i < 16; i++) {
            memory.put(0x1000 * levels + 8 * i, HOST + 0x1000 * i | 0x37);
        }
        if (large) {
            memory.put(0x1000 * (levels - 1), HOST | 0xb7);
        }
    }

    private TwoDimensionalWalker ept(long eptp) {
        return new TwoDimensionalWalker(new ReferenceWalker(46), HostTables.ept(new EptWalker(46, true, false), eptp));
    }

    private TwoDimensionalWalker npt() {
        return new TwoDimensionalWalker(new ReferenceWalker(46),
                HostTables.npt(new NptWalker(46, 0x1000, CR4_PAE, EFER_LME | EFER_LMA | EFER_NXE)));
    }

    @ParameterizedTest(name = "T12 guest {0} levels, large {1}; host {2} levels, large {3}: {4}")
    @DisplayName("T12 entries read by a walk without caches")
    @CsvSource({"4, false, 4, false, 24", "5, false, 5, false, 35", "4, false, 4, true, 19", "4, true, 4, true, 15", "5, false, 4, false, 29"})
    void references(int levels, boolean large, int hostLevels, boolean hostLarge, int expected) {
        guest(levels, large);
        ept(hostLevels, hostLarge);
        PagingState state = PagingState.longMode(0x1000).withCr4(CR4_PAE | (levels == 5 ? CR4_LA57 : 0));
        TwoDimensionalWalker walker = ept(0x1006 | (hostLevels - 1) << 3);
        assertThat(walker.walk(state, 0x123, USER_WRITE, memory)).isEqualTo(ALLOWED);
        assertThat(walker.hpa).isEqualTo(large ? HOST + 0x123 : HOST + 0x8123);
        assertThat(walker.references).isEqualTo(expected);
    }

    @ParameterizedTest(name = "T13 eptp 0x{0}, EPT PTE of gpa 0x{1} 0x{2}, access {3}: gpa 0x{4}, qualification 0x{5}")
    @DisplayName("T13 violations in a guest's walk: bit 7, bit 8 for the translated address, bits 11:9 what the guest's tables say of it")
    @CsvSource({
        // the translated address: R/W user page, executable: 0x600 beside 0x180
        "101e, 8, 0,  4, 8123, 781", "101e, 8, 35, 5, 8123, 7aa", "101e, 8, 33, 6, 8123, 79c", "105e, 8, 35, 5, 8123, 7aa",
        // an entry of the guest's tables: a read, with flags a write too
        "101e, 4, 0,  4, 4000, 81", "101e, 4, 0, 5, 4000, 81", "105e, 4, 0, 4, 4000, 83", "101e, 1, 34, 6, 1000, a1",
        "105e, 3, 35, 4, 3000, ab", "105e, 3, 31, 4, 3000, 8b",
    })
    void eptViolations(String eptp, int frame, String bits, int access, String gpa, String qualification) {
        guest(4, false);
        ept(4, false);
        memory.put(0x4000 + 8 * frame, HOST + 0x1000 * frame | Long.parseLong(bits, 16));
        TwoDimensionalWalker walker = ept(Long.parseLong(eptp, 16));
        assertThat(walker.walk(PagingState.longMode(0x1000), 0x123, access, memory)).isEqualTo(HOST_FAULT);
        assertThat(walker.gpa).isEqualTo(Long.parseLong(gpa, 16));
        assertThat(walker.code).isEqualTo(Long.parseLong(qualification, 16));
    }

    @ParameterizedTest(name = "T13 guest PDE 0x{0}, PTE 0x{1}: bits 11:9 0x{2}")
    @DisplayName("T13 exit qualification bits 9 user, 10 read/write, 11 execute-disable are those of the whole guest walk")
    @CsvSource({"4027, 8067, 600", "4023, 8067, 400", "4025, 8067, 200", "4027, 8061, 0", "8000000000004027, 8063, c00"})
    void guestRights(String pde, String pte, String bits) {
        guest(4, false);
        ept(4, false);
        memory.put(HOST + 0x3000, Long.parseUnsignedLong(pde, 16));
        memory.put(HOST + 0x4000, Long.parseUnsignedLong(pte, 16));
        memory.put(0x4000 + 8 * 8, 0);
        TwoDimensionalWalker walker = ept(EPTP);
        assertThat(walker.walk(PagingState.longMode(0x1000), 0x123, Access.READ, memory)).isEqualTo(HOST_FAULT);
        assertThat(walker.code).isEqualTo(0x181 | Long.parseLong(bits, 16));
    }

    @Test
    @DisplayName("T13 without guest paging bits 11:9 are 1, 1 and 0")
    void withoutPaging() {
        ept(4, false);
        memory.put(0x4000 + 8 * 8, 0);
        TwoDimensionalWalker walker = ept(EPTP);
        assertThat(walker.walk(new PagingState(CR0_PE, 0, 0, 0, 0, 0), 0x8123, Access.WRITE, memory)).isEqualTo(HOST_FAULT);
        assertThat(walker.code).isEqualTo(0x782);
        assertThat(walker.gpa).isEqualTo(0x8123);
    }

    @Test
    @DisplayName("T13 a misconfiguration is met while an entry is read, or the translated address; there is no qualification")
    void misconfigurations() {
        guest(4, false);
        ept(4, false);
        memory.put(0x4000 + 8 * 8, HOST + 0x8000 | 2);
        TwoDimensionalWalker walker = ept(EPTP);
        assertThat(walker.walk(PagingState.longMode(0x1000), 0x123, USER_READ, memory)).isEqualTo(MISCONFIGURATION);
        assertThat(walker.gpa).isEqualTo(0x8123);
        memory.put(0x4000 + 8 * 2, HOST + 0x2000 | 0x3f);
        assertThat(walker.walk(PagingState.longMode(0x1000), 0x123, USER_READ, memory)).isEqualTo(MISCONFIGURATION);
        assertThat(walker.gpa).isEqualTo(0x2000);
        assertThat(walker.code).isZero();
    }

    @Test
    @DisplayName("T13 without EPT flags, setting a guest's accessed or dirty flag is a write to its table")
    void flagWrites() {
        guest(4, false);
        ept(4, false);
        memory.put(0x4000 + 8 * 4, HOST + 0x4000 | 0x35);
        TwoDimensionalWalker walker = ept(EPTP);
        assertThat(walker.walk(PagingState.longMode(0x1000), 0x123, USER_WRITE, memory)).as("nothing to set").isEqualTo(ALLOWED);
        memory.put(HOST + 0x4000, 0x8027);
        assertThat(walker.walk(PagingState.longMode(0x1000), 0x123, USER_READ, memory)).isEqualTo(ALLOWED);
        assertThat(walker.walk(PagingState.longMode(0x1000), 0x123, USER_WRITE, memory)).isEqualTo(HOST_FAULT);
        assertThat(walker.gpa).isEqualTo(0x4000);
        assertThat(walker.code).isEqualTo(0xaa);
        assertThat(ept(EPTP_FLAGS).walk(PagingState.longMode(0x1000), 0x123, USER_READ, memory)).as("a read is a write").isEqualTo(HOST_FAULT);
    }

    @Test
    @DisplayName("T13 a page fault by the guest's tables comes before a violation for the translated address")
    void guestFaultFirst() {
        guest(4, false);
        ept(4, false);
        memory.put(HOST + 0x4000, 0x8065);
        memory.put(0x4000 + 8 * 8, 0);
        TwoDimensionalWalker walker = ept(EPTP);
        assertThat(walker.walk(PagingState.longMode(0x1000), 0x123, USER_WRITE, memory)).isEqualTo(GUEST_FAULT);
        assertThat(walker.code).isEqualTo(7);
    }

    @Test
    @DisplayName("T13 the gpa of a 4-byte entry is told to 4 bytes")
    void narrowEntry() {
        ept(4, false);
        memory.put(HOST + 0x1000, 0x2067L << 32);
        memory.put(0x4000 + 8 * 2, 0);
        TwoDimensionalWalker walker = ept(EPTP);
        PagingState state = new PagingState(CR0_PE | CR0_PG, 0x1000, 0, 0, 0, 0);
        assertThat(walker.walk(state, 1 << 22 | 3 << 12, USER_READ, memory)).isEqualTo(HOST_FAULT);
        assertThat(walker.gpa).isEqualTo(0x200c);
    }

    @ParameterizedTest(name = "T14 nested PTE of gpa 0x{0} 0x{1}, access {2}: gpa 0x{3}, EXITINFO1 0x{4}")
    @DisplayName("T14 nested faults: bit 32 for the translated address, bit 33 in the guest's tables, whose accesses are user writes")
    @CsvSource({
        "8, 6,  0, 8123, 100000004", "8, 5, 1, 8123, 100000007", "8, 3, 0, 8123, 100000005", "8, 8000000000000007, 2, 8123, 100000015",
        "4, 6,  0, 4000, 200000006", "4, 5, 0, 4000, 200000007", "4, 5, 2, 4000, 200000007", "1, 3, 2, 1000, 200000007",
        "2, 400000000007, 0, 2000, 20000000f", "8, 400000000007, 6, 8123, 10000001d",
    })
    void nestedFaults(int frame, String bits, int access, String gpa, String exitInfo) {
        guest(4, false);
        nestedTables();
        memory.put(0x4000 + 8 * frame, HOST + 0x1000 * frame | Long.parseUnsignedLong(bits, 16));
        TwoDimensionalWalker walker = npt();
        assertThat(walker.walk(PagingState.longMode(0x1000), 0x123, access, memory)).isEqualTo(HOST_FAULT);
        assertThat(walker.gpa).isEqualTo(Long.parseLong(gpa, 16));
        assertThat(walker.code).isEqualTo(Long.parseLong(exitInfo, 16));
    }

    private void nestedTables() {
        for (int level = 4; level > 1; level--) {
            memory.put(0x1000 * (5 - level), 0x1000 * (6 - level) | 0x27);
        }
        for (int i = 0; i < 16; i++) {
            memory.put(0x4000 + 8 * i, HOST + 0x1000 * i | 0x67);
        }
    }

    @Test
    @DisplayName("T14 a PAE guest's PDPTE is read in the walk, through the nested tables")
    void paeGuest() {
        nestedTables();
        memory.put(HOST + 0x1000, 0x2001);
        memory.put(HOST + 0x2000, 0x3067);
        memory.put(HOST + 0x3000, 0x8067);
        TwoDimensionalWalker walker = npt();
        PagingState state = new PagingState(CR0_PE | CR0_PG, 0x1000, CR4_PAE, 0, 0, 0, Pdptes.IN_MEMORY);
        assertThat(walker.walk(state, 0x123, USER_WRITE, memory)).isEqualTo(ALLOWED);
        assertThat(walker.hpa).isEqualTo(HOST + 0x8123);
        assertThat(walker.references).isEqualTo(19);
        memory.put(0x4000 + 8, HOST + 0x1000 | 0x65);
        assertThat(walker.walk(state, 0x123, USER_READ, memory)).isEqualTo(HOST_FAULT);
        assertThat(walker.code).isEqualTo(0x2_0000_0007L);
        assertThat(walker.gpa).isEqualTo(0x1000);
    }
}
