package org.penumbra.mutants;

import java.io.IOException;
import java.io.InputStream;
import org.penumbra.api.mmu.MmuFactory;

/** The classes of a production bundle once more, some of them changed: a design beside the one that is in use. */
final class MutantLoader extends ClassLoader {
    private static final String API = "org.penumbra.api.";
    private static final String OURS = "org.penumbra.";

    private final Mutant mutant;
    private final ClassLoader production;

    /** @param production the factory of the design that is mutated, from whose bundle the other classes are */
    MutantLoader(Mutant mutant, MmuFactory production) {
        super(production.getClass().getClassLoader());
        this.mutant = mutant;
        this.production = production.getClass().getClassLoader();
    }

    /** The mutated design. */
    MmuFactory factory() {
        try {
            return (MmuFactory) loadClass(mutant.factory()).getDeclaredConstructor().newInstance();
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException("mutant " + mutant.name() + " cannot be made: " + e, e);
        }
    }

    @Override
    protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
        if (!name.startsWith(OURS) || name.startsWith(API)) {
            return super.loadClass(name, resolve);
        }
        synchronized (getClassLoadingLock(name)) {
            Class<?> known = findLoadedClass(name);
            return known != null ? known : define(name);
        }
    }

    private Class<?> define(String name) throws ClassNotFoundException {
        byte[] bytes = mutant.changed(name);
        if (bytes == null) {
            try (InputStream in = production.getResourceAsStream(name.replace('.', '/') + ".class")) {
                if (in == null) {
                    throw new ClassNotFoundException(name);
                }
                bytes = in.readAllBytes();
            } catch (IOException e) {
                throw new ClassNotFoundException(name, e);
            }
        }
        return defineClass(name, bytes, 0, bytes.length);
    }
}
