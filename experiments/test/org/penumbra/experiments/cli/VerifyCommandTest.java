package org.penumbra.experiments.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.guest.GuestState;
import org.penumbra.api.machine.MachineException;
import org.penumbra.api.paging.PagingMode;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.verify.DesignCheck;
import org.penumbra.api.verify.Nesting;
import org.penumbra.api.verify.VectorSelection;
import org.penumbra.api.verify.Verification;
import org.penumbra.api.verify.VerificationGuest;
import org.penumbra.api.verify.VerificationReport;
import org.penumbra.api.verify.VerificationReport.Disagreement;

/** {@code penumbra verify} over a fake container and a verification of a thousand vectors in each mode. */
class VerifyCommandTest {
    private final CommandLineFixture line = new CommandLineFixture();
    private VectorSelection asked;
    private List<Disagreement> wrong = List.of();

    private final Verification verification = new Verification() {
        @Override
        public String description() {
            return "what is so";
        }

        @Override
        public long vectors(PagingMode mode, int physicalAddressBits) {
            return 1000L + mode.ordinal();
        }

        @Override
        public VerificationGuest guest(VectorSelection selection) {
            asked = selection;
            if (selection.first() >= 1000) {
                throw new IllegalArgumentException("vector " + selection.first() + " is asked for");
            }
            return new Guest();
        }
    };

    private final DesignCheck check = new DesignCheck() {
        @Override
        public String description() {
            return "what holds for designs";
        }

        @Override
        public boolean ofOneDesign() {
            return false;
        }

        @Override
        public List<String> names() {
            return List.of();
        }

        @Override
        public void run(Request request, Consumer<Row> rows, BooleanSupplier stop) {
            throw new UnsupportedOperationException();
        }
    };

    private final class Guest implements VerificationGuest {
        @Override
        public String engine() {
            return "its-own";
        }

        @Override
        public long memoryBytes() {
            return 4 << 20;
        }

        @Override
        public PagingState bootState() {
            return PagingState.longMode(0);
        }

        @Override
        public long planned() {
            return 1000;
        }

        @Override
        public long done() {
            return 500;
        }

        @Override
        public VerificationReport report() {
            return new VerificationReport(1000, 990, Map.of("no need", 10L), wrong.size(), wrong);
        }

        @Override
        public GuestState[] boot(Loader loader, RegisterFile[] vcpus, long memoryBytes) {
            throw new UnsupportedOperationException();
        }
    }

    @BeforeEach
    void install() {
        line.container.verification("things", verification);
        line.container.check("designs", check);
    }

    @Test
    @DisplayName("without a name, verify lists the verifications with their numbers of vectors in each mode")
    void lists() {
        assertThat(line.run("verify")).isZero();
        assertThat(line.out()).contains("things", "32bit", "1,001", "5level", "what is so");
    }

    @Test
    @DisplayName("a verification in which nothing disagrees ends with 0, and says what was run and skipped")
    void agrees() {
        assertThat(line.run("verify", "things", "--mmu", "shadow-2m", "--mode", "pae", "--sample", "50", "--seed", "9",
                "--set", "shadow.unsync=off", "--json")).isZero();
        assertThat(asked.mode()).isEqualTo(PagingMode.PAE);
        assertThat(asked.sample()).isEqualTo(50);
        assertThat(asked.seed()).isEqualTo(9);
        assertThat(line.container.made).singleElement().satisfies(c -> {
            assertThat(c.mmu()).isEqualTo("shadow");
            assertThat(c.hostPageLevel()).isEqualTo(2);
            assertThat(c.engine()).isEqualTo("its-own");
            assertThat(c.settings()).containsEntry("shadow.unsync", "off");
        });
        assertThat(line.container.open).isZero();
        JsonNode json = line.json();
        assertThat(json.get("run").asLong()).isEqualTo(990);
        assertThat(json.get("skipped").get("no need").asLong()).isEqualTo(10);
        assertThat(json.get("disagreements").asLong()).isZero();
        assertThat(json.get("interrupted").asBoolean()).isFalse();
    }

