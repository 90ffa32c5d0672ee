package org.penumbra.testkit.tlb;

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
        mark(cpu.tables12);
        for (int n = 0; n < cpu.roots.size(); n++) {
            AddressSpace space = cpu.roots.space(n);
            mark(space.tables12());
            for (int quarter = 0; quarter < 4; quarter++) {
                long top = space.top((long) quarter << 30);
                if (top != AddressSpace.ABSENT) {
                    mark(space, top, space.format().levels());
                }
            }
        }
    }

    private void mark(AddressSpace space, long address, int level) {
        stage.anyOf(space.tables12(), 0, address, Tables12.ofTable(space.tables12()), true, (gpa, known) -> {
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

    private void mark(Tables12 tables12) {
        if (tables12 != null) {
            markStage(tables12, tables12.top, tables12.levels);
        }
    }

    private void markStage(Tables12 tables12, long gpa, int level) {
        WatchedTable table = tables.mark(gpa, level, tables12.kind);
        for (int i = 0; table != null && level > 1 && i < table.size(); i++) {
            markStageEntry(tables12, table.value(i), level);
            for (int n = 0; n < table.olderValues(i); n++) {
                markStageEntry(tables12, table.olderValue(i, n), level);
            }
        }
    }

    private void markStageEntry(Tables12 tables12, long entry, int level) {
        if ((entry & tables12.kind.present) != 0 && !tables12.isLeaf(entry, level)) {
            markStage(tables12, Tables12.table(entry), level - 1);
        }
    }
}
