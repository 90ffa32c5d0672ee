package org.penumbra.cpu.table;

/** What instructions do, by the names that the table uses. Rows that differ in their operands only have one operation. */
public enum Op {
    // What most code consists of.
    ADD(Group.ALU), OR(Group.ALU), ADC(Group.ALU), SBB(Group.ALU), AND(Group.ALU), SUB(Group.ALU), XOR(Group.ALU),
    CMP(Group.ALU), TEST(Group.ALU), NOT(Group.ALU), NEG(Group.ALU), INC(Group.ALU), DEC(Group.ALU), MOV(Group.ALU),
    MOVZX(Group.ALU), MOVSX(Group.ALU), LEA(Group.ALU), J(Group.ALU), JMP(Group.ALU), CALL(Group.ALU), RET(Group.ALU),
    PUSH(Group.ALU), POP(Group.ALU), NOP(Group.ALU), CMOV(Group.ALU), SET(Group.ALU), JMP_IND(Group.ALU),
    CALL_IND(Group.ALU), XCHG(Group.ALU), LEAVE(Group.ALU), CBW(Group.ALU), CWD(Group.ALU), IMUL(Group.ALU),
    IMUL3(Group.ALU), PAUSE(Group.ALU),
    // Shifts and rotations.
    ROL(Group.SHIFT), ROR(Group.SHIFT), RCL(Group.SHIFT), RCR(Group.SHIFT), SHL(Group.SHIFT), SHR(Group.SHIFT),
    SAR(Group.SHIFT), SHLD(Group.SHIFT), SHRD(Group.SHIFT),
    // Bits, BMI, ADX, byte order and compare-and-exchange.
    BT(Group.BITS), BTS(Group.BITS), BTR(Group.BITS), BTC(Group.BITS), TZCNT(Group.BITS), LZCNT(Group.BITS),
    BSF(Group.BITS), BSR(Group.BITS), POPCNT(Group.BITS), ADCX(Group.BITS), ADOX(Group.BITS), ANDN(Group.BITS),
    BLSR(Group.BITS), BLSMSK(Group.BITS), BLSI(Group.BITS), BEXTR(Group.BITS), BZHI(Group.BITS), PEXT(Group.BITS),
    PDEP(Group.BITS), MULX(Group.BITS), RORX(Group.BITS), SHLX(Group.BITS), SARX(Group.BITS), SHRX(Group.BITS),
    BSWAP(Group.BITS), MOVBE(Group.BITS), XADD(Group.BITS), CMPXCHG(Group.BITS), CMPXCHG8B(Group.BITS),
    // The rest of the integer set.
    MUL(Group.MISC), IMUL1(Group.MISC), DIV(Group.MISC), IDIV(Group.MISC), DAA(Group.MISC), DAS(Group.MISC),
    AAA(Group.MISC), AAS(Group.MISC), AAM(Group.MISC), AAD(Group.MISC), XLAT(Group.MISC), SAHF(Group.MISC),
    LAHF(Group.MISC), PUSHA(Group.MISC), POPA(Group.MISC), PUSHF(Group.MISC), POPF(Group.MISC), ENTER(Group.MISC),
    LOOPNE(Group.MISC), LOOPE(Group.MISC), LOOP(Group.MISC), JCXZ(Group.MISC), BOUND(Group.MISC), CMC(Group.MISC),
    CLC(Group.MISC), STC(Group.MISC), CLD(Group.MISC), STD(Group.MISC), CLI(Group.MISC), STI(Group.MISC),
    FWAIT(Group.MISC), CLFLUSH(Group.MISC), RDPID(Group.MISC), UD2(Group.MISC), UD1(Group.MISC), UD0(Group.MISC),
    // Strings.
    MOVS(Group.STRING), CMPS(Group.STRING), STOS(Group.STRING), LODS(Group.STRING), SCAS(Group.STRING),
    INS(Group.STRING), OUTS(Group.STRING),
    // System instructions and far transfers.
    MOV_FROM_SEG(Group.SYSTEM), MOV_TO_SEG(Group.SYSTEM), PUSH_SEG(Group.SYSTEM), POP_SEG(Group.SYSTEM),
    CALL_FAR(Group.SYSTEM), JMP_FAR(Group.SYSTEM), RET_FAR(Group.SYSTEM), INT3(Group.SYSTEM), INT(Group.SYSTEM),
    INTO(Group.SYSTEM), IRET(Group.SYSTEM), INT1(Group.SYSTEM), SYSCALL(Group.SYSTEM), SYSRET(Group.SYSTEM),
    SYSENTER(Group.SYSTEM), SYSEXIT(Group.SYSTEM), IN(Group.SYSTEM), OUT(Group.SYSTEM), CPUID(Group.SYSTEM),
    HLT(Group.SYSTEM), WRMSR(Group.SYSTEM), RDMSR(Group.SYSTEM), RDTSC(Group.SYSTEM), RDTSCP(Group.SYSTEM),
    MOV_FROM_CR(Group.SYSTEM), MOV_TO_CR(Group.SYSTEM), MOV_FROM_DR(Group.SYSTEM), MOV_TO_DR(Group.SYSTEM),
    CLTS(Group.SYSTEM), INVD(Group.SYSTEM), WBINVD(Group.SYSTEM), VMCALL(Group.SYSTEM), CLAC(Group.SYSTEM),
    STAC(Group.SYSTEM), RDPKRU(Group.SYSTEM), WRPKRU(Group.SYSTEM), SWAPGS(Group.SYSTEM), SGDT(Group.SYSTEM),
    SIDT(Group.SYSTEM), LGDT(Group.SYSTEM), LIDT(Group.SYSTEM), INVLPG(Group.SYSTEM), SMSW(Group.SYSTEM),
    LMSW(Group.SYSTEM), SLDT(Group.SYSTEM), STR(Group.SYSTEM), LLDT(Group.SYSTEM), LTR(Group.SYSTEM), VERR(Group.SYSTEM),
    VERW(Group.SYSTEM), LAR(Group.SYSTEM), LSL(Group.SYSTEM), ARPL(Group.SYSTEM), INVPCID(Group.SYSTEM),
    RDFSBASE(Group.SYSTEM), RDGSBASE(Group.SYSTEM), WRFSBASE(Group.SYSTEM), WRGSBASE(Group.SYSTEM), LES(Group.SYSTEM),
    LDS(Group.SYSTEM), LSS(Group.SYSTEM), LFS(Group.SYSTEM), LGS(Group.SYSTEM),
    // XMM registers.
    MOVX(Group.SSE), MOVS_X(Group.SSE), MOVQ_X(Group.SSE), MOVD_TO_X(Group.SSE), MOVD_FROM_X(Group.SSE),
    MOVHL(Group.SSE), MOVLH(Group.SSE), MOVL_LOAD(Group.SSE), MOVL_STORE(Group.SSE), MOVH_LOAD(Group.SSE),
    MOVH_STORE(Group.SSE), MOVMSK(Group.SSE), AND_X(Group.SSE), ANDN_X(Group.SSE), OR_X(Group.SSE), XOR_X(Group.SSE),
    PADD(Group.SSE), PSUB(Group.SSE), PADDS(Group.SSE), PADDUS(Group.SSE), PSUBS(Group.SSE), PSUBUS(Group.SSE),
    PCMPEQ(Group.SSE), PCMPGT(Group.SSE), PMULL(Group.SSE), PMULH(Group.SSE), PMULHU(Group.SSE), PMULUDQ(Group.SSE),
    PMADD(Group.SSE), PAVG(Group.SSE), PMINU(Group.SSE), PMAXU(Group.SSE), PMINS(Group.SSE), PMAXS(Group.SSE),
    PSAD(Group.SSE), PSRL(Group.SSE), PSRA(Group.SSE), PSLL(Group.SSE), PSRLDQ(Group.SSE), PSLLDQ(Group.SSE),
    UNPCKL(Group.SSE), UNPCKH(Group.SSE), PACKSS(Group.SSE), PACKUS(Group.SSE), PSHUFD(Group.SSE), PSHUFHW(Group.SSE),
    PSHUFLW(Group.SSE), PINSRW(Group.SSE), PEXTRW(Group.SSE), SHUF_X(Group.SSE), SQRT_F(Group.SSE), ADD_F(Group.SSE),
    MUL_F(Group.SSE), SUB_F(Group.SSE), MIN_F(Group.SSE), DIV_F(Group.SSE), MAX_F(Group.SSE), CMP_F(Group.SSE),
    COMIS(Group.SSE), CVTSI(Group.SSE), CVTTSI(Group.SSE), CVT_F(Group.SSE), CVTDQ(Group.SSE), CVT_TO_DQ(Group.SSE),
    // State of SSE and x87.
    FXSAVE(Group.STATE), FXRSTOR(Group.STATE), LDMXCSR(Group.STATE), STMXCSR(Group.STATE), FNINIT(Group.STATE),
    FNCLEX(Group.STATE), FLDCW(Group.STATE), FNSTCW(Group.STATE), FNSTSW(Group.STATE),
    // Not in the table: no instruction, and one of more than 15 bytes.
    UNDEFINED(Group.SYSTEM), TOO_LONG(Group.SYSTEM);

    /** Which part of the interpreter executes it. */
    public enum Group { ALU, SHIFT, BITS, MISC, STRING, SYSTEM, SSE, STATE }

    public final Group group;

    Op(Group group) {
        this.group = group;
    }
}
