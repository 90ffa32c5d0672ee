package org.penumbra.vmx;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.penumbra.api.machine.MachineConfig;
import org.penumbra.api.memory.MemorySlot;
import org.penumbra.api.mmu.MmuFault;
import org.penumbra.api.paging.Access;
import org.penumbra.api.paging.NestedPageFault;
import org.penumbra.api.vmx.Disposition;
import org.penumbra.api.vmx.ExitReason;
import org.penumbra.api.vmx.ExitRecord;
import org.penumbra.api.vmx.Vcpu;
import org.penumbra.api.vmx.VmExitHandler;
import org.penumbra.ept.EptMmuFactory;
import org.penumbra.ept.NptMmuFactory;
import org.penumbra.shadow.ShadowMmuFactory;
import org.penumbra.vmx.memory.Reach;

/**
 * A hostile guest under real designs and real hardware, in a machine whose slots show part of the process's memory only. Uses of
 * memory that no slot gives are complaints.
 */
final class IsolationRig {
    private static final long MIB = 1 << 20;
    private static final String[] DESIGNS = {"shadow", "ept", "npt"};
    /** Memory of the process that no slot gives the guest: it looks like tables that lead to more of it. */
    private static final int EPT_RWX = 7;
    static final long SECRET = 5 * MIB;
    static final long SECRET_BYTES = 64 << 12;

    final Random random;
    final Rig rig;
    final Watch watch = new Watch();
    final Reach reach;
    final VirtualMachine machine;

    IsolationRig(long seed, int pageLevel, int operations) {
        random = new Random(seed);
        rig = new Rig(8 * MIB, pageLevel);
        rig.checker = watch;
        rig.design("shadow", new ShadowMmuFactory());
        rig.design("ept", new EptMmuFactory());
        rig.design("npt", new NptMmuFactory());
        rig.dispatch.add(new SkipDevices(), 1, List.of("EPT_VIOLATION", "EPT_MISCONFIG", "NPF", "EXCEPTION_NMI"));
        reach = new Reach(rig.memory);
        HostileGuest guest = new HostileGuest(seed, 4096);
        rig.image = loader -> {
            guest.image(loader);
            for (long gpa = SECRET; gpa < SECRET + SECRET_BYTES; gpa += 8) {
                loader.store64(gpa, secret(gpa));
            }
        };
        ScriptedEngine engine = guest.operations(operations);
        machine = rig.machine(new MachineConfig(8 * MIB, pageLevel, Rig.SKYLAKE, DESIGNS[random.nextInt(DESIGNS.length)], Map.of(), false), state -> engine);
        watch.user = (gva, access, hpa) -> {
            if (!reach.gives(hpa >>> 12, Access.isWrite(access))) {
                watch.complaints.add(String.format("%s of gva 0x%x reached 0x%x", Access.describe(access), gva, hpa));
            }
        };
        machine.memorySlots().set(0, 0, 0, 0, 0);
        machine.memorySlots().set(0, 0, 0, 4 * MIB, 0);
        machine.memorySlots().set(1, MemorySlot.READONLY, 4 * MIB, MIB, 4 * MIB);
        machine.memorySlots().set(2, 0, 6 * MIB, MIB, MIB);
    }

    static long secret(long gpa) {
        return gpa & -4096L | 7;
    }

    /** A guest access to a device is left out. */
    private final class SkipDevices implements VmExitHandler {
        @Override
        public Disposition handle(Vcpu vcpu, ExitRecord exit) {
            MmuFault fault = new MmuFault();
            boolean nested = exit.reason != ExitReason.EXCEPTION_NMI.number();
            fault.gva = nested ? exit.guestLinear : exit.qualification;
            fault.gpa = exit.guestPhysical;
            fault.qualification = exit.qualification;
            fault.errorCode = exit.errorCode;
            fault.access = exit.access;
            boolean refused = exit.reason == ExitReason.EPT_MISCONFIG.number()
                    || exit.reason == ExitReason.NPF.number() && (exit.qualification & NestedPageFault.RESERVED) != 0;
            switch (refused ? vcpu.mmu().misconfigured(fault) : vcpu.mmu().resolve(fault)) {
                case RETRY:
                    return Disposition.RESUME;
                case EMULATE:
                    return vcpu.emulate();
                case INJECT:
                    vcpu.injectPageFault(fault.gva, fault.errorCode);
                    return Disposition.RESUME;
                case MMIO:
                    vcpu.engine().skip();
                    return Disposition.RESUME;
                default:
                    throw new AssertionError(fault.reason);
            }
        }
    }

    /** Something happens to the guest's memory, or its design is swapped. */
    void disturb() {
        reach.forget();
        long gfn = random.nextLong(2048);
        switch (random.nextInt(10)) {
            case 0 -> machine.hostPages().swapOut(gfn);
            case 1 -> machine.hostPages().migrate(gfn);
            case 2 -> machine.hostPages().merge(gfn, random.nextLong(2048));
            case 3 -> machine.hostPages().collapse(gfn);
            case 4 -> machine.hostPages().split(gfn);
            case 5 -> machine.hostPages().young(gfn);
            case 6 -> machine.hotSwap().swap(DESIGNS[random.nextInt(DESIGNS.length)], Map.of());
            case 7 -> slot();
            default -> { }
        }
    }

    /** Makes, moves or deletes one of two more slots, somewhere above the others. */
    private void slot() {
        int id = 3 + random.nextInt(2);
        boolean there = machine.memorySlots().all().stream().anyMatch(s -> s.id() == id);
        long gpa = id * 4 * MIB + (random.nextLong(512) << 12);
        long hva = id * 4 * MIB + 0x5000;
        machine.memorySlots().set(id, 0, gpa, there && random.nextBoolean() ? 0 : MIB, hva);
    }

    List<String> audit() {
        List<String> found = new ArrayList<>();
        machine.hotSwap().audit(found::add);
        return found;
    }

    /** True of an entry that a processor refuses, as it does an MMIO spte: EPT's with W and without R, or one with bit 51. */
    private static boolean refused(long entry, int present) {
        return present == EPT_RWX && (entry & 3) == 2 || (entry & 1L << 51) != 0;
    }

    /** Where present entries stand that lead somewhere. */
    void collect(long table, int level, int present, List<Long> entries) {
        for (int i = 0; i < 512; i++) {
            long at = table + 8L * i;
            long entry = rig.memory.physical().load64(at);
            if ((entry & present) != 0 && !refused(entry, present)) {
                entries.add(at);
                if (level > 1 && (entry & 1 << 7) == 0) {
                    collect(entry & 0x000f_ffff_ffff_f000L, level - 1, present, entries);
                }
            }
        }
    }
}
