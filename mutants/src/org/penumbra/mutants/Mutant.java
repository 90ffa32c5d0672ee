package org.penumbra.mutants;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.penumbra.api.verify.Nesting;

/**
 * One mutant: a design with one historical bug, as a few lines that differ from the production code.
 *
 * @param name a short name in lower case with hyphens
 * @param origin the defect in Linux that it stands for
 * @param defect what goes wrong, in one line
 * @param design the production design that is mutated, by {@code mmu.name}
 * @param factory its class
 * @param property the property that is tried first
 * @param except a part of the names of configurations that functional tests have to leave out for the mutant to pass; empty if none
 * @param nesting the guest hypervisor under which the defect shows; none if it needs none
 */
record Mutant(String name, String origin, String defect, String design, String factory, String property, String except,
        Nesting nesting) {
    private static final String FOLDER = "/mutants/";

    /** All mutants, in alphabetical order. */
    static List<Mutant> all() {
        return text(FOLDER + "index").lines().map(Mutant::named).toList();
    }

    private static Mutant named(String name) {
        Map<String, String> header = new HashMap<>();
        for (String line : text(FOLDER + name + ".mutant").lines().takeWhile(l -> !l.isBlank()).toList()) {
            int colon = line.indexOf(": ");
            header.put(line.substring(0, colon), line.substring(colon + 2));
        }
        return new Mutant(name, header.get("origin"), header.get("defect"), header.get("design"), header.get("factory"), header.get("property"),
                header.getOrDefault("except", ""), Nesting.named(header.getOrDefault("nested", Nesting.NONE.label())).orElseThrow());
    }

    /** The changed class {@code className}, null if it is that of the production code. */
    byte[] changed(String className) {
        try (InputStream in = Mutant.class.getResourceAsStream(FOLDER + name + "/" + className.replace('.', '/') + ".bin")) {
            return in == null ? null : in.readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String text(String resource) {
        try (InputStream in = Mutant.class.getResourceAsStream(resource)) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
