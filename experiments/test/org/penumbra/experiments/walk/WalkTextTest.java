package org.penumbra.experiments.walk;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.cpu.VirtualizationExtension;
import org.penumbra.api.cpu.WalkListener.Cache;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.EntryFormat;
import org.penumbra.api.paging.MemoryType;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.api.vmx.ExitReason;
import org.penumbra.api.vmx.ExitRecord;
import org.penumbra.experiments.run.Design;
import org.penumbra.experiments.run.FakeContainer;

class WalkTextTest {
    private static final EntryFormat GUEST = new Words("");
    private static final EntryFormat HOST = new Words("EPT ");

    private record Words(String prefix) implements EntryFormat {
        @Override
        public String name() {
            return prefix + "paging";
        }

        @Override
        public String entryName(int level) {
            return prefix + "L" + level;
        }

        @Override
        public String decode(int level, long entry) {
            return "to " + Long.toHexString(entry);
        }
    }

    private final WalkRecorder recorder = new WalkRecorder();

    private List<String> text(WalkPart.Kind kind, long guest, long host) {
        WalkRequest request = new WalkRequest(0x401000, PagingMode.FOUR_LEVEL, PageSize.SMALL, Access.USER,
                new Design("ept", "ept", 1, List.of(), true, VirtualizationExtension.VMX), new FakeContainer().registry.costProfiles().orElseThrow().all().get(1));
        WalkPart part = new WalkPart(kind, 0x401000, 0x1800000, recorder.take(), guest, host, 1200);
        return WalkText.lines(new WalkResult(request, List.of(part)), UnaryOperator.identity());
    }

    @Test
    @DisplayName("T12 references to the host's tables stand indented between the guest's entry whose gpa they translate and its reading")
    void twoDimensions() {
        recorder.referenced(HOST, true, 1, 0x9000, 0x9000, 0x2337, 4);
        recorder.referenced(GUEST, false, 1, 0x100000, 0x2000, 0x1800027, 1);
        recorder.served(Cache.NESTED_TLB, 0x1800000, 1, 0x5000);
        recorder.updated(GUEST, false, 1, 0x2000, 0x1800067);
        recorder.translated(0x401000, 0x5000, 12, MemoryType.WB);
        assertThat(text(WalkPart.Kind.COLD, 1, 1)).containsSequence(
                "#  Entry               gpa     hpa      Value  From    Meaning",
                "   L1             0x100000       ?",
                "1    EPT L1                 0x9000     0x2337  memory  to 2337",
                "2  L1             0x100000  0x2000  0x1800027  L1      to 1800027",
                "   page          0x1800000       ?",
                "     nested TLB                                        hit: page at 0x5000",
                "   L1                       0x2000  0x1800067          written: to 1800067",
                "   page          0x1800000  0x5000                     done: cached as 4 KiB, memory type WB",
                "",
                "2 references: 1 guest, 1 host; the processor counted the same; 1,200 simulated cycles.");
    }

    @Test
    @DisplayName("T12 a difference to what the processor has counted is not hidden")
    void miscounted() {
        recorder.referenced(GUEST, false, 1, 0x100000, 0x2000, 0x1800027, 1);
        assertThat(text(WalkPart.Kind.COLD, 2, 0)).contains(
                "1 reference; BUT the processor counted 2 guest, 0 host; 1,200 simulated cycles.");
    }

    @Test
    @DisplayName("T12 an attempt that ends in an exit has its line: reason, gpa, and who resolved it")
    void exits() {
        ExitRecord exit = new ExitRecord();
        exit.start(ExitReason.EPT_VIOLATION, 0);
        exit.guestPhysical = 0x100000;
        recorder.referenced(HOST, true, 1, 0x9000, 0x9000, 0, 4);
        recorder.exited(exit);
        recorder.referenced(GUEST, false, 1, 0x100000, 0x2000, 0x1800027, 1);
        recorder.referenced(HOST, true, 1, 0x9000, 0x9000, 0x2337, 4);
        recorder.translated(0x401000, 0x5000, 12, MemoryType.WB);
        assertThat(text(WalkPart.Kind.FIRST, 1, 2)).containsSequence(
                "Attempt  References  Ends with",
                "      1           1  EXIT EPT_VIOLATION at gpa 0x100000, resolved by ept: retry",
                "      2           2  hpa 0x5000",
                "",
                "3 references and 1 exit, 1,200 simulated cycles.");
    }
}
