package org.penumbra.testkit.reference;

import java.util.function.LongUnaryOperator;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.PagingState;

/**
 * A linear address through the guest's tables, and each guest-physical address on the way through the host's: SDM vol. 3, "EPT
 * Translation Mechanism" and "EPT-Induced VM Exits"; APM vol. 2, "Nested Paging". Without caches and effects. Results are in the
 * fields. One thread.
 *
 * <p>A fault of the guest's tables comes before one of the host's for the translated address. Where accesses to entries do not
 * count as writes, a flag that has to be set in one is a write of its own, made here when the guest's walk has ended; the manual
 * leaves its moment open.
 */
public final class TwoDimensionalWalker {
    /** How a walk ends. */
    public enum Outcome {
        ALLOWED,
        /** #PF for the guest; {@link #code} is its error code. */
        GUEST_FAULT,
        /** EPT violation or nested page fault; {@link #code} is the exit qualification or EXITINFO1, {@link #gpa} what was refused. */
        HOST_FAULT,
        /** EPT misconfiguration, met while {@link #gpa} was translated. */
        MISCONFIGURATION
    }

    public Outcome outcome;
    /** Host-physical address, if allowed. */
    public long hpa;
    public long code;
    public long gpa;
    /** Entries read, of the guest and of the host; writes of flags are not counted. */
    public int references;
    /** The guest's dimension. */
    public final Walk guest = new Walk();

    private final ReferenceWalker walker;
    private final HostTables host;
    private LongUnaryOperator memory;
    private boolean refused;

    /**
     * A walker through {@code guestWalker}'s and {@code host}'s tables. Under nested paging the former reads its PDPTEs from memory.
     */
    public TwoDimensionalWalker(ReferenceWalker guestWalker, HostTables host) {
        this.walker = guestWalker;
        this.host = host;
    }

    /**
     * Translates {@code gva}.
     *
     * @param hostMemory the 8 bytes at an hpa that is a multiple of 8
     * @return {@link #outcome}
     */
    public Outcome walk(PagingState state, long gva, int access, LongUnaryOperator hostMemory) {
        memory = at -> {
            references++;
            return hostMemory.applyAsLong(at);
        };
        references = 0;
        refused = false;
        hpa = -1;
        code = 0;
        walker.walk(state, gva, access, this::readEntry, guest);
        if (refused) {
            return fail(guest.entryGpa(guest.lowest), true);
        }
        if (!guest.allowed()) {
            code = guest.outcome;
            return outcome = Outcome.GUEST_FAULT;
        }
        int read = references;
        for (int level = guest.top; level >= guest.lowest; level--) {
            boolean sets = guest.entry(level) != guest.entryAfter(level, Access.isWrite(access));
            if (sets && !host.translate(guest.entryGpa(level), Access.WRITE, true, false, memory)) {
                return fail(guest.entryGpa(level), true);
            }
        }
        references = read;
        boolean userAddress = (guest.rights & EntryBits.US) != 0;
        if (!host.translate(guest.gpa, access & 3, false, userAddress, memory)) {
            return fail(guest.gpa, false);
        }
        hpa = host.hpa;
        return outcome = Outcome.ALLOWED;
    }

    /** The 8 bytes of the guest's at {@code at}; where the host refuses them, an entry that is not present and ends the walk. */
    private long readEntry(long at) {
        refused = !host.translate(at, host.tableAccessWrites() ? Access.WRITE : Access.READ, true, false, memory);
        return refused ? 0 : memory.applyAsLong(host.hpa);
    }

    private Outcome fail(long at, boolean table) {
        gpa = at;
        code = host.complete(table, guest);
        return outcome = host.misconfigured ? Outcome.MISCONFIGURATION : Outcome.HOST_FAULT;
    }
}