    @Test
    @DisplayName("disagreements end with 3, and are told with the vector's number")
    void disagrees() {
        wrong = List.of(new Disagreement(77, "SMAP 1", "no fault; specification: #PF"));
        assertThat(line.run("verify", "things")).isEqualTo(ExitCodes.WRONG);
        assertThat(line.err()).contains("1 vector disagrees", "vector 77: SMAP 1", "no fault; specification: #PF");
        assertThat(line.out()).contains("990");
    }

    @Test
    @DisplayName("a machine that cannot go on ends with 1, and what had been found is printed")
    void fails() {
        line.container.behaviour("").failure = new MachineException("out of frames");
        assertThat(line.run("verify", "things", "--json")).isEqualTo(ExitCodes.FAILED);
        assertThat(line.err()).contains("out of frames");
        assertThat(line.json().get("run").asLong()).isEqualTo(990);
    }

    @Test
    @DisplayName("Ctrl-C ends with 130, and what had been found is printed")
    void interrupted() {
        line.container.behaviour("").atBatch = () -> line.interrupt.ask();
        assertThat(line.run("verify", "things", "--json")).isEqualTo(ExitCodes.INTERRUPTED);
        assertThat(line.errLines()).containsExactly("penumbra: interrupted after 1,000 of 1,000 vectors");
        assertThat(line.json().get("interrupted").asBoolean()).isTrue();
        assertThat(line.json().get("run").asLong()).isEqualTo(990);
    }

    @Test
    @DisplayName("what is not there is refused with one line that says what is")
    void refused() {
        refuses("unknown verification 'thngs'; did you mean 'things'? known: designs, things", "verify", "thngs");
        refuses("unknown verification 'desings'; did you mean 'designs'?", "verify", "desings");
        refuses("--mode: unknown paging mode 'pea'; did you mean 'pae'?", "verify", "things", "--mode", "pea");
        refuses("unknown design 'shdow'", "verify", "things", "--mmu", "shdow");
        refuses("vector 1000 is asked for", "verify", "things", "--first", "1000");
        refuses("--vectors: 0; 1 or more is needed", "verify", "things", "--vectors", "0");
        refuses("--sample: -1; 0 or more is needed", "verify", "things", "--sample", "-1");
        refuses("--first: -2; 0 or more is needed", "verify", "things", "--first", "-2");
        refuses("value for option '--figure' (KEY=VALUE) is 'foo'; write KEY=VALUE", "verify", "things", "--figure", "foo");
        refuses("unexpected argument 'more' (see 'penumbra verify --help')", "verify", "things", "more");
        refuses("--nested: unknown guest hypervisor 'epd'; did you mean 'ept'? known: none, shadow, ept, ept-2m", "verify", "things", "--nested", "epd");
        refuses("--nested: without a hypervisor a guest is none either", "verify", "things", "--nested", "shadow");
        refuses("--nested: shadow: it has no nested paging, which ept needs", "verify", "things", "--mmu", "shadow", "--nested", "ept");
        assertThat(line.container.made).isEmpty();
    }

    @Test
    @DisplayName("--nested puts a guest hypervisor between the machine and the guest that is verified")
    void nested() {
        assertThat(line.run("verify", "things", "--mmu", "shadow", "--nested", "shadow", "--json")).isZero();
        assertThat(asked.nesting()).isEqualTo(Nesting.SHADOW);
        assertThat(line.json().get("nested").asText()).isEqualTo("shadow");
        assertThat(line.run("verify", "things", "--mmu", "shadow")).isZero();
        assertThat(asked.nesting()).isEqualTo(Nesting.NONE);
    }

    private void refuses(String message, String... arguments) {
        assertThat(line.run(arguments)).isEqualTo(ExitCodes.REFUSED);
        assertThat(line.errLines()).singleElement().satisfies(l -> assertThat(l).contains(message));
    }
}
