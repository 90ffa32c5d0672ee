package org.penumbra.experiments.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.penumbra.api.clock.CostProfile;
import org.penumbra.api.machine.MachineFactory;
import org.penumbra.api.experiment.Workload;
import org.penumbra.api.machine.GuestBoot;
import org.penumbra.api.paging.PagingMode;

class PlannerTest {
    private final FakeContainer container = new FakeContainer();

    private void refused(Requests request, String message) {
        assertThatExceptionOfType(RefusedException.class).isThrownBy(() -> request.plan(container)).withMessage(message);
        assertThat(container.made).as("nothing runs before everything is known to be right").isEmpty();
    }

    @Test
    @DisplayName("X04 an experiment has workloads and designs of its own")
    void defaults() {
        Plan plan = new Requests().plan(container);
        assertThat(plan.workloads()).extracting(SelectedWorkload::name).containsExactly("trace:a", "trace:b", "fork-heavy");
        assertThat(plan.designs()).extracting(Design::name).containsExactly("native", "shadow", "ept", "ept-2m");
        assertThat(plan.designs()).extracting(Design::mmu).containsExactly("", "shadow", "ept", "ept");
        assertThat(plan.designs()).extracting(Design::hostPageLevel).containsExactly(1, 1, 1, 2);
        assertThat(plan.designs()).extracting(Design::machineKind)
                .containsExactly(MachineFactory.BARE, MachineFactory.VMX, MachineFactory.VMX, MachineFactory.VMX);
    }

    @Test
    @DisplayName("X04 an experiment runs without the workloads of a pattern that nobody offers; a person's pattern must match")
    void noTraces() {
        container.registry.workloads().stream().filter(n -> n.name().startsWith("trace:"))
                .forEach(n -> container.registry.unbindWorkload(n.service(), FakeContainer.REGISTERED));
        assertThat(new Requests().plan(container).workloads()).extracting(SelectedWorkload::name).containsExactly("fork-heavy");
        refused(new Requests().workloads("trace:*"), "unknown workload 'trace:*'; known: fork-heavy");
    }

    @Test
    @DisplayName("X04 trials are the product of workloads, seeds and designs, in this order")
    void trials() {
        Plan plan = new Requests().workloads("trace:a", "fork-heavy").designs("native", "ept").repetitions(2).plan(container);
        assertThat(plan.trials()).extracting(t -> t.number() + " " + t.title() + " " + t.seed()).containsExactly(
                "1 trace:a under native 1", "2 trace:a under ept 1", "3 trace:a under native 2", "4 trace:a under ept 2",
                "5 fork-heavy under native 1", "6 fork-heavy under ept 1", "7 fork-heavy under native 2", "8 fork-heavy under ept 2");
    }

    @Test
    @DisplayName("X04 a third party's MMU is a design by its own name, on small and on large host pages")
    void thirdParty() {
        container.mmu("agile");
        Plan plan = new Requests().designs("agile", "agile-2m").plan(container);
        assertThat(plan.designs()).extracting(Design::mmu).containsExactly("agile", "agile");
        assertThat(plan.designs()).extracting(Design::hostPageLevel).containsExactly(1, 2);
    }

    @Test
    @DisplayName("N03 N04 a checked run compares guests of guests by EPT and by nested tables")
    void checkedNests() {
        container.workload("nested-ept");
        container.workload("nested-npt");
        container.mmu("npt");
        Requests request = new Requests().experiment("nested").workloads("nested-ept", "nested-npt").check();
        assertThat(request.designs("ept", "npt").plan(container).trials()).extracting(Trial::title)
                .containsExactly("nested-ept under ept", "nested-npt under npt");
    }

    @Test
    @DisplayName("N03 N04 a guest with EPT or NPT of its own is left out under designs that give it none; if none is left, there is no plan")
    void nothingToRun() {
        container.workload("nested-ept");
        container.workload("nested-npt");
        container.mmu("npt");
        assertThat(new Requests().experiment("nested").workloads("nested-ept", "nested-npt").designs("shadow", "ept", "npt").plan(container).trials())
                .extracting(Trial::title).containsExactly("nested-ept under ept", "nested-npt under npt");
        Requests request = new Requests().experiment("nested").workloads("nested-ept");
        assertThat(request.designs("shadow", "ept").plan(container).trials()).extracting(Trial::title).containsExactly("nested-ept under ept");
        refused(request.designs("shadow", "native"), "nothing to run: the workloads' guest needs VMX with EPT, or SVM with NPT, of its own, which "
                + "shadow, native cannot give it; try ept, npt");
    }

    @Test
    @DisplayName("names given twice run once")
    void twice() {
        Plan plan = new Requests().workloads("trace:a", "trace:*", "trace:a").designs("ept", "ept").plan(container);
        assertThat(plan.workloads()).extracting(SelectedWorkload::name).containsExactly("trace:a", "trace:b");
        assertThat(plan.designs()).hasSize(1);
    }

