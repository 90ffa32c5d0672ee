package org.penumbra.itest;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.osgi.test.common.annotation.InjectService;
import org.penumbra.api.command.CommandLine;

/** {@code penumbra boot}: kernels in machine code, on the machines and designs of the container. */
class BootTest {
    private static final Path KERNELS = Path.of(System.getProperty("penumbra.test.kernels"));

    @InjectService
    CommandLine penumbra;

    @TempDir
    Path folder;

    private record Outcome(int code, String out, String err) {}

    private Outcome boot(Path kernel, String... options) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        List<String> arguments = new ArrayList<>(List.of("boot", kernel.toString()));
        arguments.addAll(List.of(options));
        int code = penumbra.run(arguments, new PrintWriter(out), new PrintWriter(err), () -> false);
        return new Outcome(code, out.toString(), err.toString());
    }

    @ParameterizedTest(name = "G02 the test kernel passes: {0}")
    @ValueSource(strings = {
        "--mmu native", "--mmu shadow", "--mmu ept", "--mmu npt", "--mmu ept-2m", "--mmu shadow --check", "--mmu ept --check", "--mmu npt --check",
        "--mmu shadow,ept,npt --swap-every 10000 --append nopku", "--mmu shadow,ept,npt --swap-every 101 --append nopku",
        "--mmu npt,shadow --swap-every 997 --append nopku --check",
        "--figure tlb.model=0 --mmu native --check", "--figure tlb.model=0 --mmu shadow --check", "--figure tlb.model=0 --mmu ept --check",
        "--figure tlb.model=0 --mmu npt --check", "--figure tlb.model=0 --mmu ept-2m",
        "--figure tlb.model=0 --mmu shadow,ept,npt --swap-every 101 --append nopku", "--figure tlb.model=0 --mmu npt,shadow --swap-every 997 --append nopku --check",
    })
    void passes(String options) {
        Outcome o = boot(KERNELS.resolve("selftest.elf"), options.split(" "));
        assertThat(o.out().lines()).filteredOn(l -> !l.endsWith(" ok")).containsExactly("done");
        assertThat(o.out().lines()).hasSizeGreaterThan(40);
        assertThat(o.err()).isEmpty();
        assertThat(o.code()).isZero();
    }

    @ParameterizedTest(name = "G01 state of x87, MMX and vector registers is what the guest left it: {0}")
    @ValueSource(strings = {"--mmu native", "--mmu shadow", "--mmu ept", "--mmu npt", "--mmu shadow,ept,npt --swap-every 101 --check"})
    void registers(String options) {
        Outcome o = boot(KERNELS.resolve("state.elf"), options.split(" "));
        assertThat(o.out().lines()).filteredOn(l -> !l.endsWith(" ok")).containsExactly("done");
        assertThat(o.out().lines()).hasSize(11);
        assertThat(o.code()).isZero();
    }

    private static List<String> kernels() {
        List<String> rows = new ArrayList<>();
        for (String kernel : List.of("I05 I06 I08 8259s, I/O APIC, timers, NMIs: interrupts", "T05 five levels of paging: la57",
                "G01 task switches, virtual-8086 mode, I/O permission bitmap: legacy",
                "G01 breakpoints of the debug registers, single steps: debug",
                "G02 MSRs, reserved bits, alignment checks, returns to user mode, devices in two pages, firmware's ports: system")) {
            for (String options : List.of("--mmu shadow", "--mmu ept", "--mmu npt", "--mmu shadow,ept,npt --swap-every 10000 --check",
                    "--mmu shadow,ept,npt --swap-every 10000 --check --figure tlb.model=0")) {
                rows.add(kernel + " " + options);
            }
        }
        return rows;
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("kernels")
    void small(String row) {
        String[] words = row.replaceFirst("^.*: ", "").split(" ", 2);
        Outcome o = boot(KERNELS.resolve(words[0] + ".elf"), (words[1] + " --hardware icelake-server").split(" "));
        assertThat(o.out().lines()).filteredOn(l -> !l.endsWith(" ok")).containsExactly("done");
        assertThat(o.out().lines()).hasSizeGreaterThan(12);
        assertThat(o.err()).isEmpty();
        assertThat(o.code()).isZero();
    }

    @ParameterizedTest(name = "G02 a guest in machine code retires as many instructions and puts the same out under each design, with swaps, and with a functional TLB: {0}")
    @ValueSource(strings = {"selftest", "interrupts", "legacy", "la57", "debug", "system"})
    void sameInstructions(String kernel) {
        List<String> counts = new ArrayList<>();
        List<String> outputs = new ArrayList<>();
        for (String mmu : List.of("shadow", "ept", "npt", "shadow,ept,npt", "shadow functional", "ept functional", "npt functional", "shadow,ept,npt functional")) {
            List<String> options = new ArrayList<>(List.of("--mmu", mmu.replace(" functional", ""), "--append", "nopku", "--summary",
                    "--hardware", "icelake-server", "--figure", "tlb.model=" + (mmu.endsWith("functional") ? 0 : 1)));
            if (mmu.contains(",")) {
                options.addAll(List.of("--swap-every", "500"));
            }
            Outcome o = boot(KERNELS.resolve(kernel + ".elf"), options.toArray(String[]::new));
            assertThat(o.code()).isZero();
            counts.add(o.err().replaceAll(" instructions.*\n", ""));
            outputs.add(o.out());
        }
        assertThat(outputs).containsOnly(outputs.get(0));
        assertThat(counts).allMatch(c -> c.matches("\\d+")).containsOnly(counts.get(0));
    }

    @ParameterizedTest(name = "G02 a guest whose code is compiled, all or what is hot, retires as many instructions and puts the same out as an interpreted one: {0}")
    @ValueSource(strings = {"selftest --mmu shadow --check", "selftest --mmu shadow,ept,npt --swap-every 500 --append nopku", "state --mmu ept --check",
        "interrupts --mmu ept", "legacy --mmu shadow", "la57 --mmu npt", "debug --mmu shadow,ept,npt --swap-every 500", "system --mmu ept"})
    void compiled(String row) {
        String[] words = row.split(" ", 2);
        List<String> counts = new ArrayList<>();
        List<String> outputs = new ArrayList<>();
        for (String engine : List.of("x86-interpreter", "x86-eager", "x86")) {
            List<String> options = new ArrayList<>(List.of(words[1].split(" ")));
            options.addAll(List.of("--engine", engine, "--summary", "--hardware", "icelake-server"));
            Outcome o = boot(KERNELS.resolve(words[0] + ".elf"), options.toArray(String[]::new));
            assertThat(o.code()).as(o.err()).isZero();
            // Instructions, exits and swaps; not seconds.
            counts.add(o.err().replaceAll(", exit code (?s:.)*", ""));
            outputs.add(o.out());
        }
        assertThat(outputs).containsOnly(outputs.get(0));
        assertThat(counts).allMatch(c -> c.matches("\\d+ instructions, \\d+ exits, \\d+ swaps")).containsOnly(counts.get(0));
    }

    @Test
    @DisplayName("G02 an engine that is not there is refused with those that are")
    void noSuchEngine() {
        Outcome o = boot(KERNELS.resolve("selftest.elf"), "--engine", "x87");
        assertThat(o.code()).isNotZero();
        assertThat(o.err()).contains("x87", "x86-interpreter");
    }

    @ParameterizedTest(name = "G07 a kernel is a workload like any other: {0}")
    @ValueSource(strings = {"shadow-vs-ept --design native,shadow,ept,npt", "hot-swap --design shadow,ept,npt --vcpus 1 --every 10000"})
    void workload(String options) throws IOException {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        Path events = folder.resolve("events.json.gz");
        List<String> arguments = new ArrayList<>(List.of("run"));
        arguments.addAll(List.of(options.split(" ")));
        arguments.addAll(List.of("--workload", "boot:" + KERNELS.resolve("selftest.elf"), "--append", "nopku", "--check", "--events", events.toString(),
                "--out", folder.resolve("results").toString(), "--json"));
        // Exit code 0: no translation was wrong, and the guest retired as many instructions and put the same out under every design and with swaps.
        assertThat(penumbra.run(arguments, new PrintWriter(out), new PrintWriter(err), () -> false)).as(err.toString()).isZero();
        assertThat(out.toString()).contains("\"reason\" : \"IO_INSTRUCTION\"", "\"exits.CR_ACCESS\"", "\"counter.io_exits\"", "\"value\" : \"nopku\"");
        assertThat(Files.readString(folder.resolve("results/results.csv"))).contains(",operations,operations,", ",translations_wrong,translations,0");
        assertThat(Files.size(events)).isPositive();
    }

    @Test
    @DisplayName("G07 a recorded guest has a fetch for each instruction in its trace, and the trace runs as a workload")
    void recorded() {
        Path trace = folder.resolve("guest.trace");
        Outcome o = boot(KERNELS.resolve("selftest.elf"), "--mmu", "shadow", "--trace", trace.toString(), "--summary");
        assertThat(o.code()).isZero();
        String instructions = o.err().replaceAll("(?s) instructions.*", "");
        StringWriter info = new StringWriter();
        assertThat(penumbra.run(List.of("trace", "info", trace.toString(), "--json"), new PrintWriter(info), new PrintWriter(info), () -> false)).isZero();
        assertThat(info.toString()).containsPattern("\"fetches\" : " + instructions + ",");
        StringWriter run = new StringWriter();
        List<String> replay = List.of("run", "shadow-vs-ept", "--trace", trace.toString(), "--design", "shadow,ept", "--check", "-q");
        assertThat(penumbra.run(replay, new PrintWriter(run), new PrintWriter(run), () -> false)).as(run.toString()).isZero();
    }

    @Test
    @DisplayName("G02 a triple fault ends the machine with registers and the last instructions")
    void tripleFault() throws IOException {
        // An interrupt without a table: entered with nothing but a header, XOR EAX, EAX; LIDT of zeroes; INT3.
        byte[] code = {0x31, (byte) 0xc0, 0x0f, 0x01, 0x1d, 0x00, 0x0f, 0x10, 0x00, (byte) 0xcc};
        Path kernel = Files.write(folder.resolve("triple.elf"), elf(code));
        for (String mmu : List.of("native", "shadow", "ept", "npt")) {
            Outcome o = boot(kernel, "--mmu", mmu);
            assertThat(o.code()).as(mmu).isEqualTo(1);
            assertThat(o.err()).as(mmu).contains("triple fault").contains("RIP=0000000000100015").contains("CS  =0008")
                    .contains("  000000000010000c  xor eax, eax\n  000000000010000e  lidt [0x100f00]\n  0000000000100015  int3");
        }
    }

    /** A multiboot kernel of 32 bits at 1 MiB: the header, then {@code code}, where it is entered. */
    private static byte[] elf(byte[] code) {
        return elf(code, 0x100000);
    }

    private static byte[] elf(byte[] code, int at) {
        ByteBuffer b = ByteBuffer.allocate(84 + 12 + code.length).order(ByteOrder.LITTLE_ENDIAN);
        b.put(new byte[] {0x7f, 'E', 'L', 'F', 1, 1, 1}).position(16);
        b.putShort((short) 2).putShort((short) 3).putInt(1).putInt(at + 12).putInt(52).putInt(0).putInt(0);
        b.putShort((short) 52).putShort((short) 32).putShort((short) 1).position(52);
        b.putInt(1).putInt(84).putInt(at).putInt(at).putInt(12 + code.length).putInt(Math.max(0x1000, 12 + code.length)).putInt(7).putInt(4);
        b.putInt(0x1bad_b002).putInt(0).putInt(-0x1bad_b002).put(code);
        return b.array();
    }

    @Test
    @DisplayName("G02 a kernel for real-address mode may lie where the boot loader's description would; its module is above 1 MiB")
    void low() throws IOException {
        // mov eax, [ebx + 24]; mov eax, [eax]; mov esi, eax; movzx eax, byte [eax]; shr esi, 20; mov ecx, esi; shl ecx, 7; or eax, ecx; out 0xf4, eax
        byte[] code = HexFormat.of().parseHex("8b43188b0089c60fb600c1ee1489f1c1e107" + "09c8e7f4f4");
        Path kernel = Files.write(folder.resolve("low.elf"), elf(code, 0x8000));
        Path module = Files.writeString(folder.resolve("module"), "a");
        assertThat(boot(kernel, "--module", module.toString()).code()).as("'a', and 1 MiB times 128").isEqualTo('a' | 0x80);
        Path all = Files.write(folder.resolve("all.elf"), elf(new byte[0xa0000], 0x8000));
        assertThat(boot(all).err()).contains("the kernel is to be loaded from 0x8000").hasLineCount(1);
    }

    @Test
    @DisplayName("G02 what is no kernel is refused with one line that says why")
    void refused() throws IOException {
        Path text = Files.writeString(folder.resolve("text"), "hello");
        assertThat(boot(text).err()).isEqualTo("penumbra: " + text + " has no multiboot header in its first 8192 bytes\n");
        assertThat(boot(text).code()).isEqualTo(2);
        Path gone = folder.resolve("gone");
        assertThat(boot(gone).err()).isEqualTo("penumbra: " + gone + ": there is no such file\n");
        assertThat(boot(KERNELS.resolve("selftest.elf"), "--mmu", "shadow,ept").err()).contains("--swap-every").hasLineCount(1);
    }
}
