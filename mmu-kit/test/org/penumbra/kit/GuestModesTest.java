package org.penumbra.kit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.penumbra.api.paging.ControlBits.*;
import static org.penumbra.api.paging.PageFaultError.FETCH;
import static org.penumbra.api.paging.PageFaultError.KEY;
import static org.penumbra.api.paging.PageFaultError.PRESENT;
import static org.penumbra.api.paging.PageFaultError.RESERVED;
import static org.penumbra.api.paging.PageFaultError.USER;
import static org.penumbra.api.paging.PageFaultError.WRITE;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.penumbra.api.memory.PhysicalMemory;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.Pdptes;

/** The software walk in each paging mode, by tables written out by hand. */
class GuestModesTest {
    private static final long P = 1;
    private static final long W = 2;
    private static final long U = 4;
    private static final long PS = 0x80;
    private static final long PWU = P | W | U;
    private static final long PAGED = CR0_PE | CR0_WP | CR0_PG;
    private static final PagingState BITS_32 = new PagingState(PAGED, 0x1000, 0, 0, 0, 0);
    private static final PagingState PSE = BITS_32.withCr4(CR4_PSE);
    private static final PagingState PAE = new PagingState(PAGED, 0x1000, CR4_PAE, EFER_NXE, 0, 0).withPdptes(new Pdptes(0, 0x2000 | P, 0, 0));
    private static final PagingState FOUR = PagingState.longMode(0x1000);
    private static final PagingState FIVE = FOUR.withCr4(CR4_PAE | CR4_LA57);

    private final PhysicalMemory memory = new PhysicalMemory(1 << 20);
    private final FlatGuestMemory flat = new FlatGuestMemory(memory);
    private GuestWalker walker = new GuestWalker(flat, 46);

    private long walk(PagingState state, long gva, int access) {
        return walker.walk(state, gva, access) ? walker.gfn : -1 - walker.errorCode;
    }

    private int refused(PagingState state, long gva, int access) {
        assertThat(walker.walk(state, gva, access)).isFalse();
        return walker.errorCode;
    }

    @Test
    @DisplayName("T01 without paging a linear address is the physical address, with every right and without a reference")
    void none() {
        PagingState off = new PagingState(CR0_PE, 0x1000, CR4_PAE | CR4_SMEP | CR4_SMAP, EFER_NXE | EFER_LME, 0, 0);
        assertThat(walk(off, 0xffff_f123L, Access.WRITE | Access.USER)).isEqualTo(0xfffff);
        assertThat(walker.rights).isEqualTo(Rights.ALL);
        assertThat(walk(off, 0x1234, Access.FETCH)).isEqualTo(1);
        assertThat(walker.changed(2, 0x1234)).isFalse();
    }

    @Test
    @DisplayName("T02 32-bit paging: ten bits a level, entries of 4 bytes, and flags set in one leave its neighbour alone")
    void bits32() {
        // PDE 1 and PTE 3 are the upper halves of the 8 bytes around them.
        memory.store(0x1004, 4, 0x2000 | PWU);
        memory.store(0x1000, 4, 0xaaaa_aaaaL);
        memory.store(0x200c, 4, 0x50000 | PWU);
        memory.store(0x2008, 4, 0x5555_5555L);
        assertThat(walk(BITS_32, 0x40_3123, Access.WRITE | Access.USER)).isEqualTo(0x50);
        assertThat(memory.load(0x200c, 4)).isEqualTo(0x50000 | PWU | 0x60);
        assertThat(memory.load(0x1004, 4)).isEqualTo(0x2000 | PWU | 0x20);
        assertThat(memory.load(0x2008, 4)).isEqualTo(0x5555_5555L);
        assertThat(memory.load(0x1000, 4)).isEqualTo(0xaaaa_aaaaL);
        assertThat(walker.changed(1, 0x40_3123)).isFalse();
        memory.store(0x2008, 4, 0);
        assertThat(walker.changed(1, 0x40_3123)).as("the neighbour only").isFalse();
        memory.store(0x200c, 4, 0);
        assertThat(walker.changed(1, 0x40_3123)).isTrue();
    }