    @Test
    @DisplayName("own traces take the place of the experiment's workloads, and stand beside those asked for")
    void traces() {
        assertThat(new Requests().trace("x/ls.xz").trace("y/ls.xz").plan(container).workloads()).extracting(SelectedWorkload::name)
                .containsExactly("ls.xz", "y/ls.xz");
        assertThat(new Requests().trace("ls.xz").workloads("fork-heavy").plan(container).workloads()).extracting(SelectedWorkload::name)
                .containsExactly("fork-heavy", "ls.xz");
        refused(new Requests().trace("ls.xz").trace("ls.xz"), "trace 'ls.xz' is given twice");
    }

    @Test
    @DisplayName("a trace that cannot be used is refused with the reader's own words")
    void badTrace() {
        Planner planner = new Planner(container.registry, file -> {
            throw new UncheckedIOException(new IOException("ls.xz:17: expected a record"));
        });
        assertThatExceptionOfType(RefusedException.class).isThrownBy(() -> planner.plan(new Requests().trace("ls.xz").request()))
                .withMessage("ls.xz:17: expected a record");
    }

    @Test
    @DisplayName("G07 boot:FILE is a kernel under that name, on the engine for machine code; its command line is part of its identity")
    void kernel() {
        String kernel = "boot:../cpu-bundle/kernels/selftest.elf";
        Plan plan = new Requests().workloads("fork-heavy", kernel, kernel).append("nopku").plan(container);
        assertThat(plan.workloads()).extracting(SelectedWorkload::name).containsExactly(kernel, "fork-heavy");
        Workload workload = plan.workloads().get(0).workload();
        assertThat(workload.engine()).isEqualTo("x86");
        assertThat(plan.workloads().get(1).workload().engine()).isEqualTo("steps");
        assertThat(workload.inputIdentity()).matches("sha256:[0-9a-f]{64} '../cpu-bundle/kernels/selftest.elf nopku'");
        assertThat(new Requests().workloads(kernel).engine("x86-interpreter").plan(container).workloads().get(0).workload().engine())
                .isEqualTo("x86-interpreter");
        refused(new Requests().workloads("fork-heavy").engine("x86"),
                "--engine: it is for kernels, and none of the workloads is one: --workload boot:FILE");
        refused(new Requests().workloads("boot:nowhere"), "nowhere: there is no such file");
        refused(new Requests().workloads("boot:bnd.bnd"), "bnd.bnd has no multiboot header in its first 8192 bytes");
        refused(new Requests().workloads(kernel).paging("pae"), "--paging: a kernel chooses its paging mode itself");
        refused(new Requests().workloads("fork-heavy").append("x"),
                "--append: it is for kernels, and none of the workloads is one: --workload boot:FILE");
    }

    @Test
    @DisplayName("unknown names are refused with the nearest known one")
    void unknown() {
        refused(new Requests().experiment("shadow-vs-etp"),
                "unknown experiment 'shadow-vs-etp'; did you mean 'shadow-vs-ept'? known: shadow-vs-ept, hot-swap, shadow-mechanisms, nested, dirty-logging, sub-page-tracking, walk-dimensions, paging-structure-caches, published-orders, published-plugins");
        refused(new Requests().designs("native", "shadw"),
                "unknown design 'shadw'; did you mean 'shadow'? known: native, ept, ept-2m, shadow, shadow-2m");
        refused(new Requests().workloads("fork-hevy"),
                "unknown workload 'fork-hevy'; did you mean 'fork-heavy'? known: fork-heavy, trace:a, trace:b");
        refused(new Requests().workloads("gups*"), "unknown workload 'gups*'; known: fork-heavy, trace:a, trace:b");
        refused(new Requests().hardware("skylak"), "unknown hardware 'skylak'; did you mean 'skylake'? known: haswell, skylake");
    }

    @Test
    @DisplayName("settings reach the designs whose MMU has them, with their origin; only changed ones reach the machine")
    void settings() {
        Plan plan = new Requests().designs("native", "shadow", "ept").set("shadow.unsync", "off").plan(container);
        Design shadow = plan.designs().get(1);
        assertThat(shadow.settings()).containsExactly(new Design.Setting("shadow.unsync", "off", false, Origin.COMMAND_LINE),
                new Design.Setting("shadow.roots", "3", true, Origin.DEFAULT));
        assertThat(shadow.changedSettings()).containsOnlyKeys("shadow.unsync").containsEntry("shadow.unsync", "off");
        assertThat(plan.designs().get(0).settings()).isEmpty();
        assertThat(plan.designs().get(2).changedSettings()).isEmpty();
        Design same = new Requests().designs("shadow").set("shadow.unsync", "on").plan(container).designs().get(0);
        assertThat(same.changedSettings()).isEmpty();
        assertThat(same.settings().get(0).origin()).isEqualTo(Origin.COMMAND_LINE);
    }

