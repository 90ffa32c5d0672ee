/*
 * A multiboot kernel of 32 bits, without paging, that tests the state of x87, MMX and vector registers: XSETBV, XSAVE and XRSTOR, and sums that stay in
 * registers for long. It writes a line for each check to the serial port, and the number of failed checks to port 0xf4. Build it with ./build.
 */
#define BITS 32
#include "check.inc"
	.set ROUNDS, 2000

	.section .boot, "ax"
	.code32
start:	cli
	movl $stack_top, %esp
	movl %cr4, %eax
	orl $0x40600, %eax		/* OSFXSR, OSXMMEXCPT, OSXSAVE */
	movl %eax, %cr4
	movl $1, %eax
	cpuid
	andl $0x1c000000, %ecx		/* XSAVE, OSXSAVE, AVX */
	cmpl $0x1c000000, %ecx
	CHECK "CPUID has AVX, and OSXSAVE follows CR4"

	xorl %ecx, %ecx
	xorl %edx, %edx
	movl $7, %eax
	xsetbv
	xorl %eax, %eax
	xgetbv
	cmpl $7, %eax
	CHECK "XSETBV and XGETBV"
	movl $0xd, %eax
	xorl %ecx, %ecx
	cpuid
	cmpl $832, %ebx
	CHECK "CPUID's size of the area follows XCR0"

	/* Sums in YMM, MMX and x87 registers at once, with their results known. */
	fninit
	fldz
	fld1
	vpxor %ymm0, %ymm0, %ymm0
	vpcmpeqd %ymm1, %ymm1, %ymm1
	vpsrld $31, %ymm1, %ymm1
	movl $ROUNDS, %ecx
1:	vpaddd %ymm1, %ymm0, %ymm0
	fadd %st, %st(1)
	loop 1b
	movl $ROUNDS, %eax
	vmovd %eax, %xmm2
	vpbroadcastd %xmm2, %ymm2
	vpxor %ymm2, %ymm0, %ymm3
	vptest %ymm3, %ymm3
	CHECK "a sum in a YMM register"
	movl %eax, number
	fildl number
	fcomip %st(2), %st
	CHECK "a sum in an x87 register"

	/* What XSAVE has kept comes back after everything is cleared, each round with another value. */
	movl $ROUNDS / 10, %ebx
2:	vmovd %ebx, %xmm5
	vpbroadcastd %xmm5, %ymm5
	movl %ebx, number
	fninit
	fildl number
	fsqrt
	movl $-1, %eax
	movl $-1, %edx
	xsave area
	vzeroall
	fninit
	movl $-1, %eax
	movl $-1, %edx
	xrstor area
	vmovd %ebx, %xmm6
	vpbroadcastd %xmm6, %ymm6
	vpxor %ymm5, %ymm6, %ymm6
	vptest %ymm6, %ymm6
	jnz 3f
	fmul %st, %st
	fistpl number
	cmpl %ebx, number
	jne 3f
	decl %ebx
	jnz 2b
3:	CHECK "XSAVE and XRSTOR"
	cmpl $7, area + 512
	CHECK "XSTATE_BV"

	/* 1 + 2 + … + 100 in four words of an MMX register. */
	pxor %mm0, %mm0
	pxor %mm1, %mm1
	movq ones, %mm2
	movl $100, %ecx
4:	paddw %mm2, %mm1
	paddw %mm1, %mm0
	loop 4b
	movd %mm0, %eax
	emms
	cmpl $0x13ba13ba, %eax
	CHECK "a sum in an MMX register"

	/* A third, rounded by MXCSR to each side, with its flag. */
	movl $0x3f800000, %eax
	vmovd %eax, %xmm0
	movl $0x40400000, %eax
	vmovd %eax, %xmm1
	ldmxcsr down
	vdivss %xmm1, %xmm0, %xmm2
	ldmxcsr upwards
	vdivss %xmm1, %xmm0, %xmm3
	vmovd %xmm2, %eax
	vmovd %xmm3, %edx
	subl %eax, %edx
	cmpl $1, %edx
	CHECK "rounding by MXCSR"
	stmxcsr number
	cmpl $0x5fa0, number
	CHECK "the inexact flag"

	jmp finish

	.section .data
	.align 64
area:	.fill 832
	.align 8
ones:	.quad 0x0001000100010001
number:	.long 0
down:	.long 0x3f80
upwards: .long 0x5f80

	.section .bss
	.align 16
	.skip 4096
stack_top:
