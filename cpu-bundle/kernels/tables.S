/*
 * A multiboot kernel that does little but edit page tables and use what they map: 512 pages, each mapped to another frame in each round, invalidated,
 * written and read. A measure of speed. Build it with ./build.
 */
	.set LEVELS, 4
#include "long.inc"
	.set ROUNDS, 20000
	.set PAGES, 512
	.set FRAMES, 0x800000			/* 512 frames above 8 MiB */
	.set WINDOW, 0x40000000

main:	movq $window_pd + 3, pdpt + 8(%rip)
	movq $window_pt + 3, window_pd(%rip)
	xorl %ebp, %ebp				/* wrong values */
	xorl %ebx, %ebx				/* round */
1:	xorl %ecx, %ecx				/* page */
	movl $WINDOW, %edi
2:	leal (%rcx, %rbx), %eax			/* frame: page + round, modulo 512 */
	andl $PAGES - 1, %eax
	shll $12, %eax
	addl $FRAMES + 3, %eax
	movq %rax, window_pt(, %rcx, 8)
	invlpg (%rdi)
	movq %rax, (%rdi)
	movq (%rdi), %rdx
	subq %rax, %rdx
	orq %rdx, %rbp
	addl $PAGE, %edi
	incl %ecx
	cmpl $PAGES, %ecx
	jne 2b
	movq %cr3, %rax
	movq %rax, %cr3
	incl %ebx
	cmpl $ROUNDS, %ebx
	jne 1b
	testq %rbp, %rbp
	CHECK "each page holds what was written"
	movq FRAMES + (ROUNDS - 1) % PAGES * PAGE, %rax
	cmpq $FRAMES + 3 + (ROUNDS - 1) % PAGES * PAGE, %rax
	CHECK "page 0 is in the frame of the last round"
	jmp finish

	.section .bss
	.align PAGE
window_pd:
	.skip PAGE
window_pt:
	.skip PAGE
