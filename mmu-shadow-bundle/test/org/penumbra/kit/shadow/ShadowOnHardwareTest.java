package org.penumbra.kit.shadow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.penumbra.testkit.fixture.GuestTables.A;
import static org.penumbra.testkit.fixture.GuestTables.D;
import static org.penumbra.testkit.fixture.GuestTables.NX;
import static org.penumbra.testkit.fixture.GuestTables.P;
import static org.penumbra.testkit.fixture.GuestTables.U;
import static org.penumbra.testkit.fixture.GuestTables.W;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.api.paging.PagingState;
import org.penumbra.kit.shadow.HardwareGuest.Result;
import org.penumbra.shadow.ShadowMmuFactory;
import org.penumbra.testkit.fixture.FixtureHost;
import org.penumbra.testkit.fixture.GuestTables;

/**
 * Guests with random tables, controls, accesses and table stores, under shadow paging and on a processor of their own: addresses,
 * error codes, accessed and dirty bits are the same.
 */
class ShadowOnHardwareTest {
    private static final int GUESTS = 12;
    private static final int STEPS = 50;
    private static final int TABLES_A_MODE = 32;
    /** Both halves of a 4 MiB range, neighbours, and pages in other GiBs. */
    private static final long[] PAGES = {
        0x0040_0000L, 0x0040_1000L, 0x0060_0000L, 0x0060_5000L, 0x4000_0000L, 0xc040_0000L, 0xc060_1000L, 0xffff_f000L,
    };
    private static final long WINDOW = 0x7000_0000L;
    /** A frame that no slot has. */
    private static final long DEVICE = 5000;

    private final Map<PagingMode, GuestTables> tables = new EnumMap<>(PagingMode.class);
    private final List<String> steps = new ArrayList<>();
    private Random random;
    private HardwareGuest guest;

    @ParameterizedTest(name = "{0}")
    @DisplayName("T01 T02 T03 T04 T05 T06 S11 a guest is translated as on a processor of its own, through changes of mode, controls and tables")
    @EnumSource
    void likeNative(PagingMode mode) {
        for (int seed = 0; seed < GUESTS; seed++) {
            steps.clear();
            steps.add("seed " + seed);
            random = new Random(seed * 8L + mode.ordinal());
            guest = new HardwareGuest(new FixtureHost(new ShadowMmuFactory(), 1 + random.nextInt(2)));
            buildTables();
            enterMode(mode);
            for (int i = 0; i < STEPS; i++) {
                step(mode);
            }
            guest.leave();
            List<String> violations = new ArrayList<>();
            guest.mmu.audit(guest.host.clock(), violations::add);
            assertThat(violations).as("%s", steps).isEmpty();
        }
    }

    @ParameterizedTest(name = "{0}")
    @DisplayName("S13 a processor takes an MMIO spte for a reserved bit: the second access to a device is answered from it")
    @EnumSource(names = "NONE", mode = EnumSource.Mode.EXCLUDE)
    void reservedBit(PagingMode mode) {
        FixtureHost host = new FixtureHost(new ShadowMmuFactory(), 1);
        guest = new HardwareGuest(host);
        GuestTables own = new GuestTables(host, HardwareGuest.FIRST_TABLE, mode);
        own.map(PAGES[0], DEVICE, 1, GuestTables.P | GuestTables.W | GuestTables.U | GuestTables.A | GuestTables.D);
        guest.load(own.state());
        for (int before = 0; before < 3; before++) {
            assertThat(host.count("handle_mmio_page_fault")).isEqualTo(Math.max(0, before - 1));
            assertThat(guest.access(PAGES[0] + 8, Access.READ | Access.USER)).isEqualTo(new Result(DEVICE << 12 | 8, 0, true));
        }
        guest.leave();
    }

    private void step(PagingMode home) {
        switch (random.nextInt(16)) {
            case 0:
                enterMode(random.nextBoolean() ? home : PagingMode.values()[random.nextInt(5)]);
                break;
            case 1:
                change(guest.state.withCr0(guest.state.cr0() ^ ControlBits.CR0_WP));
                break;
            case 2:
                change(guest.state.withEfer(guest.state.efer() ^ ControlBits.EFER_NXE));
                break;
            case 3:
                long[] bits = {ControlBits.CR4_SMEP, ControlBits.CR4_SMAP, ControlBits.CR4_PSE};
                change(guest.state.withCr4(guest.state.cr4() ^ bits[random.nextInt(bits.length)]));
                break;
            case 4:
                guest.leave();
                guest.mmu.hostRangeChanged(random.nextInt(1024), 1, guest.host.clock());
                break;
            case 5:
            case 6:
            case 7:
                if (guest.state.mode() != PagingMode.NONE) {
                    store();
                }
                break;
            default:
                access(PAGES[random.nextInt(PAGES.length)] + random.nextInt(4096), randomAccess());
        }
    }

