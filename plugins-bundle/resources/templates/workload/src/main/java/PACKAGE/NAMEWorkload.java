package {{package}};

import java.util.Optional;
import org.osgi.service.component.annotations.Component;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.experiment.Workload;
import org.penumbra.api.guest.GuestState;
import org.penumbra.api.machine.GuestBoot;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.api.paging.PagingState;

/** Publishes the guest under the name {@code {{name}}}. */
@Component(property = Workload.WORKLOAD_NAME + "={{name}}")
public final class {{Name}}Workload implements Workload {
    /** Pages that the program uses: what one leaf table maps. */
    static final int PAGES = 512;
    static final int PASSES = 20;
    /** Where the tables lie, and behind them the pages, in guest-physical memory. */
    private static final long TABLES = 0x1000;
    private static final long DATA = 0x10_0000;
    /** Present, writable. */
    private static final long ENTRY = 3;

    @Override
    public String description() {
        return "writes and reads " + PAGES + " pages one after the other, " + PASSES + " times";
    }

    @Override
    public GuestBoot prepare(long seed, PagingMode mode) {
        return new GuestBoot() {
            @Override
            public Optional<String> refusal(int vcpus, long memoryBytes) {
                long least = DATA + PAGES * 4096L;
                return mode == PagingMode.FOUR_LEVEL && vcpus == 1 && memoryBytes >= least ? Optional.empty()
                        : Optional.of("workload {{name}} runs with --paging 4level, on one vCPU and in " + (least >> 20) + " MiB of memory or more");
            }

            @Override
            public GuestState[] boot(Loader loader, RegisterFile[] vcpus, long memoryBytes) {
                for (int level = 0; level < 3; level++) {
                    loader.store64(TABLES + level * 0x1000, TABLES + (level + 1) * 0x1000 | ENTRY);
                }
                for (int page = 0; page < PAGES; page++) {
                    loader.store64(TABLES + 0x3000 + 8L * page, DATA + page * 4096L | ENTRY);
                }
                vcpus[0].paging = PagingState.longMode(TABLES);
                return new GuestState[] {new GuestState(new {{Name}}Program(seed))};
            }
        };
    }

    @Override
    public String inputIdentity() {
        return "{{name}} 1";
    }

    @Override
    public long expectedOperations() {
        return 2L * PASSES * PAGES;
    }
}
