package org.penumbra.itest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.osgi.test.common.annotation.InjectService;
import org.osgi.test.common.service.ServiceAware;
import org.penumbra.api.clock.CostProfile;
import org.penumbra.api.clock.CostProfiles;
import org.penumbra.api.experiment.Workload;
import org.penumbra.api.interrupt.Descriptors;
import org.penumbra.api.interrupt.EventDescriptor;
import org.penumbra.api.interrupt.Registration;
import org.penumbra.api.machine.GuestBoot;
import org.penumbra.api.machine.Machine;
import org.penumbra.api.machine.MachineConfig;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.machine.MachineFactory;
import org.penumbra.api.memory.MemorySlot;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.api.vmx.ExitReason;

/** Guests made of steps, traces among them, that are saved somewhere and go on in another machine under another design. */
class SnapshotGuestsTest {
    private static final List<String> DESIGNS = List.of("shadow", "ept", "npt");
    private static final long MEMORY = 256L << 20;

    @InjectService(filter = "(machine.kind=vmx)")
    MachineFactory vmx;

    @InjectService
    CostProfiles profiles;

    @InjectService
    Descriptors descriptors;

    @InjectService(filter = "(workload.name=*)")
    ServiceAware<Workload> workloads;

    @TempDir
    Path folder;

    private CostProfile skylake;
    private Path file;

    @BeforeEach
    void prepare() {
        skylake = Trial.skylake(profiles);
        file = folder.resolve("machine.psnap");
    }

    private GuestBoot guest(String workload, PagingMode mode) {
        return Trial.workload(workloads, workload).prepare(1, mode);
    }

    private static MachineConfig config(String design, int hostLevel, CostProfile hardware, int vcpus) {
        return new MachineConfig(MEMORY, hostLevel, hardware, design, Map.of(), true).withVcpus(vcpus, false);
    }

    private Machine machine(String workload, String design) {
        return vmx.create(config(design, 1, skylake, 1), guest(workload, PagingMode.FOUR_LEVEL));
    }

    private Machine restored(String workload, String design) {
        return vmx.restore(config(design, 1, skylake, 1), guest(workload, PagingMode.FOUR_LEVEL), file);
    }

    private static void assertSameEnd(Machine machine, Machine whole) {
        assertThat(machine.checker().complaints()).isEmpty();
        assertThat(machine.checker().wrong()).isZero();
        assertThat(machine.operations()).isEqualTo(whole.operations());
        assertThat(machine.guestDigest()).isEqualTo(whole.guestDigest());
        assertThat(machine.memoryDigest()).isEqualTo(whole.memoryDigest());
        assertThat(machine.exitCode()).isEqualTo(whole.exitCode());
    }

    @ParameterizedTest(name = "P10 a guest saved at random operations under one design ends in the same way under another: {0} on {1} vCPUs, {2}")
    @CsvSource({"fork-heavy, 4, FOUR_LEVEL", "mmap-churn, 1, FOUR_LEVEL", "trace:sqlite, 1, FOUR_LEVEL",
        "trace:sqlite, 2, PAE", "many-processes-pcid, 1, FOUR_LEVEL", "fork-heavy, 1, FIVE_LEVEL", "fork-heavy, 2, BITS_32", "trace:cc1, 1, NONE"})
    void goesOn(String workload, int vcpus, PagingMode mode) {
        CostProfile hardware = Trial.hardware(profiles, mode);
        Machine whole = Trial.finish(vmx.create(config("shadow", 1, hardware, vcpus), guest(workload, mode)));
        Random random = new Random(workload.hashCode() + 31L * vcpus + mode.ordinal());
        for (int i = 0; i < 3; i++) {
            String design = DESIGNS.get(i % 3);
            String other = DESIGNS.get((i + 1 + random.nextInt(2)) % 3);
            long point = random.nextLong(1, whole.operations() / vcpus);
            try (Machine saved = vmx.create(config(design, 1, hardware, vcpus), guest(workload, mode))) {
                saved.run(point);
                saved.snapshot(file);
                long operations = saved.operations();
                try (Machine machine = vmx.restore(config(other, 1 + i % 2, hardware, vcpus), guest(workload, mode), file)) {
                    assertThat(machine.operations()).isEqualTo(operations);
                    assertThat(machine.memoryDigest()).isEqualTo(saved.memoryDigest());
                    assertThat(machine.guestDigest()).isEqualTo(saved.guestDigest());
                    assertSameEnd(Trial.finish(machine), whole);
                    assertThat(machine.hotSwap().misconduct()).isEmpty();
                }
                if (i == 0) {
                    assertSameEnd(Trial.finish(saved), whole);
                }
            }
        }
        whole.close();
    }

