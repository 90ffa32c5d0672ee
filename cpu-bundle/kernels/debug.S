/*
 * A multiboot kernel that tests breakpoints of the debug registers, and single steps over instructions that a hypervisor executes. Build it with
 * ./build.
 */
	.set LEVELS, 4
#include "long.inc"
	.set WINDOW, 0x800000			/* 2 MiB that the second half of this kernel maps by pages */

	.macro DR number, value
	movl $\value, %eax
	movq %rax, %dr\number
	.endm
	.macro ARM value
	xorl %eax, %eax
	movq %rax, %dr6
	movl $0, hits(%rip)
	DR 7, \value
	.endm

/* No breakpoints; ZF says whether there were COUNT exceptions, the last of them with BITS of DR6 and at the label AT. */
	.macro MET count, bits, at
	DR 7, 0x400
	cmpl $\count, hits(%rip)
	jne 4f
	movl last_dr6(%rip), %eax
	andl $0xe00f, %eax
	cmpl $\bits, %eax
	jne 4f
	leaq \at(%rip), %rax
	cmpq %rax, last_rip(%rip)
4:
	.endm

/* Single steps from here on; as many exceptions as there are instructions up to the POPFQ that ends it, that one included. */
	.macro STEP
	xorl %eax, %eax
	movq %rax, %dr6
	movl $0, hits(%rip)
	pushfq
	pushfq
	orq $0x100, (%rsp)
	popfq
	.endm
	.macro STEPPED count
	popfq
1:	cmpl $\count + 1, hits(%rip)
	.endm

main:	HANDLE 1, on_debug
	/* execution */
	leaq here(%rip), %rax
	movq %rax, %dr0
	ARM 0x401
	nop
here:	nop
	nop
	MET 1, 1, here
	CHECK "a breakpoint at an instruction"
	movl last_flags(%rip), %eax
	andl $0x10000, %eax
	cmpl $0x10000, %eax
	CHECK "RF in its frame"
	ARM 0x401
	movl $3, %ecx
	jmp 2f
3:	jmp here2
2:	leaq here2(%rip), %rax
	movq %rax, %dr0
here2:	decl %ecx
	jnz 3b
	MET 3, 1, here2
	CHECK "a breakpoint in a loop"

	/* DR6: B3 to B0 are those of the last exception, the others stay until software clears them */
	leaq here3(%rip), %rax
	movq %rax, %dr0
	ARM 0x401
	movl $0x4002, %eax
	movq %rax, %dr6
here3:	nop
	MET 1, 0x4001, here3
	CHECK "DR6 keeps BS and no breakpoint of before"

	/* data: writes of the four bytes at "word" */
	leaq word(%rip), %rax
	movq %rax, %dr1
	ARM 0x00d00404
	movl $1, word(%rip)
after_write:
	nop
	MET 1, 2, after_write
	CHECK "a breakpoint at a write, after it"
	cmpl $1, word(%rip)
	CHECK "the write is made"
	ARM 0x00d00404
	movl word(%rip), %ecx
	movb $1, word + 4(%rip)
	movb $1, word - 1(%rip)
	cmpl $0, hits(%rip)
	CHECK "neither reads nor the bytes around"
	movw $1, word + 3(%rip)
after_partial:
	nop
	MET 1, 2, after_partial
	CHECK "a write that overlaps"
	ARM 0x00f00404
	movl word(%rip), %ecx
after_read:
	nop
	MET 1, 2, after_read
	CHECK "a breakpoint at reads and writes"
	leaq source(%rip), %rsi
	leaq word(%rip), %rdi
	movl $8, %ecx
	ARM 0x00d00404
	rep movsb
	DR 7, 0x400
	cmpl $0, hits(%rip)
	setz %al
	testb %al, %al
	CHECK "a string instruction meets it"

	/* ports, with CR4.DE */
	movq %cr4, %rax
	orq $8, %rax
	movq %rax, %cr4
	movl $0x80, %eax
	movq %rax, %dr2
	ARM 0x02000410
	outb %al, $0x80
after_out:
	nop
	MET 1, 4, after_out
	CHECK "a breakpoint at a port"
	ARM 0x02000410
	outb %al, $0x81
	inb $0x80, %al
