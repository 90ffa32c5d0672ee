package org.penumbra.itest;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfEnvironmentVariable;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.osgi.test.common.annotation.InjectService;
import org.penumbra.api.command.CommandLine;

/** {@code penumbra boot} of images that are booted as Linux is. */
class LinuxBootTest {
    private static final int SET_UP = 1024;
    /**
     * <pre>
     *  cmp dword [esi+202h], "HdrS"; jne fail      mov ax, 18h; mov ds, ax      mov ebx, [esi+228h]; mov dx, 3f8h
     *  1: mov al, [ebx]; test al, al; jz 2f; out dx, al; inc ebx; jmp 1b        puts the command line out
     *  2: mov ebx, [esi+218h]; mov ecx, [esi+21ch]   3: mov al, [ebx]; out dx, al; inc ebx; loop 3b      and the initial RAM disk
     *  mov eax, [esi+2ech]; shr eax, 20; out f4h, eax                          ends with the MiB of the second range of memory
     *  fail: mov al, ffh; out f4h, al; hlt
     * </pre>
     */
    private static final String CODE = "81be0202000048647253 7537 66b818008ed8 8b9e28020000 66baf803 8a03 84c0 7404 ee 43 ebf6"
            + " 8b9e18020000 8b8e1c020000 8a03 ee 43 e2fa 8b86ec020000 c1e814 e7f4 b0ff e6f4 f4";

    @InjectService
    CommandLine penumbra;

    @TempDir
    Path folder;

    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    private int boot(Path kernel, String... options) {
        List<String> arguments = new ArrayList<>(List.of("boot", kernel.toString()));
        arguments.addAll(List.of(options));
        return penumbra.run(arguments, new PrintWriter(out), new PrintWriter(err), () -> false);
    }

    private Path image(int version, int flags, int setUpSectors) throws IOException {
        byte[] code = HexFormat.of().parseHex(CODE.replace(" ", ""));
        ByteBuffer b = ByteBuffer.allocate(SET_UP + code.length).order(ByteOrder.LITTLE_ENDIAN);
        b.put(0x1f1, (byte) setUpSectors).put(0x201, (byte) 0x66).putInt(0x202, 0x5372_6448).putShort(0x206, (short) version);
        b.put(0x211, (byte) flags).putInt(0x22c, 0x7fff_ffff).putInt(0x238, 255).putLong(0x258, 0x20_0000).putInt(0x260, 0x10_0000);
        b.put(SET_UP, code);
        return Files.write(folder.resolve("bzImage"), b.array());
    }

    @ParameterizedTest(name = "a bzImage is entered with its command line, initial RAM disk and map of memory: {0}")
    @ValueSource(strings = {"native", "shadow", "ept", "npt"})
    void protocol(String mmu) throws IOException {
        Path disk = Files.writeString(folder.resolve("disk"), "of files");
        int code = boot(image(0x20f, 1, 1), "--mmu", mmu, "--memory", "64M", "--append", "a disk ", "--initrd", disk.toString());
        assertThat(err.toString()).isEmpty();
        assertThat(out).hasToString("a disk of files");
        assertThat(code).isEqualTo(63);
    }

    @ParameterizedTest(name = "an image that cannot be booted is refused in one line: {3}")
    @CsvSource({"0x207,1,1,protocol 2.07", "0x20f,0,1,a bzImage", "0x20f,1,200,ends within its set-up sectors"})
    void refused(String version, int flags, int sectors, String says) throws IOException {
        assertThat(boot(image(Integer.decode(version), flags, sectors))).isEqualTo(2);
        assertThat(out.toString()).isEmpty();
        assertThat(err.toString().lines()).singleElement().asString().contains("bzImage", says);
    }

    @Test
    @DisplayName("memory that is too small for kernel and RAM disk, a command line that is too long and a second disk are refused in one line")
    void refusedOptions() throws IOException {
        Path image = image(0x20f, 1, 1);
        assertThat(boot(image, "--memory", "2M")).isEqualTo(2);
        assertThat(boot(image, "--append", "x".repeat(256))).isEqualTo(2);
        assertThat(boot(image, "--initrd", image.toString(), "--initrd", image.toString())).isEqualTo(2);
        assertThat(err.toString().lines()).hasSize(3).anyMatch(l -> l.contains("need 0x300000 bytes of memory"))
                .anyMatch(l -> l.contains("a command line of 255 bytes")).anyMatch(l -> l.contains("takes one module"));
    }

    /** Where a kernel and a static busybox are: see README. Shadow paging has no protection keys, so that none can be on when it is swapped in. */
    @ParameterizedTest(name = "G04 a distribution's kernel boots to a shell script: {0}")
    @ValueSource(strings = {"--mmu ept", "--mmu shadow", "--mmu npt", "--mmu shadow,ept,npt --swap-every 20000000"})
    @EnabledIfEnvironmentVariable(named = "PENUMBRA_LINUX", matches = ".+")
    void linux(String options) throws IOException {
        Path disk = Files.write(folder.resolve("initrd"), archive(Files.readAllBytes(Path.of(System.getenv("PENUMBRA_BUSYBOX")))));
        List<String> all = new ArrayList<>(List.of("--initrd", disk.toString(), "--memory", "256M", "--append", "console=ttyS0 panic=-1 nopku"));
        all.addAll(List.of(options.split(" ")));
        int code = boot(Path.of(System.getenv("PENUMBRA_LINUX")), all.toArray(String[]::new));
        assertThat(out.toString().lines()).anyMatch(l -> l.contains("Linux version")).contains("forty-two is 42");
        assertThat(code).isZero();
    }

    /** A RAM disk with busybox and a script: the "newc" format of cpio (Documentation/driver-api/early-userspace/buffer-format.rst). */
    private static byte[] archive(byte[] busybox) throws IOException {
        String script = "#!/busybox sh\necho forty-two is $((6 * 7))\n/busybox reboot -f\n";
        ByteArrayOutputStream archive = new ByteArrayOutputStream();
        entry(archive, "busybox", 0100755, busybox, 0, 0);
        entry(archive, "init", 0100755, script.getBytes(StandardCharsets.US_ASCII), 0, 0);
        entry(archive, "dev", 040755, new byte[0], 0, 0);
        entry(archive, "dev/console", 020600, new byte[0], 5, 1);
        entry(archive, "TRAILER!!!", 0, new byte[0], 0, 0);
        return archive.toByteArray();
    }

    private static void entry(ByteArrayOutputStream archive, String name, int mode, byte[] content, int major, int minor) throws IOException {
        archive.write(String.format("070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\0", archive.size(), mode, 0, 0, 1, 0, content.length, 0, 0,
                major, minor, name.length() + 1, 0, name).getBytes(StandardCharsets.US_ASCII));
        archive.write(new byte[-archive.size() & 3]);
        archive.write(content);
        archive.write(new byte[-archive.size() & 3]);
    }
}
