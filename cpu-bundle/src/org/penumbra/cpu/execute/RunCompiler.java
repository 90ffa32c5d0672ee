package org.penumbra.cpu.execute;

import static org.objectweb.asm.Opcodes.AALOAD;
import static org.objectweb.asm.Opcodes.ACC_FINAL;
import static org.objectweb.asm.Opcodes.ACC_PRIVATE;
import static org.objectweb.asm.Opcodes.ACC_STATIC;
import static org.objectweb.asm.Opcodes.ACC_SUPER;
import static org.objectweb.asm.Opcodes.ALOAD;
import static org.objectweb.asm.Opcodes.ASTORE;
import static org.objectweb.asm.Opcodes.BIPUSH;
import static org.objectweb.asm.Opcodes.CHECKCAST;
import static org.objectweb.asm.Opcodes.F_SAME;
import static org.objectweb.asm.Opcodes.GETSTATIC;
import static org.objectweb.asm.Opcodes.IFEQ;
import static org.objectweb.asm.Opcodes.IFNE;
import static org.objectweb.asm.Opcodes.INVOKEINTERFACE;
import static org.objectweb.asm.Opcodes.INVOKESPECIAL;
import static org.objectweb.asm.Opcodes.INVOKESTATIC;
import static org.objectweb.asm.Opcodes.INVOKEVIRTUAL;
import static org.objectweb.asm.Opcodes.IRETURN;
import static org.objectweb.asm.Opcodes.LADD;
import static org.objectweb.asm.Opcodes.LAND;
import static org.objectweb.asm.Opcodes.LLOAD;
import static org.objectweb.asm.Opcodes.PUTFIELD;
import static org.objectweb.asm.Opcodes.PUTSTATIC;
import static org.objectweb.asm.Opcodes.RETURN;
import static org.objectweb.asm.Opcodes.V17;

import java.lang.invoke.MethodHandles;
import org.objectweb.asm.ClassWriter;
import org.objectweb.asm.Label;
import org.objectweb.asm.MethodVisitor;
import org.objectweb.asm.Type;
import org.penumbra.cpu.decode.Insn;

/**
 * Makes a method of a run of instructions that is executed often. The method does not say what an instruction does: it calls the {@link Form} of
 * each, or the {@link Interpreter}, one after the other. But the forms are constants of its class, and with them all that they have looked up, as they
 * and their operands are lambdas and records, whose fields the host's compiler trusts: it puts them into the method, and what is left of each is the
 * instruction itself.
 *
 * <pre>
 *  static final Form c0, c1 …       for an instruction without a common form: static final Insn c2
 *  int run(Core core, Interpreter interpreter, long rip) {
 *      c0.run(core);                                                        registers only
 *      core.at = 1; core.next = rip + 7; c1.run(core);                      may trap, or looks at where it stands
 *      if (core.due()) return 2;                                            may have changed something
 *      core.at = 2; core.next = rip + 9;
 *      if (!step(core, interpreter, c2, rip + 7)) { core.next = rip + 7; return 2; }
 *      …
 *      core.next = rip + 30; return 8;
 *  }
 * </pre>
 */
final class RunCompiler {
    private static final MethodHandles.Lookup HERE = MethodHandles.lookup();
    private static final String CORE = Type.getInternalName(Core.class);
    private static final String FORM = Type.getInternalName(Form.class);
    private static final String RUN = Type.getInternalName(CompiledRun.class);
    private static final String NAME = RUN + "Method";
    private static final String STEP = Type.getMethodDescriptor(Type.BOOLEAN_TYPE, Type.getType(Core.class), Type.getType(Interpreter.class),
            Type.getType(Insn.class), Type.LONG_TYPE);
    private static final String EXECUTE = Type.getMethodDescriptor(Type.INT_TYPE, Type.getType(Core.class), Type.getType(Interpreter.class),
            Type.LONG_TYPE);
    /** Local variables of the method. */
    private static final int THE_CORE = 1;
    private static final int THE_INTERPRETER = 2;
    private static final int RIP = 3;

    private final Block block;
    private final MethodVisitor code;

    private RunCompiler(Block block, MethodVisitor code) {
        this.block = block;
        this.code = code;
    }

    /** The run as a method. Its class goes when nobody holds the answer any more. */
    static CompiledRun compile(Block block) {
        Object[] constants = new Object[block.code.length];
        for (int k = 0; k < constants.length; k++) {
            constants[k] = block.forms[k] != null ? block.forms[k] : block.code[k];
        }
        ClassWriter type = new ClassWriter(ClassWriter.COMPUTE_MAXS);
        type.visit(V17, ACC_FINAL | ACC_SUPER, NAME, null, RUN, null);
        constants(type, constants);
        constructor(type);
        MethodVisitor method = type.visitMethod(0, "run", EXECUTE, null, null);
        method.visitCode();
        new RunCompiler(block, method).body();
        method.visitMaxs(0, 0);
        method.visitEnd();
        type.visitEnd();
        try {
            MethodHandles.Lookup made = HERE.defineHiddenClassWithClassData(type.toByteArray(), constants, true);
            return (CompiledRun) made.lookupClass().getDeclaredConstructor().newInstance();
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException("the method of a run cannot be made", e);
        }
    }

