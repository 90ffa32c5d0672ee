package org.penumbra.testkit.tlb;

import org.penumbra.testkit.reference.EptWalker;
import org.penumbra.testkit.reference.TableFormat;

/** Marks the tables through which a translation may have come that a processor can still have cached. One sweep. */
final class Reachability {
    private final WatchedTables tables;
    private final SecondStage stage;

    Reachability(WatchedTables tables, SecondStage stage) {
        this.tables = tables;
        this.stage = stage;
    }

    /** Those of all address spaces of {@code cpu}. */
    void mark(AbstractProcessor cpu) {
        markEpt(cpu.eptp);
        for (int n = 0; n < cpu.roots.size(); n++) {
            AddressSpace space = cpu.roots.space(n);
            markEpt(space.eptp());
            for (int quarter = 0; quarter < 4; quarter++) {
                long top = space.top((long) quarter << 30);
                if (top != AddressSpace.ABSENT) {
                    mark(space, top, space.format().levels());
                }
            }
        }
    }

    private void mark(AddressSpace space, long address, int level) {
        stage.anyOf(space.eptp(), 0, address, SecondStage.ofTable(space.eptp()), true, (gpa, known) -> {
            WatchedTable table = tables.mark(gpa, level, EntryKind.of(space.format()));
            for (int i = 0; table != null && level > 1 && i < table.size(); i++) {
                markEntry(space, table.value(i), level);
                for (int n = 0; n < table.olderValues(i); n++) {
                    markEntry(space, table.olderValue(i, n), level);
                }
            }
            return false;
        });
    }

    private void markEntry(AddressSpace space, long entry, int level) {
        TableFormat format = space.format();
        // CR4.PSE may have been 0 when it was read
        if ((entry & EntryKind.of(format).present) != 0 && !format.isLeaf(entry, level, false)) {
            mark(space, format.table(entry), level - 1);
        }
    }

    private void markEpt(long eptp) {
        if (eptp != AddressSpace.NO_EPT) {
            markEpt(EptWalker.table(eptp), (int) (eptp >>> 3 & 7) + 1);
        }
    }

    private void markEpt(long gpa, int level) {
        WatchedTable table = tables.mark(gpa, level, EntryKind.EPT);
        for (int i = 0; table != null && level > 1 && i < table.size(); i++) {
            markEptEntry(table.value(i), level);
            for (int n = 0; n < table.olderValues(i); n++) {
                markEptEntry(table.olderValue(i, n), level);
            }
        }
    }

    private void markEptEntry(long entry, int level) {
        if ((entry & EntryKind.EPT.present) != 0 && !EptWalker.isLeaf(entry, level)) {
            markEpt(EptWalker.table(entry), level - 1);
        }
    }
}
