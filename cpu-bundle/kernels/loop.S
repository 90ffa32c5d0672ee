/* A multiboot kernel that executes a loop of 13 instructions on registers 20 million times: a measure of speed. Build it with ./build. */
	.set LEVELS, 4
#include "long.inc"
	.set ROUNDS, 20000000

main:	movl $ROUNDS, %ecx
	xorl %ebx, %ebx
	xorl %edx, %edx
	xorl %edi, %edi
	xorl %r8d, %r8d
1:	movq %rbx, %rax
	addq %rcx, %rax
	xorq %rax, %rdx
	shlq $3, %rdx
	andq $0xffff, %rdx
	leaq (%rdx, %rax, 2), %rsi
	subq %rsi, %rdi
	orq %rdi, %r8
	movzbl %dl, %r9d
	incq %rbx
	cmpq %r8, %rdi
	decq %rcx
	jnz 1b
	cmpq $ROUNDS, %rbx
	CHECK "rounds"
	jmp finish