    private static void constants(ClassWriter type, Object[] constants) {
        MethodVisitor init = type.visitMethod(ACC_STATIC, "<clinit>", "()V", null, new String[] {"java/lang/Throwable"});
        init.visitCode();
        init.visitMethodInsn(INVOKESTATIC, "java/lang/invoke/MethodHandles", "lookup", "()Ljava/lang/invoke/MethodHandles$Lookup;", false);
        init.visitLdcInsn("_");
        init.visitLdcInsn(Type.getType(Object[].class));
        init.visitMethodInsn(INVOKESTATIC, "java/lang/invoke/MethodHandles", "classData",
                "(Ljava/lang/invoke/MethodHandles$Lookup;Ljava/lang/String;Ljava/lang/Class;)Ljava/lang/Object;", false);
        init.visitTypeInsn(CHECKCAST, "[Ljava/lang/Object;");
        init.visitVarInsn(ASTORE, 0);
        for (int k = 0; k < constants.length; k++) {
            Type t = Type.getType(constants[k] instanceof Form ? Form.class : Insn.class);
            type.visitField(ACC_PRIVATE | ACC_STATIC | ACC_FINAL, "c" + k, t.getDescriptor(), null, null).visitEnd();
            init.visitVarInsn(ALOAD, 0);
            init.visitIntInsn(BIPUSH, k);
            init.visitInsn(AALOAD);
            init.visitTypeInsn(CHECKCAST, t.getInternalName());
            init.visitFieldInsn(PUTSTATIC, NAME, "c" + k, t.getDescriptor());
        }
        init.visitInsn(RETURN);
        init.visitMaxs(0, 0);
        init.visitEnd();
    }

    private static void constructor(ClassWriter type) {
        MethodVisitor init = type.visitMethod(0, "<init>", "()V", null, null);
        init.visitCode();
        init.visitVarInsn(ALOAD, 0);
        init.visitMethodInsn(INVOKESPECIAL, RUN, "<init>", "()V", false);
        init.visitInsn(RETURN);
        init.visitMaxs(0, 0);
        init.visitEnd();
    }

    private void body() {
        int from = 0;
        int last = block.code.length - 1;
        for (int k = 0; k <= last; k++) {
            Insn i = block.code[k];
            int to = from + i.length;
            boolean silent = block.forms[k] != null && Forms.silent(i);
            if (!silent) {
                at(k);
            }
            if (!silent || i.base == Insn.RIP || k == last) {
                next(to);
            }
            if (block.forms[k] == null) {
                step(k, from);
            } else {
                code.visitFieldInsn(GETSTATIC, NAME, "c" + k, Type.getDescriptor(Form.class));
                code.visitVarInsn(ALOAD, THE_CORE);
                code.visitMethodInsn(INVOKEINTERFACE, FORM, "run", "(L" + CORE + ";)V", true);
            }
            if (k == last) {
                answer(k + 1);
            } else if (!silent) {
                code.visitVarInsn(ALOAD, THE_CORE);
                code.visitMethodInsn(INVOKEVIRTUAL, CORE, "due", "()Z", false);
                Label go = new Label();
                code.visitJumpInsn(IFEQ, go);
                answer(k + 1);
                land(go);
            }
            from = to;
        }
    }

    private void step(int k, int from) {
        code.visitVarInsn(ALOAD, THE_CORE);
        code.visitVarInsn(ALOAD, THE_INTERPRETER);
        code.visitFieldInsn(GETSTATIC, NAME, "c" + k, Type.getDescriptor(Insn.class));
        address(from);
        code.visitMethodInsn(INVOKESTATIC, RUN, "step", STEP, false);
        Label go = new Label();
        code.visitJumpInsn(IFNE, go);
        next(from);
        answer(k);
        land(go);
    }

    private void land(Label label) {
        code.visitLabel(label);
        code.visitFrame(F_SAME, 0, null, 0, null);
    }

    private void answer(int retired) {
        code.visitIntInsn(BIPUSH, retired);
        code.visitInsn(IRETURN);
    }

    private void at(int k) {
        code.visitVarInsn(ALOAD, THE_CORE);
        code.visitIntInsn(BIPUSH, k);
        code.visitFieldInsn(PUTFIELD, CORE, "at", "I");
    }

    private void next(int offset) {
        code.visitVarInsn(ALOAD, THE_CORE);
        address(offset);
        code.visitFieldInsn(PUTFIELD, CORE, "next", "J");
    }

    private void address(int offset) {
        code.visitVarInsn(LLOAD, RIP);
        code.visitLdcInsn((long) offset);
        code.visitInsn(LADD);
        if (block.bits != 64) {
            code.visitLdcInsn(0xffff_ffffL);
            code.visitInsn(LAND);
        }
    }
}