    @Test
    @DisplayName("P10 a snapshot is taken of a guest that runs, at whatever operation it is, and the guest does not notice")
    void whileItRuns() {
        Machine whole = Trial.finish(machine("fork-heavy", "shadow"));
        try (Machine machine = machine("fork-heavy", "shadow")) {
            CompletableFuture<Machine> running = CompletableFuture.supplyAsync(() -> Trial.finish(machine));
            List<Path> files = new ArrayList<>();
            while (!running.isDone() && files.size() < 6) {
                Path next = folder.resolve("running" + files.size());
                try {
                    machine.snapshot(next);
                    files.add(next);
                } catch (MachineException e) {
                    assertThat(e).hasMessageContaining("has ended");
                }
            }
            assertSameEnd(running.join(), whole);
            assertThat(files).isNotEmpty();
            for (Path f : files) {
                try (Machine r = vmx.restore(config("ept", 1, skylake, 1), guest("fork-heavy", PagingMode.FOUR_LEVEL), f)) {
                    assertSameEnd(Trial.finish(r), whole);
                }
            }
        }
        whole.close();
    }

    private static long controlRegisterExits(Machine machine) {
        return machine.exits().rows().stream().filter(r -> r.reason() == ExitReason.CR_ACCESS).mapToLong(r -> r.samples()).sum();
    }

    @Test
    @DisplayName("P10 CR3 slots that a paravirtual guest has asked for are there after a restore, under a design that fills them and one that does not")
    void slotsOfTheGuest() {
        Machine whole = Trial.finish(machine("cr3-slots-4", "shadow"));
        for (String other : List.of("shadow", "ept")) {
            try (Machine saved = machine("cr3-slots-4", "shadow")) {
                saved.run(whole.operations() / 2);
                saved.snapshot(file);
                try (Machine machine = Trial.finish(restored("cr3-slots-4", other))) {
                    assertThat(machine.operations()).isEqualTo(whole.operations());
                    assertThat(machine.guestDigest()).isEqualTo(whole.guestDigest());
                    assertThat(machine.checker().wrong()).isZero();
                    long exits = controlRegisterExits(machine);
                    long before = controlRegisterExits(whole);
                    assertThat(exits).as("the guest loads roots by itself").isLessThanOrEqualTo(before);
                }
            }
        }
        whole.close();
    }

    @Test
    @DisplayName("P10 the dirty log is in a snapshot: what was written before it and not harvested, and what is written after the restore, is told")
    void dirtyLog() {
        for (String design : DESIGNS) {
            try (Machine saved = machine("mmap-churn", design)) {
                saved.run(100_000);
                saved.dirtyLog().start();
                saved.run(200_000);
                saved.snapshot(file);
                TreeSet<Long> before = new TreeSet<>();
                saved.dirtyLog().get(before::add);
                assertThat(before).isNotEmpty();
                for (String other : DESIGNS) {
                    try (Machine machine = restored("mmap-churn", other)) {
                        TreeSet<Long> at = new TreeSet<>();
                        machine.dirtyLog().get(at::add);
                        assertThat(at).isEqualTo(before);
                        machine.run(200_000);
                        TreeSet<Long> expected = new TreeSet<>(before);
                        machine.checker().takeWritten(expected::add);
                        assertThat(expected).hasSizeGreaterThan(before.size());
                        TreeSet<Long> logged = new TreeSet<>();
                        machine.dirtyLog().harvest(logged::add);
                        assertThat(logged).as("%s after %s", other, design).isEqualTo(expected);
                    }
                }
            }
        }
    }

    @Test
    @DisplayName("P10 memory slots are in a snapshot, aliases, read-only and logged ones, with pages that no slot shows")
    void memorySlots() {
        try (Machine saved = machine("mmap-churn", "shadow")) {
            saved.run(300_000);
            saved.memorySlots().set(1, MemorySlot.READONLY, 1L << 32, 1 << 20, 0);
            saved.memorySlots().set(2, MemorySlot.LOG_DIRTY_PAGES, 2L << 32, 1 << 20, 1L << 40);
            saved.snapshot(file);
            try (Machine machine = restored("mmap-churn", "npt")) {
                assertThat(machine.memorySlots().all()).isEqualTo(saved.memorySlots().all());
                assertThat(machine.memoryDigest()).as("the alias too").isEqualTo(saved.memoryDigest());
                assertSameEnd(Trial.finish(machine), Trial.finish(saved));
            }
        }
    }

