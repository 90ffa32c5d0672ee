package org.penumbra.vmx;

import java.util.Random;
import org.penumbra.api.cpu.GuestOperation.Kind;
import org.penumbra.api.machine.GuestBoot;

/**
 * A guest that tries everything: page tables of random entries, half of which lead to where it has no memory, each frame a table of any
 * level and a page as well; loads and stores anywhere, stores of further entries, other tables, invalidations.
 */
final class HostileGuest {
    /** The first frames hold tables. */
    private static final int TABLES = 12;
    private static final long PRESENT_WRITABLE = 3;
    private static final long LARGE = 1 << 7;

    private final Random random;
    private final long frames;

    /** @param frames guest frame numbers that it tries, from 0 */
    HostileGuest(long seed, long frames) {
        this.random = new Random(seed);
        this.frames = frames;
    }

    /** Its tables; the first is at frame 1. */
    void image(GuestBoot.Loader loader) {
        for (int table = 1; table <= TABLES; table++) {
            for (int i = 0; i < 512; i++) {
                loader.store64((table << 12) + 8L * i, entry());
            }
        }
    }

    private long entry() {
        if (random.nextInt(8) == 0) {
            return random.nextBoolean() ? 0 : random.nextLong();
        }
        long frame = random.nextInt(3) > 0 ? 1 + random.nextInt(TABLES) : random.nextLong(frames);
        return frame << 12 | PRESENT_WRITABLE | random.nextLong() & 0x164 | (random.nextInt(12) == 0 ? LARGE : 0);
    }

    /** {@code n} operations. */
    ScriptedEngine operations(int n) {
        ScriptedEngine guest = new ScriptedEngine();
        for (int i = 0; i < n; i++) {
            long gva = random.nextLong() << 16 >> 16 & -8;
            switch (random.nextInt(12)) {
                case 0 -> guest.then(Kind.MOV_TO_CR3, 0, 8, 1 + random.nextInt(TABLES) << 12);
                case 1 -> guest.then(Kind.INVLPG, gva, 0, 0);
                case 2, 3, 4, 5 -> guest.then(Kind.STORE, gva, 8, entry());
                default -> guest.then(Kind.LOAD, gva, 8, 0);
            }
        }
        return guest;
    }
}
