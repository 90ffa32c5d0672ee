/* A multiboot kernel that boots with five levels of paging and uses addresses that four do not have. Build it with ./build. */
	.set LEVELS, 5
#include "long.inc"
	.set HIGH, 0x0100000000000000		/* bit 56 is the sign: not canonical */
	.set FAR, 0x00a0000000000000		/* entry 160 of the PML5 */

main:	movq %cr4, %rax
	andq $0x1000, %rax
	cmpq $0x1000, %rax
	CHECK "CR4.LA57"
	movabsq $FAR + 0x1000, %rbx
	TRY movq (%rbx), %rcx
	EXPECT 14, 0, "page fault above 47 bits"
	movq %cr2, %rax
	cmpq %rbx, %rax
	CHECK "CR2 above 47 bits"
	movq $far_pml4 + 7, pml5 + 8 * 160(%rip)
	movq $far_pdpt + 7, far_pml4(%rip)
	movq $far_pd + 7, far_pdpt(%rip)
	movq $far_pt + 7, far_pd(%rip)
	movq $frame1 + 3, far_pt + 8(%rip)
	movq $0x1234, %rax
	movq %rax, frame1(%rip)
	TRY movq (%rbx), %rcx
	cmpq $0x1234, %rcx
	CHECK "a page above 47 bits"
	movq pml5 + 8 * 160(%rip), %rax
	andl $0x20, %eax
	cmpl $0x20, %eax
	CHECK "accessed in the PML5"
	movq far_pt + 8(%rip), %rax
	andl $0x60, %eax
	cmpl $0x20, %eax
	CHECK "accessed, not dirty"
	movq %rbx, (%rbx)
	cmpq %rbx, frame1(%rip)
	CHECK "a store above 47 bits"
	movq $far_pml4, %rax			/* read-only by its PML5 entry */
	orq $1, %rax
	movq %rax, pml5 + 8 * 160(%rip)
	invlpg (%rbx)
	TRY movq %rcx, (%rbx)
	EXPECT 14, 3, "a PML5 entry that is read-only"
	movabsq $-0x00a0000000000000, %rax
	movq $far_pml4 + 7, pml5 + 8 * (512 - 160)(%rip)
	TRY movq 0x1000(%rax), %rcx
	cmpq %rbx, %rcx
	CHECK "the upper half"
	movabsq $HIGH, %rbx
	TRY movq (%rbx), %rcx
	EXPECT 13, 0, "not canonical by 57 bits"
	movabsq $0x0000800000000000, %rbx
	TRY movq (%rbx), %rcx
	EXPECT 14, 0, "canonical by 57 bits, not by 48"
	movq %cr4, %rax
	andq $~0x1000, %rax
	TRY movq %rax, %cr4
	EXPECT 13, 0, "LA57 does not change in long mode"

	/* the same tables from the other end: code at an address above 47 bits */
	movq $far_pml4 + 7, pml5 + 8 * 160(%rip)
	movabsq $FAR + 0x1000, %rbx
	invlpg (%rbx)
	movb $0xc3, frame1(%rip)
	TRY call *%rbx
	cmpq $-1, %r12
	CHECK "code above 47 bits"
	jmp finish

	.section .bss
	.align PAGE
far_pml4:
	.skip PAGE
far_pdpt:
	.skip PAGE
far_pd:	.skip PAGE
far_pt:	.skip PAGE
frame1:	.skip PAGE
