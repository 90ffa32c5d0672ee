package org.penumbra.vmx.snapshot;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.lang.reflect.Array;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.penumbra.api.cpu.RegisterFile;
import org.penumbra.api.paging.PagingState;
import org.penumbra.api.paging.Pdptes;

class RegisterImageTest {
    private int next;

    @Test
    @DisplayName("P10 every register that a register file has, whatever may come to it, is in a snapshot")
    void complete() throws Exception {
        RegisterFile saved = new RegisterFile();
        List<String> before = new ArrayList<>();
        List<String> untouched = new ArrayList<>();
        tell(saved, "", untouched);
        fill(saved);
        saved.cpl = 3;
        tell(saved, "", before);
        assertThat(before).hasSameSizeAs(untouched).doesNotContainAnyElementsOf(untouched);
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        RegisterImage.save(saved, new DataOutputStream(bytes));
        ByteArrayInputStream in = new ByteArrayInputStream(bytes.toByteArray());
        RegisterFile restored = new RegisterFile();
        RegisterImage.restore(restored, new DataInputStream(in));
        List<String> after = new ArrayList<>();
        tell(restored, "", after);
        assertThat(after).isEqualTo(before).hasSizeGreaterThan(150);
        assertThat(in.available()).isZero();
    }

    private static List<Field> fields(Object owner) {
        List<Field> fields = new ArrayList<>();
        for (Field f : owner.getClass().getDeclaredFields()) {
            if (!Modifier.isStatic(f.getModifiers())) {
                f.setAccessible(true);
                fields.add(f);
            }
        }
        return fields;
    }

    /** Gives each register a value of its own. */
    private void fill(Object owner) throws Exception {
        for (Field f : fields(owner)) {
            Class<?> type = f.getType();
            if (type.isArray()) {
                Object array = f.get(owner);
                for (int i = 0; i < Array.getLength(array); i++) {
                    if (type == short[].class) {
                        Array.setShort(array, i, (short) ++next);
                    } else if (type == int[].class) {
                        Array.setInt(array, i, 0x1_0000 + ++next);
                    } else {
                        Array.setLong(array, i, 0x1_0000_0000_0000L + ++next);
                    }
                }
            } else if (type == PagingState.class) {
                f.set(owner, new PagingState(++next, ++next, ++next, ++next, ++next, ++next, new Pdptes(++next, ++next, ++next, ++next)));
            } else if (type == boolean.class) {
                f.setBoolean(owner, !f.getBoolean(owner));
            } else if (type == int.class) {
                f.setInt(owner, 0x1_0000 + ++next);
            } else if (type == long.class) {
                f.setLong(owner, 0x1_0000_0000_0000L + ++next);
            } else {
                fill(f.get(owner));
            }
        }
    }

    private static void tell(Object owner, String path, List<String> lines) throws Exception {
        for (Field f : fields(owner)) {
            Object value = f.get(owner);
            String name = path + f.getName();
            if (f.getType().isArray()) {
                for (int i = 0; i < Array.getLength(value); i++) {
                    lines.add(name + "[" + i + "] = " + Array.get(value, i));
                }
            } else if (f.getType().isPrimitive() || value instanceof PagingState) {
                lines.add(name + " = " + value);
            } else {
                tell(value, name + ".", lines);
            }
        }
    }
}