    @Test
    @DisplayName("T02 bit 7 of a PDE maps 4 MiB with CR4.PSE and is ignored without")
    void pse() {
        memory.store(0x1004, 4, 0x2000 | PS | PWU);
        memory.store(0x2000, 4, 0x50000 | PWU);
        assertThat(walk(BITS_32, 0x40_0000, Access.READ)).isEqualTo(0x50);
        memory.store(0x1004, 4, 0x0040_0000 | PS | PWU);
        assertThat(walk(PSE, 0x40_3000 + 0x20_0000, Access.READ)).isEqualTo(0x603);
        assertThat(walker.level).isEqualTo(2);
        assertThat(memory.load(0x1004, 4) & 0x20).isEqualTo(0x20);
    }

    @ParameterizedTest(name = "entry {0}, MAXPHYADDR {1}: {2}")
    @DisplayName("T02 PSE-36: bits 20:13 of a 4 MiB page are address bits 39:32; bit 21, and those above MAXPHYADDR, are reserved")
    @CsvSource({
        "0x00400083, 46, 0x400",
        "0x00402083, 46, 0x100400",
        "0x00500083, 46, 0x8000400",
        "0x00401083, 46, 0x400",
        "0x00600083, 46, reserved",
        "0x00402083, 32, reserved",
        "0x00402083, 33, 0x100400",
        "0x00404083, 33, reserved",
    })
    void pse36(String entry, int physicalBits, String gfn) {
        walker = new GuestWalker(flat, physicalBits);
        memory.store(0x1000, 4, Long.decode(entry));
        long expected = gfn.equals("reserved") ? -1 - (PRESENT | RESERVED) : Long.decode(gfn);
        assertThat(walk(PSE, 0, Access.READ)).isEqualTo(expected);
    }

    @Test
    @DisplayName("T02 32-bit paging has no execute-disable, whatever EFER.NXE says, and I/D is reported with SMEP only")
    void bits32Fetch() {
        memory.store(0x1000, 4, 0x2000 | PWU);
        memory.store(0x2000, 4, 0xffff_f000L | PWU);
        PagingState nxe = PSE.withEfer(EFER_NXE);
        assertThat(walk(nxe, 0, Access.FETCH | Access.USER)).isEqualTo(0xfffff);
        assertThat(refused(nxe, 0x1000, Access.FETCH | Access.USER)).isEqualTo(USER);
        assertThat(refused(nxe.withCr4(CR4_SMEP), 0x1000, Access.FETCH | Access.USER)).isEqualTo(USER | FETCH);
        assertThat(refused(nxe.withCr4(CR4_SMEP), 0, Access.FETCH)).isEqualTo(PRESENT | FETCH);
    }

    @Test
    @DisplayName("T03 PAE paging begins in the PDPTE registers, not in memory; they have no rights and no flags")
    void pae() {
        memory.store64(0x2000 + 8 * 2, 0x3000 | PWU);
        memory.store64(0x3000 + 8 * 5, 0x50000 | PWU);
        long gva = 0x4040_5000L;
        assertThat(walk(PAE, gva, Access.WRITE | Access.USER)).isEqualTo(0x50);
        assertThat(memory.load64(0x1008)).as("the table that CR3 names").isZero();
        assertThat(walker.tableRights[2]).isEqualTo(Rights.ALL);
        assertThat(refused(PAE, gva - 0x4000_0000L, Access.READ)).as("PDPTE 0").isZero();
        memory.store64(0x2000 + 8 * 3, 0x4020_0000L | 1 << 12 | PS | P);
        assertThat(walk(PAE, 0x4060_3000L, Access.READ)).as("2 MiB").isEqualTo(0x40203);
    }

    @ParameterizedTest(name = "{0} with bit {1} of the PTE")
    @DisplayName("T08 reserved bits by mode: PAE up to bit 62, 4- and 5-level up to 51, XD without NXE")
    @CsvSource({
        "PAE, 45, -", "PAE, 46, reserved", "PAE, 52, reserved", "PAE, 62, reserved", "PAE, 63, -",
        "FOUR, 45, -", "FOUR, 46, reserved", "FOUR, 51, reserved", "FOUR, 52, -", "FOUR, 62, -", "FOUR, 63, -",
        "FIVE, 51, reserved", "FIVE, 58, -", "PAE without NXE, 63, reserved", "FOUR without NXE, 63, reserved",
    })
    void reserved(String mode, int bit, String outcome) {
        PagingState state = mode.startsWith("PAE") ? PAE : mode.startsWith("FOUR") ? FOUR : FIVE;
        state = mode.contains("without") ? state.withEfer(state.efer() & ~EFER_NXE) : state;
        tables(0x50000 | PWU | 1L << bit);
        long answer = walk(state, 0x4000_0000L, Access.READ);
        assertThat(answer < 0 ? -1 - answer : 0).isEqualTo(outcome.equals("reserved") ? PRESENT | RESERVED : 0);
    }