    @Test
    @DisplayName("X04 a design's name can carry settings, which outrank --set and make it a design of its own")
    void settingsInNames() {
        Plan plan = new Requests().designs("shadow", "shadow-2m:unsync=off", "shadow:shadow.unsync=on:roots=0").set("shadow.unsync", "off")
                .plan(container);
        assertThat(plan.designs()).extracting(Design::name).containsExactly("shadow", "shadow-2m:unsync=off", "shadow:shadow.unsync=on:roots=0");
        assertThat(plan.designs()).extracting(Design::mmu).containsOnly("shadow");
        assertThat(plan.designs()).extracting(Design::hostPageLevel).containsExactly(1, 2, 1);
        assertThat(plan.designs().get(0).settings().get(0).origin()).isEqualTo(Origin.COMMAND_LINE);
        assertThat(plan.designs().get(1).settings()).containsExactly(new Design.Setting("shadow.unsync", "off", false, Origin.DESIGN),
                new Design.Setting("shadow.roots", "3", true, Origin.DEFAULT));
        assertThat(plan.designs().get(2).changedSettings()).containsOnlyKeys("shadow.roots").containsEntry("shadow.roots", "0");
        refused(new Requests().designs("shadw:unsync=off"), "unknown design 'shadw'; did you mean 'shadow'? known: native, ept, ept-2m, "
                + "shadow, shadow-2m");
        refused(new Requests().designs("shadow:unsync"),
                "design 'shadow:unsync': 'unsync' is no setting; NAME:KEY=VALUE is needed, for example shadow:unsync=off");
        refused(new Requests().designs("shadow:unsink=off"),
                "unknown setting 'shadow.unsink'; did you mean 'shadow.unsync'? known: shadow.roots, shadow.unsync");
        refused(new Requests().designs("shadow:unsync=of"),
                "--design shadow.unsync=of: unknown value 'of'; did you mean 'off'? known: on, off");
    }

    @Test
    @DisplayName("settings that mean nothing are refused")
    void badSettings() {
        refused(new Requests().designs("shadow").set("shadow.unsink", "on"),
                "unknown setting 'shadow.unsink'; did you mean 'shadow.unsync'? known: shadow.roots, shadow.unsync");
        refused(new Requests().designs("shadow").set("shadow.unsync", "of"),
                "--set shadow.unsync=of: unknown value 'of'; did you mean 'off'? known: on, off");
        refused(new Requests().designs("native", "ept").set("shadow.unsync", "off"),
                "setting 'shadow.unsync' belongs to design 'shadow', which is not run; add it to --design");
        refused(new Requests().designs("native").set("x.y", "1"), "unknown setting 'x.y'; the designs that are run have none");
    }

    @Test
    @DisplayName("memory and repetitions have limits")
    void limits() {
        refused(new Requests().memory(3 << 20),
                "--memory: guest memory of 3145728 bytes; a positive multiple of 2 MiB is needed, for example 256M or 1G");
        refused(new Requests().memory(0), "--memory: guest memory of 0 bytes; a positive multiple of 2 MiB is needed, for example 256M or 1G");
        refused(new Requests().repetitions(0), "--repetitions: 0; 1 or more is needed");
    }

    @Test
    @DisplayName("X04 the paging mode is one that there is, and each workload can run in it; guests are made in it")
    void paging(@TempDir Path folder) throws IOException {
        assertThat(new Requests().plan(container).paging()).isEqualTo(PagingMode.FOUR_LEVEL);
        Path able = Files.createFile(folder.resolve("mine.json"));
        assertThat(new Requests().paging("5level").hardware(able.toString()).plan(container).paging()).isEqualTo(PagingMode.FIVE_LEVEL);
        refused(new Requests().paging("5level"),
                "--paging 5level: processor 'skylake' has no 5-level paging; choose --hardware FILE.json of one that has");
        refused(new Requests().paging("5-level"),
                "--paging: unknown paging mode '5-level'; did you mean '5level'? known: none, 32bit, pae, 4level, 5level");
        refused(new Requests().paging("none"), "workload 'fork-heavy' cannot run without paging");
        new Requests().paging("none").workloads("trace:a").designs("native").run(container);
        assertThat(container.guests).extracting(GuestBoot::identity).singleElement().satisfies(i -> assertThat(i).containsEntry("workload", "trace:a")
                .containsEntry("seed", "1").containsEntry("paging", "none"));
    }