    private void access(long gva, int access) {
        Result right = guest.natively(gva, access);
        steps.add(String.format("%s at 0x%x: %s", Access.describe(access), gva, right));
        assertThat(guest.access(gva, access).withoutWay()).as("%s", steps).isEqualTo(right);
        if (right.gpa() >= 0) {
            guest.sameFlags();
        }
    }

    private void change(PagingState next) {
        steps.add(String.format("%s, CR0 0x%x, CR4 0x%x, EFER 0x%x", next.mode(), next.cr0(), next.cr4(), next.efer()));
        guest.load(next);
    }

    private void enterMode(PagingMode mode) {
        PagingState state = mode == PagingMode.NONE
                ? new PagingState(ControlBits.CR0_PE, 0, ControlBits.CR4_PAE, random.nextBoolean() ? ControlBits.EFER_LME : 0, 0, 0)
                : tables.get(mode).state();
        state = random.nextBoolean() ? state.withCr0(state.cr0() & ~ControlBits.CR0_WP) : state;
        long rights = (random.nextBoolean() ? ControlBits.CR4_SMEP : 0) | (random.nextBoolean() ? ControlBits.CR4_SMAP : 0);
        change(state.withCr4(state.cr4() | rights));
    }

    /** The guest stores an entry through a mapping of the table, and then flushes. */
    private void store() {
        GuestTables own = tables.get(guest.state.mode());
        long page = PAGES[random.nextInt(PAGES.length)];
        int level = 1 + random.nextInt(5) / 4;
        long at = own.entryGpa(page, level);
        int tableFrame = (int) (at >>> 12);
        if (tableFrame < HardwareGuest.FIRST_TABLE || tableFrame >= HardwareGuest.TABLES_END) {
            return;
        }
        long value = level == 1 ? frame() << 12 | randomBits(guest.state.mode(), 1) : own.entry(at) ^ (random.nextBoolean() ? W : U);
        emulatedStore(own, own.entryGpa(WINDOW, 1), (long) tableFrame << 12 | P | W | A | D);
        guest.invlpg(WINDOW);
        steps.add(String.format("store of 0x%x at 0x%x, level %d", value, at, level));
        Result written = guest.access(WINDOW + (at & 0xfff), Access.WRITE | Access.AC);
        assertThat(written.gpa()).as("%s", steps).isEqualTo(at);
        if (written.emulated()) {
            emulatedStore(own, at, value);
        } else {
            own.entry(at, value);
        }
        if (random.nextBoolean() && level == 1) {
            guest.invlpg(page);
        } else {
            guest.load(guest.state);
        }
    }

    private void emulatedStore(GuestTables own, long at, long value) {
        guest.leave();
        own.entry(at, value);
        guest.mmu.guestTableWritten(at, guest.state.mode().entryBytes(), guest.host.clock());
    }

    private void buildTables() {
        for (PagingMode mode : PagingMode.values()) {
            if (mode == PagingMode.NONE) {
                continue;
            }
            long first = HardwareGuest.FIRST_TABLE + TABLES_A_MODE * (mode.ordinal() - 1L);
            GuestTables own = new GuestTables(guest.host, first, mode);
            tables.put(mode, own);
            for (long page : PAGES) {
                own.map(page, frame(), 1, randomBits(mode, 1));
                if (random.nextInt(3) == 0) {
                    long at = own.entryGpa(page, 2);
                    own.entry(at, own.entry(at) & ~(random.nextBoolean() ? W : U));
                }
            }
            if (random.nextBoolean()) {
                own.map(0x0040_0000L, 1024, 2, randomBits(mode, 2));
            }
            own.map(WINDOW, first, 1, P | W | A | D);
        }
    }

    private long frame() {
        return random.nextInt(8) == 0 ? DEVICE : 200 + random.nextInt(8);
    }

    /** Bits of an entry; rarely not present, execute-disable, or with a reserved bit. */
    private long randomBits(PagingMode mode, int level) {
        long bits = random.nextInt() & (W | U | A | D) | (random.nextInt(12) == 0 ? 0 : P);
        if (mode.entryBytes() == 8) {
            bits |= random.nextInt(4) == 0 ? NX : 0;
            bits |= random.nextInt(12) == 0 ? 1L << 50 : 0;
            bits |= random.nextInt(8) == 0 ? 1L << 58 : 0;
        }
        boolean reservedInLarge = level == 2 && random.nextInt(6) == 0;
        return reservedInLarge ? bits | 1L << (mode.entryBytes() == 4 ? 21 : 13) : bits;
    }

    private int randomAccess() {
        int access = random.nextInt(3);
        if (random.nextBoolean()) {
            return access | Access.USER;
        }
        return access != Access.FETCH && random.nextInt(3) == 0 ? access | Access.AC : access;
    }
}