    /** A page at 1 GiB in each of the modes with entries of 8 bytes: 0x1000 is a PML4 and, as entry 0 of a PML5, its own child. */
    private void tables(long pte) {
        memory.store64(0x1000, 0x1000 | PWU);
        memory.store64(0x1008, 0x2000 | PWU);
        memory.store64(0x2000, 0x3000 | PWU);
        memory.store64(0x3000, pte);
    }

    @Test
    @DisplayName("T05 5-level paging takes bits 56:48 into account, with PS reserved in a PML5E")
    void fiveLevel() {
        memory.store64(0x1000 + 8 * 0x1ab, 0x4000 | PWU);
        memory.store64(0x4000, 0x5000 | PWU);
        memory.store64(0x5000, 0x6000 | PWU);
        memory.store64(0x6000, 0x7000 | PWU);
        memory.store64(0x7000, 0x50000 | PWU);
        long gva = 0x1abL << 48 | -1L << 57;
        assertThat(walk(FIVE, gva, Access.READ)).isEqualTo(0x50);
        assertThat(walker.tableGfn[5]).isEqualTo(1);
        assertThat(walker.tableGfn[4]).isEqualTo(4);
        memory.store64(0x1000 + 8 * 0x1ab, 0x4000 | PWU | PS);
        assertThat(refused(FIVE, gva, Access.READ)).isEqualTo(PRESENT | RESERVED);
    }

    @Test
    @DisplayName("T08 a table where nothing answers reads as ones: reserved bits with 8-byte entries, a page at the top with 4-byte ones")
    void outsideMemory() {
        assertThat(refused(FOUR.withCr3(1L << 40), 0, Access.READ)).isEqualTo(PRESENT | RESERVED);
        assertThat(walk(BITS_32.withCr3(0x8000_0000L), 0, Access.READ)).isEqualTo(0xfffff);
        assertThat(refused(PSE.withCr3(0x8000_0000L), 0, Access.READ)).isEqualTo(PRESENT | RESERVED);
    }

    @ParameterizedTest(name = "{0} page, key 5, {1}, register {2}, {3}: {4}")
    @DisplayName("T06 protection keys: PKRU for user pages, IA32_PKRS for supervisor pages, never for fetches")
    @CsvSource({
        // page, access, bits of key 5, controls, error code beside W and U; -1: allowed
        "user,       user read,        2, PKE WP, -1",
        "user,       user read,        1, PKE WP, 33",
        "user,       user write,       2, PKE WP, 33",
        "user,       user write,       2, PKE,    33",
        "user,       supervisor write, 2, PKE WP, 33",
        "user,       supervisor write, 2, PKE,    -1",
        "user,       supervisor read,  1, PKE,    33",
        "user,       user fetch,       3, PKE WP, -1",
        "user,       user read,        1, WP,     -1",
        "supervisor, supervisor read,  1, PKE WP, -1",
        "supervisor, supervisor read,  1, PKS WP, 33",
        "supervisor, supervisor write, 2, PKS WP, 33",
        "supervisor, supervisor write, 2, PKS,    -1",
        "user,       supervisor read,  1, PKS WP, -1",
    })
    void keys(String page, String access, int bits, String controls, int code) {
        tables(0x50000 | P | W | (page.equals("user") ? U : 0) | 5L << 59);
        boolean pks = controls.contains("PKS");
        PagingState state = FOUR.withCr0(controls.contains("WP") ? PAGED : PAGED & ~CR0_WP)
                .withCr4(CR4_PAE | (controls.contains("PKE") ? CR4_PKE : 0) | (pks ? CR4_PKS : 0));
        state = pks ? state.withPkrs(bits << 10) : state.withPkru(bits << 10);
        int kind = kind(access);
        int rest = (Access.isWrite(kind) ? WRITE : 0) | (Access.isUser(kind) ? USER : 0);
        assertThat(walker.walk(state, 0x4000_0000L, kind)).isEqualTo(code < 0);
        if (code >= 0) {
            assertThat(walker.errorCode).isEqualTo(code | rest);
            assertThat(code).isEqualTo(PRESENT | KEY);
        }
    }

    private static int kind(String text) {
        for (int kind = 0; kind < Access.KINDS; kind++) {
            if (Access.describe(kind).equals(text)) {
                return kind;
            }
        }
        throw new IllegalArgumentException(text);
    }
}