    @Test
    @DisplayName("P01 each workload of hot-swap runs on each number of vCPUs, once left alone and once with swaps, checked")
    void hotSwap() {
        Plan plan = new Requests().experiment("hot-swap").plan(container);
        assertThat(plan.check()).isTrue();
        assertThat(plan.trials()).extracting(t -> t.number() + " " + t.title()).containsExactly(
                "1 trace:a under shadow", "2 trace:a under shadow+ept", "3 trace:a on 4 vCPUs under shadow",
                "4 trace:a on 4 vCPUs under shadow+ept", "5 trace:b under shadow", "6 trace:b under shadow+ept",
                "7 trace:b on 4 vCPUs under shadow", "8 trace:b on 4 vCPUs under shadow+ept", "9 fork-heavy under shadow",
                "10 fork-heavy under shadow+ept", "11 fork-heavy on 4 vCPUs under shadow", "12 fork-heavy on 4 vCPUs under shadow+ept");
        assertThat(plan.trials()).extracting(Trial::swapped).startsWith(false, true, false, true);
        assertThat(plan.trials()).extracting(t -> t.course().every()).containsOnly(20_000L);
        assertThat(new Requests().experiment("hot-swap").unchecked().plan(container).check()).isFalse();
        assertThat(new Requests().plan(container).check()).isFalse();
    }

    @Test
    @DisplayName("P01 what a swap cannot do is refused")
    void hotSwapRefusals() {
        refused(new Requests().experiment("hot-swap").designs("native", "ept"), "design 'native' has no MMU that could be swapped");
        refused(new Requests().experiment("hot-swap").designs("ept"),
                "a swap needs two designs, for example --design shadow,ept; only 'ept' is given");
        refused(new Requests().experiment("hot-swap").designs("shadow", "ept-2m"),
                "designs 'shadow' and 'ept-2m' differ in the pages of the host, which a swap does not change");
        refused(new Requests().experiment("hot-swap").every(0), "--every: 0; 1 operation or more is needed between two swaps");
        refused(new Requests().experiment("hot-swap").after(-1), "--after: -1; 0 operations or more are possible before the first swap");
        refused(new Requests().experiment("hot-swap").vcpus(1, 65), "--vcpus: 65; 1 to 64 are possible");
        refused(new Requests().every(10), "--every: experiment 'shadow-vs-ept' swaps nothing; it is an option of hot-swap");
        refused(new Requests().hostEvents(), "--host-events: experiment 'shadow-vs-ept' swaps nothing; it is an option of hot-swap");
        refused(new Requests().vcpus(1), "--vcpus: experiment 'shadow-vs-ept' swaps nothing; it is an option of hot-swap");
        refused(new Requests().experiment("hot-swp"), "unknown experiment 'hot-swp'; did you mean 'hot-swap'? known: shadow-vs-ept, hot-swap, shadow-mechanisms, nested, dirty-logging, sub-page-tracking, walk-dimensions, paging-structure-caches, published-orders, published-plugins");
    }

    @Test
    @DisplayName("hardware can be a file")
    void hardwareFile(@TempDir Path folder) throws IOException {
        Path good = Files.createFile(folder.resolve("mine.json"));
        Path bad = Files.createFile(folder.resolve("bad.json"));
        assertThat(new Requests().hardware(good.toString()).plan(container).hardware().name()).isEqualTo("mine");
        assertThat(new Requests().hardware(good.toString()).plan(container).hardwareSource()).isEqualTo(good.toString());
        assertThat(new Requests().plan(container).hardwareSource()).isEqualTo("bundled");
        refused(new Requests().hardware(bad.toString()), bad + ": no figure 'cpu.exit'; add it");
        refused(new Requests().hardware("no.json"),
                "hardware file 'no.json' is not there or not readable; name a bundled model (haswell, skylake) or a JSON file");
    }

    @Test
    @DisplayName("T15 a figure of the processor model can be changed for a run; one that is unknown is refused")
    void figures() {
        CostProfile changed = new Requests().figure("walk.reference", 7).plan(container).hardware();
        assertThat(changed.figure("walk.reference")).isEqualTo(7);
        assertThat(changed.name()).isEqualTo("skylake");
        refused(new Requests().figure("walk.refrence", 7), "--figure: unknown figure \"walk.refrence\"");
    }

    @Test
    @DisplayName("two bundles that offer one name are refused: a result must not depend on their ranking")
    void ambiguous() {
        container.mmu("ept");
        refused(new Requests(), "design 'ept' is offered by 2 bundles (org.penumbra.fake 1.2.3, org.penumbra.fake 1.2.3); "
                + "stop all but one of them");
        container.workload("fork-heavy");
        refused(new Requests().designs("native"), "workload 'fork-heavy' is offered by 2 bundles (org.penumbra.fake 1.2.3, "
                + "org.penumbra.fake 1.2.3); stop all but one of them");
    }
}