after_in:
	nop
	MET 1, 4, after_in
	CHECK "IN meets it, another port does not"
	TRY movq %dr4, %rcx
	EXPECT 6, 0, "no DR4 with CR4.DE"
	movq %cr4, %rax
	andq $~8, %rax
	movq %rax, %cr4
	movq %dr6, %rax
	movq %dr4, %rcx
	cmpq %rax, %rcx
	CHECK "DR4 is DR6 without"

	/* general detect */
	ARM 0x2400
detected:
	movq %dr3, %rcx
	cmpl $1, hits(%rip)
	CHECK "an access to debug registers with DR7.GD"
	movl last_dr6(%rip), %eax
	andl $0xe00f, %eax
	cmpl $0x2000, %eax
	CHECK "DR6.BD"
	movq %dr7, %rax
	andl $0x2000, %eax
	CHECK "DR7.GD is cleared for the handler"

	/* single steps, over what exits and what is emulated */
	STEP
	nop
	nop
	STEPPED 2
	CHECK "single steps"
	STEP
	movl $1, %eax
	cpuid
	movl $0xc0000080, %ecx
	rdmsr
	inb $0x80, %al
	outb %al, $0x80
	STEPPED 6
	CHECK "single steps over instructions that exit"
	STEP
	movq %cr3, %rax
	movq %rax, %cr3
	movq %cr4, %rax
	xorq $0x80, %rax			/* PGE */
	movq %rax, %cr4
	xorq $0x80, %rax
	movq %rax, %cr4
	invlpg (%rax)
	STEPPED 8
	CHECK "single steps over control registers"
	/* 2 MiB by pages, so that a shadow of their table is protected */
	leaq table(%rip), %rdi
	movl $WINDOW + 3, %eax
	movl $512, %ecx
2:	movq %rax, (%rdi)
	addq $PAGE, %rax
	addq $8, %rdi
	loop 2b
	leaq table + 3(%rip), %rax
	movq %rax, pd + 8 * (WINDOW >> 21)(%rip)
	movq %cr3, %rax
	movq %rax, %cr3
	movl WINDOW, %eax
	movq $WINDOW + 3, %rbx
	STEP
	movq %rbx, table(%rip)
	movq %rbx, table(%rip)
	nop
	STEPPED 3
	CHECK "single steps over writes to a table"
	leaq table(%rip), %rax
	movq %rax, %dr3
	ARM 0x90000440
	movq %rbx, table(%rip)
after_table:
	nop
	MET 1, 8, after_table
	CHECK "a breakpoint at a table"
	STEP
	movl %ss, %eax
	movl %eax, %ss
	nop
	nop
	STEPPED 3
	CHECK "MOV to SS holds a single step back"
	HANDLE 40, nothing
	STEP
	int $40
	nop
	STEPPED 1
	CHECK "INT n is not stepped, nor is its handler"
	STEP
	movl %ss, %eax
	movl %eax, %ss
	.byte 0xf1				/* INT1 */
	nop
	STEPPED 3
	CHECK "INT1 is one exception, and takes the step that MOV to SS held back with it"
	leaq selector(%rip), %rax
	movq %rax, %dr1
	ARM 0x00f00404
	movw selector(%rip), %ss
	.byte 0xf1
after_int1:
	nop
	MET 1, 2, after_int1
	CHECK "a breakpoint that MOV to SS held back comes with INT1"
	jmp finish

nothing:
	ret

/* stack: return, RDX, RCX, RAX, vector, error code, RIP, CS, RFLAGS */
on_debug:
	incl hits(%rip)
	movq 48(%rsp), %rax
	movq %rax, last_rip(%rip)
	movq 64(%rsp), %rax
	movl %eax, last_flags(%rip)
	movq %dr6, %rax
	movl %eax, last_dr6(%rip)
	ret

	.section .data
	.align 16
last_rip:
	.quad 0
hits:	.long 0
last_dr6:
	.long 0
last_flags:
	.long 0
selector:
	.long DATA
source:	.quad 0x1122334455667788
	.quad 0
word:	.quad 0
	.quad 0

	.section .bss
	.align PAGE
table:	.skip PAGE
