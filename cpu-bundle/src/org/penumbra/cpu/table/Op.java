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
    BSWAP(Group.BITS), MOVBE(Group.BITS), XADD(Group.BITS), CMPXCHG(Group.BITS), CMPXCHG8B(Group.BITS), CRC32(Group.BITS),
    // The rest of the integer set.
    MUL(Group.MISC), IMUL1(Group.MISC), DIV(Group.MISC), IDIV(Group.MISC), DAA(Group.MISC), DAS(Group.MISC),
    AAA(Group.MISC), AAS(Group.MISC), AAM(Group.MISC), AAD(Group.MISC), XLAT(Group.MISC), SALC(Group.MISC), SAHF(Group.MISC),
    LAHF(Group.MISC), PUSHA(Group.MISC), POPA(Group.MISC), PUSHF(Group.MISC), POPF(Group.MISC), ENTER(Group.MISC),
    LOOPNE(Group.MISC), LOOPE(Group.MISC), LOOP(Group.MISC), JCXZ(Group.MISC), BOUND(Group.MISC), CMC(Group.MISC),
    CLC(Group.MISC), STC(Group.MISC), CLD(Group.MISC), STD(Group.MISC), CLI(Group.MISC), STI(Group.MISC),
    CLFLUSH(Group.MISC), RDPID(Group.MISC), UD2(Group.MISC), UD1(Group.MISC), UD0(Group.MISC),
    // Strings.
    MOVS(Group.STRING), CMPS(Group.STRING), STOS(Group.STRING), LODS(Group.STRING), SCAS(Group.STRING),
    INS(Group.STRING), OUTS(Group.STRING),
    // System instructions and far transfers.
    MOV_FROM_SEG(Group.SYSTEM), MOV_TO_SEG(Group.SYSTEM), PUSH_SEG(Group.SYSTEM), POP_SEG(Group.SYSTEM),
    CALL_FAR(Group.SYSTEM), JMP_FAR(Group.SYSTEM), RET_FAR(Group.SYSTEM), INT3(Group.SYSTEM), INT(Group.SYSTEM),
    INTO(Group.SYSTEM), IRET(Group.SYSTEM), INT1(Group.SYSTEM), SYSCALL(Group.SYSTEM), SYSRET(Group.SYSTEM),
    SYSENTER(Group.SYSTEM), SYSEXIT(Group.SYSTEM), IN(Group.SYSTEM), OUT(Group.SYSTEM), CPUID(Group.SYSTEM),
    HLT(Group.SYSTEM), WRMSR(Group.SYSTEM), RDMSR(Group.SYSTEM), RDTSC(Group.SYSTEM), RDTSCP(Group.SYSTEM), RDPMC(Group.SYSTEM),
    MOV_FROM_CR(Group.SYSTEM), MOV_TO_CR(Group.SYSTEM), MOV_FROM_DR(Group.SYSTEM), MOV_TO_DR(Group.SYSTEM),
    CLTS(Group.SYSTEM), INVD(Group.SYSTEM), WBINVD(Group.SYSTEM), VMCALL(Group.SYSTEM), CLAC(Group.SYSTEM),
    STAC(Group.SYSTEM), RDPKRU(Group.SYSTEM), XGETBV(Group.SYSTEM), XSETBV(Group.SYSTEM), WRPKRU(Group.SYSTEM), SWAPGS(Group.SYSTEM), SGDT(Group.SYSTEM),
    SIDT(Group.SYSTEM), LGDT(Group.SYSTEM), LIDT(Group.SYSTEM), INVLPG(Group.SYSTEM), SMSW(Group.SYSTEM),
    LMSW(Group.SYSTEM), SLDT(Group.SYSTEM), STR(Group.SYSTEM), LLDT(Group.SYSTEM), LTR(Group.SYSTEM), VERR(Group.SYSTEM),
    VERW(Group.SYSTEM), LAR(Group.SYSTEM), LSL(Group.SYSTEM), ARPL(Group.SYSTEM), INVPCID(Group.SYSTEM),
    RDFSBASE(Group.SYSTEM), RDGSBASE(Group.SYSTEM), WRFSBASE(Group.SYSTEM), WRGSBASE(Group.SYSTEM), LES(Group.SYSTEM),
    LDS(Group.SYSTEM), LSS(Group.SYSTEM), LFS(Group.SYSTEM), LGS(Group.SYSTEM),
    // Vector registers: moves.
    MOVX(Group.MOVES), MOVS_X(Group.MOVES), MOVQ_X(Group.MOVES), MOVD_TO_X(Group.MOVES), MOVD_FROM_X(Group.MOVES),
    MOVHL(Group.MOVES), MOVLH(Group.MOVES), MOVL_LOAD(Group.MOVES), MOVL_STORE(Group.MOVES), MOVH_LOAD(Group.MOVES),
    MOVH_STORE(Group.MOVES), MOVMSK(Group.MOVES),
    // Integer elements, each for itself.
    AND_X(Group.LANES), ANDN_X(Group.LANES), OR_X(Group.LANES), XOR_X(Group.LANES), PADD(Group.LANES), PSUB(Group.LANES),
    PADDS(Group.LANES), PADDUS(Group.LANES), PSUBS(Group.LANES), PSUBUS(Group.LANES), PCMPEQ(Group.LANES), PCMPGT(Group.LANES),
    PMULL(Group.LANES), PMULH(Group.LANES), PMULHU(Group.LANES), PMULUDQ(Group.LANES), PMULDQ(Group.LANES), PMADD(Group.LANES),
    PMADDUB(Group.LANES), PMULHRS(Group.LANES), PAVG(Group.LANES), PMINU(Group.LANES), PMAXU(Group.LANES), PMINS(Group.LANES),
    PMAXS(Group.LANES), PSAD(Group.LANES), PABS(Group.LANES), PSIGN(Group.LANES), PSRL(Group.LANES), PSRA(Group.LANES),
    PSLL(Group.LANES), VSHIFT_R(Group.LANES), VSHIFT_A(Group.LANES), VSHIFT_L(Group.LANES),
    // Elements across places.
    PSRLDQ(Group.SHUFFLES), PSLLDQ(Group.SHUFFLES), UNPCKL(Group.SHUFFLES), UNPCKH(Group.SHUFFLES), PACKSS(Group.SHUFFLES),
    PACKUS(Group.SHUFFLES), PSHUFB(Group.SHUFFLES), PSHUFD(Group.SHUFFLES), PSHUFHW(Group.SHUFFLES), PSHUFLW(Group.SHUFFLES),
    PALIGNR(Group.SHUFFLES), PINSR(Group.SHUFFLES), SHUF_X(Group.SHUFFLES), MOVDUP(Group.SHUFFLES), MOVDUP_H(Group.SHUFFLES),
    PHADD(Group.SHUFFLES), PHADDS(Group.SHUFFLES), PHSUB(Group.SHUFFLES), PHSUBS(Group.SHUFFLES), BLEND(Group.SHUFFLES),
    BLENDV(Group.SHUFFLES), PMOVSX(Group.SHUFFLES), PMOVZX(Group.SHUFFLES), PHMINPOS(Group.SHUFFLES), MPSADBW(Group.SHUFFLES),
    INSERTPS(Group.SHUFFLES), VBROADCAST(Group.SHUFFLES), VINSERT128(Group.SHUFFLES), VEXTRACT128(Group.SHUFFLES),
    VPERM2_128(Group.SHUFFLES), VPERMIL(Group.SHUFFLES), VPERMIL_I(Group.SHUFFLES), VPERM(Group.SHUFFLES),
    VPERM_I(Group.SHUFFLES),
    // Strings, tests, extraction: the result is not a vector alone.
    PCMPSTR(Group.TEXT), PTEST(Group.TEXT), VTEST(Group.TEXT), PEXTR(Group.TEXT),
    // Masks, gathers, clearing.
    MASKMOV(Group.MASKS), VMASK_LOAD(Group.MASKS), VMASK_STORE(Group.MASKS), VGATHER_D(Group.MASKS), VGATHER_Q(Group.MASKS),
    EMMS(Group.MASKS), VZEROUPPER(Group.MASKS), VZEROALL(Group.MASKS),
    // AES and carry-less multiplication.
    AESENC(Group.CRYPTO), AESENCLAST(Group.CRYPTO), AESDEC(Group.CRYPTO), AESDECLAST(Group.CRYPTO), AESIMC(Group.CRYPTO),
    AESKEYGEN(Group.CRYPTO), PCLMULQDQ(Group.CRYPTO),
    // Floating-point elements.
    SQRT_F(Group.FLOATS), ADD_F(Group.FLOATS), MUL_F(Group.FLOATS), SUB_F(Group.FLOATS), MIN_F(Group.FLOATS),
    DIV_F(Group.FLOATS), MAX_F(Group.FLOATS), CMP_F(Group.FLOATS), ADDSUB_F(Group.FLOATS), HADD_F(Group.FLOATS),
    HSUB_F(Group.FLOATS), RCP_F(Group.FLOATS), RSQRT_F(Group.FLOATS), ROUND_F(Group.FLOATS), DP_F(Group.FLOATS),
    COMIS(Group.FLOATS), CVTSI(Group.FLOATS), CVTTSI(Group.FLOATS), CVT_F(Group.FLOATS), CVTDQ(Group.FLOATS),
    CVT_TO_DQ(Group.FLOATS), CVTPI(Group.FLOATS), CVT_TO_PI(Group.FLOATS),
    // State of SSE and x87.
    FXSAVE(Group.STATE), XSAVE(Group.STATE), XSAVEOPT(Group.STATE), XRSTOR(Group.STATE), FXRSTOR(Group.STATE), LDMXCSR(Group.STATE), STMXCSR(Group.STATE),
    // x87: its state as a whole.
    FWAIT(Group.X87_STATE), FNINIT(Group.X87_STATE), FNCLEX(Group.X87_STATE), FLDCW(Group.X87_STATE), FNSTCW(Group.X87_STATE),
    FNSTSW(Group.X87_STATE), FNSTENV(Group.X87_STATE), FNSAVE(Group.X87_STATE), FLDENV(Group.X87_STATE), FRSTOR(Group.X87_STATE),
    // x87: numbers.
    FADD(Group.X87), FSUB(Group.X87), FSUBR(Group.X87), FMUL(Group.X87), FDIV(Group.X87), FDIVR(Group.X87), FLD(Group.X87),
    FST(Group.X87), FISTTP(Group.X87), FCOM(Group.X87), FUCOM(Group.X87), FCOMI(Group.X87), FUCOMI(Group.X87), FTST(Group.X87),
    FXAM(Group.X87), FBLD(Group.X87), FBSTP(Group.X87), FXCH(Group.X87), FCMOV(Group.X87), FCHS(Group.X87), FABS(Group.X87),
    FSQRT(Group.X87), FRNDINT(Group.X87), FCONST(Group.X87), FFREE(Group.X87), FINCSTP(Group.X87), FDECSTP(Group.X87),
    FNOP(Group.X87), FPREM(Group.X87), FPREM1(Group.X87), FSCALE(Group.X87), FXTRACT(Group.X87), F2XM1(Group.X87),
    FYL2X(Group.X87), FYL2XP1(Group.X87), FPTAN(Group.X87), FPATAN(Group.X87), FSIN(Group.X87), FCOS(Group.X87),
    FSINCOS(Group.X87),
    // Not in the table: no instruction, and one of more than 15 bytes.
    UNDEFINED(Group.SYSTEM), TOO_LONG(Group.SYSTEM);

    /** Which part of the interpreter executes it. */
    public enum Group {
        ALU, SHIFT, BITS, MISC, STRING, SYSTEM, MOVES, LANES, SHUFFLES, TEXT, MASKS, CRYPTO, FLOATS, STATE, X87_STATE, X87
    }

    public final Group group;

    Op(Group group) {
        this.group = group;
    }
}
