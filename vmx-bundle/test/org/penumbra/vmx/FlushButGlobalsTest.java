package org.penumbra.vmx;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.clock.CycleClock;
import org.penumbra.api.cpu.GuestOperation.Kind;
import org.penumbra.api.mmu.ControlDemand;
import org.penumbra.api.mmu.Mmu;
import org.penumbra.api.mmu.MmuContextHost;
import org.penumbra.api.mmu.MmuFactory;
import org.penumbra.api.mmu.MmuHost;
import org.penumbra.api.paging.ControlBits;
import org.penumbra.ept.EptMmuFactory;

/** EPT that intercepts MOV to CR3, and flushes then in one way or the other. */
class FlushButGlobalsTest {
    private static final long GLOBAL = 1 << 8;
    private static final long PAGE = 2 << 20;

    /** What {@code real} gives, with {@code flushAll} keeping global translations. */
    private record Keeping(MmuContextHost real) implements MmuContextHost {
        @Override
        public int vcpu() {
            return real.vcpu();
        }

        @Override
        public CycleClock clock() {
            return real.clock();
        }

        @Override
        public void flushPage(long gva) {
            real.flushPage(gva);
        }

        @Override
        public void flushAll() {
            real.flushButGlobals();
        }
    }

    /** EPT whose contexts flush as {@code keeping} says. */
    private record Design(boolean keeping) implements MmuFactory {
        @Override
        public String description() {
            return "EPT with exits at MOV to CR3";
        }

        @Override
        public List<Setting> settings() {
            return new EptMmuFactory().settings();
        }

        @Override
        public Mmu create(MmuHost host) {
            Mmu ept = new EptMmuFactory().create(host);
            return (Mmu) Proxy.newProxyInstance(Design.class.getClassLoader(), new Class<?>[] {Mmu.class}, (proxy, method, arguments) -> {
                if (method.getName().equals("controlDemand")) {
                    return new ControlDemand(false, true, false, 0, 0, 0, 0, 0, 0);
                }
                if (keeping && method.getName().equals("newContext")) {
                    return ept.newContext(new Keeping((MmuContextHost) arguments[0]));
                }
                try {
                    return method.invoke(ept, arguments);
                } catch (InvocationTargetException e) {
                    throw e.getCause();
                }
            });
        }
    }

    /** The walks of a guest that reads a global page and another one, loads CR3, and reads both again. */
    private static long walks(boolean keeping) {
        Rig rig = new Rig();
        rig.design("flushing", new Design(keeping));
        rig.image = loader -> {
            MappedGuest.image(loader, 0, 0);
            loader.store64(0x3000 + 8, PAGE | GLOBAL | 0xe3);
        };
        ScriptedEngine guest = new ScriptedEngine().then(Kind.MOV_TO_CR4, 0, 8, ControlBits.CR4_PAE | ControlBits.CR4_PGE)
                .then(Kind.LOAD, PAGE, 8, 0).then(Kind.LOAD, 0x8000, 8, 0)
                .then(Kind.MOV_TO_CR3, 0, 8, 0x1000)
                .then(Kind.LOAD, PAGE, 8, 0).then(Kind.LOAD, 0x8000, 8, 0);
        try (VirtualMachine machine = rig.machine("flushing", Map.of(), guest)) {
            machine.run(100);
            assertThat(guest.loaded).hasSize(4);
            return machine.translation().walks();
        }
    }

    @Test
    @DisplayName("P05 a design that intercepts MOV to CR3 can have global translations kept, and others dropped")
    void kept() {
        assertThat(walks(false) - walks(true)).isEqualTo(1);
    }
}