    @Test
    @DisplayName("P10 what no snapshot can hold is refused with a line that says what, and leaves an older file as it was")
    void refused() throws IOException {
        Files.writeString(file, "older");
        try (Machine machine = machine("mmap-churn", "shadow")) {
            machine.run(1_000);
            EventDescriptor event = descriptors.event(0, false);
            Registration tie = machine.interrupts().irqfd(event, 5, null);
            assertThatThrownBy(() -> machine.snapshot(file)).isInstanceOf(MachineException.class).hasMessageContaining("irqfd");
            tie.close();
            machine.dirtyLog().startRings(1024, vcpu -> { });
            assertThatThrownBy(() -> machine.snapshot(file)).isInstanceOf(MachineException.class).hasMessageContaining("dirty log has rings");
            machine.dirtyLog().stop();
            assertThat(folder).isDirectoryContaining(f -> f.equals(file)).isDirectoryNotContaining(f -> !f.equals(file));
            assertThat(file).hasContent("older");
            machine.snapshot(file);
            assertThat(Files.size(file)).isGreaterThan(1_000);
            Trial.finish(machine);
            assertThatThrownBy(() -> machine.snapshot(file)).isInstanceOf(MachineException.class).hasMessageContaining("has ended");
        }
        try (Machine nested = vmx.create(config("ept", 1, skylake, 1).withEngine("steps"), guest("nested-ept:fork-heavy", PagingMode.FOUR_LEVEL))) {
            nested.run(400_000);
            assertThatThrownBy(() -> nested.snapshot(file)).isInstanceOf(MachineException.class).hasMessageContaining("hypervisor");
            assertThat(nested.run(1_000)).as("the guest goes on").isTrue();
        }
    }

    @Test
    @DisplayName("P10 a snapshot is restored in a machine and with a guest that are its own, or refused with a line that names both")
    void anotherMachine() {
        try (Machine saved = machine("mmap-churn", "shadow")) {
            saved.run(300_000);
            saved.snapshot(file);
        }
        GuestBoot same = guest("mmap-churn", PagingMode.FOUR_LEVEL);
        assertThatThrownBy(() -> vmx.restore(config("ept", 1, skylake, 2), same, file)).isInstanceOf(MachineException.class)
                .hasMessage(file + " does not fit: its number of vCPUs is 1, here it is 2");
        assertThatThrownBy(() -> vmx.restore(new MachineConfig(MEMORY / 2, 1, skylake, "ept", Map.of(), false), same, file))
                .isInstanceOf(MachineException.class).hasMessage(file + " does not fit: its memory in bytes is 268435456, here it is 134217728");
        assertThatThrownBy(() -> vmx.restore(config("ept", 1, Trial.hardware(profiles, "icelake-server"), 1), same, file))
                .isInstanceOf(MachineException.class).hasMessageContaining("does not fit: its processor is");
        GuestBoot named = new NamedGuest(same, Map.of("workload", "mmap-churn", "seed", "1"));
        assertThatThrownBy(() -> vmx.restore(config("ept", 1, skylake, 1), named, file)).isInstanceOf(MachineException.class)
                .hasMessage(file + " does not fit: its guest is {}, here it is " + named.identity());
        assertThatThrownBy(() -> vmx.restore(config("none", 1, skylake, 1), same, file)).isInstanceOf(MachineException.class).hasMessageContaining("none");
    }

    @Test
    @DisplayName("P10 a file that is cut off, or of another version, is refused with one line that names it, and no machine is left")
    void damaged() throws IOException {
        try (Machine saved = machine("mmap-churn", "shadow")) {
            saved.run(30_000);
            saved.snapshot(file);
        }
        byte[] good = Files.readAllBytes(file);
        Random random = new Random(10);
        for (int i = 0; i < 30; i++) {
            Files.write(file, Arrays.copyOf(good, i < 2 ? i * (good.length - 1) : random.nextInt(good.length)));
            assertThatThrownBy(() -> restored("mmap-churn", "ept").close()).isInstanceOf(MachineException.class)
                    .message().startsWith(file.toString()).doesNotContain("\n");
        }
        byte[] next = good.clone();
        next[11]++;
        Files.write(file, next);
        assertThatThrownBy(() -> restored("mmap-churn", "ept")).hasMessage(file + " is a snapshot of version 2, and this Penumbra reads version 1");
        Files.write(file, good);
        restored("mmap-churn", "ept").close();
    }
}
