/*
 * A multiboot kernel that tests the processor it runs on: modes, fault delivery, page-table edits, rights, system calls. It writes a line for each
 * check to the serial port, and the number of failed checks to port 0xf4. Build it with ./build.
 */
#define BITS 64
#include "check.inc"
	.set PAGE, 4096
	.set CODE32, 0x08
	.set DATA, 0x10
	.set CODE64, 0x18
	.set USER_BASE, 0x20		/* SYSRET: +8 stack, +16 64-bit code */
	.set USER_DATA, 0x28
	.set USER_CODE, 0x30
	.set TSS, 0x38
	.set CODE16, 0x48
	.set DATA16, 0x50
	.set REAL, 0x8000		/* where the real-mode part is copied to */
	.set WINDOW, 0x40000000		/* linear addresses that tests map as they like */

	.section .boot, "ax"
	.code32
start:	cli
	movl $stack_top, %esp
	cmpl $0x2badb002, %eax
	jne dead
	testl $1, (%ebx)		/* the description says how much memory there is */
	jz dead
	movl 16(%ebx), %esi		/* a command line with "nopku" leaves protection keys (PKU, PKS) out */
1:	cmpl $0x6b706f6e, (%esi)	/* "nopk" */
	jne 2f
	movl $~(1 << 3 | 1 << 31), feature_mask
2:	incl %esi
	cmpb $0, -1(%esi)
	jne 1b
	call paging_tables
	lgdt gdt_pointer
	ljmp $CODE32, $1f
1:	movw $DATA, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	call long_mode
	ljmp $CODE64, $main

dead:	movl $99, %eax
	outl %eax, $EXIT
	hlt
	jmp dead

/* 16 MiB as they are, by 2 MiB pages; the window's table is empty. */
paging_tables:
	movl $pdpt + 7, pml4
	movl $pd + 7, pdpt
	movl $pd_window + 7, pdpt + 8
	movl $pt_window + 7, pd_window
	movl $0x83, %eax
	movl $pd, %edi
	movl $8, %ecx
1:	movl %eax, (%edi)
	addl $0x200000, %eax
	addl $8, %edi
	loop 1b
	ret

long_mode:
	movl %cr4, %eax
	orl $0x20, %eax			/* PAE */
	movl %eax, %cr4
	movl $pml4, %eax
	movl %eax, %cr3
	movl $0xc0000080, %ecx
	rdmsr
	orl $0x901, %eax		/* SCE, LME, NXE */
	wrmsr
	movl %cr0, %eax
	orl $0x80010001, %eax		/* PG, WP, PE */
	movl %eax, %cr0
	ret

	.section .text
	.code64
/* Executes the instruction given with a handler that continues behind it, vector in %r12, error code in %r13. */
	.macro TRY insn:vararg
	leaq 9f(%rip), %rax
	movq %rax, resume(%rip)
	movq $-1, %r12
	movq $-1, %r13
	movq resume_rax(%rip), %rax
	\insn
9:	movq $0, resume(%rip)
	.endm

	.macro EXPECT vector, error, name
	cmpq $\vector, %r12
	jne 6f
	movl $\error, %edx
	cmpq %rdx, %r13
6:	CHECK "\name"
	.endm

	ENTRIES 48

/* stack: vector, error code, RIP, CS, RFLAGS, RSP, SS */
common:
	cmpq $33, (%rsp)		/* leave user mode */
	je from_user
	cmpq $34, (%rsp)		/* the local APIC */
	je from_apic
	cmpq $0, map_on_fault(%rip)
	je 1f
	cmpq $14, (%rsp)
	je map_and_return
1:	movq (%rsp), %r12
	movq 8(%rsp), %r13
	movq 24(%rsp), %r14		/* CS */
	movq 32(%rsp), %r15		/* RFLAGS */
	movq %cr2, %rax
	movq %rax, fault_address(%rip)
	movq 16(%rsp), %rax
	movq %rax, fault_rip(%rip)
	movq resume(%rip), %rax
	testq %rax, %rax
	jz unexpected
	addq $16, %rsp
	movq %rax, (%rsp)
	testq $3, 8(%rsp)		/* from user mode: resume in the kernel */
	jz 2f
	movq $CODE64, 8(%rsp)
	movq $DATA, 32(%rsp)
	movq kernel_stack(%rip), %rax
	movq %rax, 24(%rsp)
2:	andq $~0x100, 16(%rsp)		/* TF */
	cmpq $8, %r12			/* the stack of a double fault was no good */
	jne 3f
	movq kernel_stack(%rip), %rax
	movq %rax, 24(%rsp)
3:	iretq

map_and_return:
	pushq %rax
	movq map_on_fault(%rip), %rax
	movq %rax, pt_window + 8(%rip)
	movq $0, map_on_fault(%rip)
	popq %rax
	addq $16, %rsp
	iretq

from_apic:
	incl interrupts(%rip)
	pushq %rax
	movl $0xfee00000, %eax
	movl $0, 0xb0(%rax)		/* EOI */
	popq %rax
	addq $16, %rsp
	iretq

from_user:
	addq $16, %rsp
	movq kernel_stack(%rip), %rsp
	jmp *user_return(%rip)

main:	movw $DATA, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	xorl %eax, %eax
	movw %ax, %fs
	movw %ax, %gs
	movq $stack_top, %rsp
	leaq text_long(%rip), %rsi
	call print

	/* IDT: interrupt gates, DPL 3 for 3 and 33; double faults on IST 1 */
	leaq idt(%rip), %rdi
	leaq entries(%rip), %rax
	movl $48, %ecx
1:	movw %ax, (%rdi)
	movw $CODE64, 2(%rdi)
	movl %eax, 4(%rdi)
	movw $0x8e00, 4(%rdi)
	movl $0, 8(%rdi)
	movl $0, 12(%rdi)
	addq $16, %rdi
	addq $16, %rax
	loop 1b
	movb $0xee, idt + 3 * 16 + 5(%rip)
	movb $0xee, idt + 33 * 16 + 5(%rip)
	movb $1, idt + 8 * 16 + 4(%rip)
	lidt idt_pointer(%rip)
	/* entries lie below 64 KiB offsets of one another: their upper halves are those of the first */
	leaq entries(%rip), %rax
	shrl $16, %eax
	leaq idt(%rip), %rdi
	movl $48, %ecx
2:	movw %ax, 6(%rdi)
	addq $16, %rdi
	loop 2b
	leaq tss(%rip), %rax
	movw %ax, gdt + TSS + 2(%rip)
	shrl $16, %eax
	movb %al, gdt + TSS + 4(%rip)
	movb %ah, gdt + TSS + 7(%rip)
	movw $TSS, %ax
	ltr %ax
	movq %rsp, kernel_stack(%rip)

	/* exceptions */
	TRY ud2
	EXPECT 6, 0, "undefined opcode"
	xorl %ecx, %ecx
	movq $0, resume_rax(%rip)
	xorl %edx, %edx
	TRY divl %ecx
	EXPECT 0, 0, "division by zero"
	TRY int3
	EXPECT 3, 0, "breakpoint"
	TRY int $40
	EXPECT 40, 0, "software interrupt"
	movq $0x800000000000, %rbx
	TRY movq (%rbx), %rcx
	EXPECT 13, 0, "not canonical"
	movq %rsp, %rbp
	movq $0x800000000000, %rsp
	movq %rsp, %rcx
	movq %rbp, %rsp
	movq %rcx, %rbp
	TRY movq (%rbp), %rcx
	EXPECT 12, 0, "not canonical through the stack segment"
	movl $0x12345, %ecx
	TRY rdmsr
	EXPECT 13, 0, "no such MSR"
	movw $0x1000, %cx
	TRY movw %cx, %ds
	EXPECT 13, 0x1000, "selector outside the table"
	TRY int $60
	EXPECT 13, 60*8+2, "vector outside the table"
	movl $1, %ecx
	movq %rcx, %cr2
	movq %cr2, %rdx
	cmpq $1, %rdx
	CHECK "CR2 holds what is written"
	pushfq
	orq $0x100, (%rsp)
	leaq 1f(%rip), %rax
	movq %rax, resume(%rip)
	popfq
	nop
1:	movq $0, resume(%rip)
	EXPECT 1, 0, "single step"
	movq %dr6, %rax
	testl $0x4000, %eax
	setz %al
	testb %al, %al
	CHECK "DR6.BS after a single step"

	/* page faults: the window has no page */
	movq $WINDOW, %rbx
	TRY movq (%rbx), %rcx
	EXPECT 14, 0, "page fault of a read"
	cmpq %rbx, fault_address(%rip)
	CHECK "CR2 of a page fault"
	testl $0x10000, %r15d
	setz %al
	testb %al, %al
	CHECK "RF in the frame of a fault"
	TRY movq %rcx, 8(%rbx)
	EXPECT 14, 2, "page fault of a write"
	TRY call *%rbx
	cmpq %rbx, fault_rip(%rip)
	CHECK "RIP of a fetch fault"
	movq kernel_stack(%rip), %rsp
	EXPECT 14, 16, "page fault of a fetch"

	/* a mapping appears without, changes with invalidation */
	movq $frame1 + 3, %rax
	movq %rax, pt_window(%rip)
	movq $0x1111, %rax
	movq %rax, frame1(%rip)
	movq $0x2222, %rax
	movq %rax, frame2(%rip)
	cmpq $0x1111, (%rbx)
	CHECK "a page that was not present needs no invalidation"
	movq $frame2 + 3, %rax
	movq %rax, pt_window(%rip)
	invlpg (%rbx)
	cmpq $0x2222, (%rbx)
	CHECK "another page after INVLPG"
	movq pt_window(%rip), %rax
	andl $0x60, %eax
	cmpl $0x20, %eax
	CHECK "accessed, not dirty"
	movq $0x3333, %rax
	movq %rax, 16(%rbx)
	movq pt_window(%rip), %rax
	andl $0x60, %eax
	cmpl $0x60, %eax
	CHECK "dirty"
	movq $frame1 + 1, %rax
	movq %rax, pt_window(%rip)
	movq %cr3, %rax
	movq %rax, %cr3
	TRY movq %rcx, (%rbx)
	EXPECT 14, 3, "page fault of a write to a read-only page"
	movq %cr0, %rax
	andq $~0x10000, %rax
	movq %rax, %cr0
	movq $0x4444, %rcx
	movq %rcx, (%rbx)
	movq %cr0, %rax
	orq $0x10000, %rax
	movq %rax, %cr0
	cmpq $0x4444, frame1(%rip)
	CHECK "a write without CR0.WP"
	movabsq $0x8000000000000003 + frame1, %rax
	movq %rax, pt_window(%rip)
	invlpg (%rbx)
	TRY call *%rbx
	movq kernel_stack(%rip), %rsp
	EXPECT 14, 17, "page fault of a fetch from a no-execute page"
	movabsq $0x0008000000000003, %rax	/* beyond MAXPHYADDR */
	movq %rax, pt_window(%rip)
	invlpg (%rbx)
	TRY movq (%rbx), %rcx
	EXPECT 14, 9, "page fault of a reserved bit"
	movq $0, pt_window(%rip)
	invlpg (%rbx)

	/* a string copy that faults half-way goes on */
	movq $frame1 + 3, %rax
	movq %rax, pt_window(%rip)
	movq $frame2 + 3, %rax
	movq %rax, map_on_fault(%rip)
	leaq entries(%rip), %rsi
	leaq PAGE - 20(%rbx), %rdi
	movl $40, %ecx
	rep movsb
	leaq entries(%rip), %rsi
	leaq PAGE - 20(%rbx), %rdi
	movl $40, %ecx
	repe cmpsb
	CHECK "REP MOVSB over a page fault"
	/* one store over two pages, one of them not there: nothing is stored */
	movq $0, pt_window + 8(%rip)
	invlpg PAGE(%rbx)
	movq $-1, %rcx
	movq $0, PAGE - 8(%rbx)
	TRY movq %rcx, PAGE - 4(%rbx)
	cmpq $0, PAGE - 8(%rbx)
	CHECK "a store over two pages is made in both or in none"
	EXPECT 14, 2, "page fault of the second page"
	leaq PAGE(%rbx), %rax
	cmpq %rax, fault_address(%rip)
	CHECK "CR2 of the second page"
	movq $0, pt_window(%rip)
	invlpg (%rbx)

	/* a double fault: the page fault cannot be delivered on this stack */
	movq %rsp, kernel_stack(%rip)
	movq $WINDOW + 0x800, %rsp
	TRY movq (%rbx), %rcx
	movq kernel_stack(%rip), %rsp
	EXPECT 8, 0, "double fault on a stack of its own"

	/* segment bases */
	movl $0xc0000101, %ecx
	leaq frame1(%rip), %rax
	xorl %edx, %edx
	wrmsr
	movq $0x5555, %rax
	movq %rax, frame1 + 8(%rip)
	cmpq $0x5555, %gs:8
	CHECK "IA32_GS_BASE"
	movl $0xc0000102, %ecx
	leaq frame2(%rip), %rax
	wrmsr
	movq $0x6666, %rax
	movq %rax, frame2 + 8(%rip)
	swapgs
	cmpq $0x6666, %gs:8
	CHECK "SWAPGS"

	/* self-modifying code, in the run of instructions that follows */
	movb $0x90, patched(%rip)
	movl $0, %ecx
	jmp 1f
1:	movb $0xf9, patched(%rip)	/* STC */
	clc
patched:
	nop
	setc %cl
	cmpl $1, %ecx
	CHECK "code that changes itself"

	movl $1, %eax
	xorl %edx, %edx
	movl $7, %ebx
	movl $8, %ecx
	leaq wide(%rip), %rdi
	movq $1, (%rdi)
	movq $0, 8(%rdi)
	lock cmpxchg16b (%rdi)
	jnz 1f
	cmpq $7, (%rdi)
	jne 1f
	cmpq $8, 8(%rdi)
1:	CHECK "CMPXCHG16B"

	rdtsc
	movl %eax, %ebx
	rdtsc
	cmpl %ebx, %eax
	seta %al
	cmpb $1, %al
	CHECK "the time-stamp counter advances"

	/* compatibility mode and back */
	leaq 1f(%rip), %rax
	pushq $CODE32
	pushq %rax
	lretq
	.code32
1:	movl $0x12345678, %eax
	pushl %eax
	popl %ecx
	ljmp $CODE64, $2f
	.code64
2:	cmpl $0x12345678, %ecx
	CHECK "compatibility mode"

	call user_tests
	call feature_tests
	call apic_tests
	call real_mode

	jmp finish

/* Runs the code at RSI in user mode; its page is the first of the window. It comes back by INT 33, or by a fault that TRY catches. */
enter_user:
	popq user_return(%rip)
	movq %rsp, kernel_stack(%rip)
	leaq interrupt_stack_top(%rip), %rax
	movq %rax, tss + 4(%rip)
	leaq frame1(%rip), %rdi
	movl $64, %ecx
	rep movsb
	movq $frame1 + 7, %rax
	movq %rax, pt_window(%rip)
	movq $frame2 + 7, %rax
	movq %rax, pt_window + 8(%rip)
	movq %cr3, %rax
	movq %rax, %cr3
	pushq $USER_DATA + 3
	pushq $WINDOW + 2 * PAGE
	pushq $0x202
	pushq $USER_CODE + 3
	pushq $WINDOW
	iretq

user_tests:
	leaq user_plain(%rip), %rsi
	movl $0, %ebx
	call enter_user
	cmpl $77, %ebx
	CHECK "user mode and back by INT"

	movl $0xc0000081, %ecx		/* STAR */
	xorl %eax, %eax
	movl $(USER_BASE + 3) << 16 | CODE64, %edx
	wrmsr
	movl $0xc0000082, %ecx		/* LSTAR */
	leaq syscall_entry(%rip), %rax
	xorl %edx, %edx
	wrmsr
	movl $0xc0000084, %ecx		/* FMASK */
	movl $0x200, %eax
	xorl %edx, %edx
	wrmsr
	leaq user_syscall(%rip), %rsi
	call enter_user
	cmpl $79, %ebx
	CHECK "SYSCALL and SYSRET"

	.macro FROM_USER code, vector, error, name
	leaq 9f(%rip), %rax
	movq %rax, resume(%rip)
	leaq \code(%rip), %rsi
	pushq $0
	call enter_user
9:	movq $0, resume(%rip)
	popq %rax
	EXPECT \vector, \error, "\name"
	.endm
	FROM_USER user_kernel_read, 14, 5, "page fault of a user read of a supervisor page"
	FROM_USER user_cli, 13, 0, "CLI in user mode"
	FROM_USER user_hlt, 13, 0, "HLT in user mode"
	FROM_USER user_out, 13, 0, "OUT in user mode"
	FROM_USER user_int, 13, 40*8+2, "an interrupt gate that user mode must not use"
	andl $3, %r14d
	cmpl $3, %r14d
	CHECK "CS in the frame of a fault from user mode"
	ret

user_plain:
	movl $77, %ebx
	int $33
user_syscall:
	movl $78, %ebx
	syscall
	incl %ebx
	int $33
user_loop:
	movl $50000, %ecx
1:	loop 1b
	int $33
user_kernel_read:
	movq frame2, %rax
user_cli:
	cli
user_hlt:
	hlt
user_out:
	outb %al, $0x80
user_int:
	int $40
	.skip 64

syscall_entry:
	pushfq
	popq %rax
	testl $0x200, %eax
	jz 1f
	movl $0, %ebx
1:	sysretq

feature_tests:
	movl $0x80000001, %eax
	cpuid
	testl $4, %ecx			/* SVM */
	jz 1f
	movl $0xc0000080, %ecx
	rdmsr
	orl $0x1000, %eax		/* SVME */
	wrmsr
	TRY stgi
	cmpq $-1, %r12
	jmp 2f
1:	TRY stgi
	cmpq $6, %r12
2:	CHECK "SVM is there as CPUID tells"
	movl $7, %eax
	xorl %ecx, %ecx
	cpuid
	movl %ebx, features(%rip)
	andl feature_mask(%rip), %ecx
	movl %ecx, features + 4(%rip)
	movq $frame1 + 7, %rax		/* a user page */
	movq %rax, pt_window(%rip)
	movb $0xc3, frame1(%rip)
	movq $WINDOW, %rbx
	invlpg (%rbx)

	testl $1 << 20, features(%rip)
	jz no_smap
	movq %cr4, %rax
	orq $1 << 21, %rax
	movq %rax, %cr4
	TRY movq (%rbx), %rcx
	EXPECT 14, 1, "SMAP"
	stac
	movq $-1, %r12
	movq (%rbx), %rcx
	clac
	cmpq $-1, %r12
	CHECK "SMAP with EFLAGS.AC"
	movq %cr4, %rax
	andq $~(1 << 21), %rax
	movq %rax, %cr4
no_smap:
	testl $1 << 7, features(%rip)
	jz no_smep
	movq %cr4, %rax
	orq $1 << 20, %rax
	movq %rax, %cr4
	movq %rsp, kernel_stack(%rip)
	TRY call *%rbx
	movq kernel_stack(%rip), %rsp
	EXPECT 14, 17, "SMEP"
	movq %cr4, %rax
	andq $~(1 << 20), %rax
	movq %rax, %cr4
	call *%rbx
no_smep:
	testl $1 << 3, features + 4(%rip)
	jz no_pku
	movq %cr4, %rax
	orq $1 << 22, %rax
	movq %rax, %cr4
	movabsq $0x0800000000000007 + frame1, %rax	/* key 1 */
	movq %rax, pt_window(%rip)
	invlpg (%rbx)
	xorl %ecx, %ecx
	xorl %edx, %edx
	movl $4, %eax			/* access disabled for key 1 */
	wrpkru
	movq $4, resume_rax(%rip)
	TRY movq (%rbx), %rcx
	EXPECT 14, 0x21, "protection key"
	xorl %ecx, %ecx
	xorl %eax, %eax
	xorl %edx, %edx
	wrpkru
	movq $-1, %r12
	movq (%rbx), %rcx
	cmpq $-1, %r12
	CHECK "protection key that allows"
	movq %cr4, %rax
	andq $~(1 << 22), %rax
	movq %rax, %cr4
no_pku:
	movl $1, %eax
	cpuid
	testl $1 << 17, %ecx
	jz no_pcid
	/* two address spaces that differ in the window, each with a PCID */
	leaq pml4(%rip), %rsi
	leaq pml4_other(%rip), %rdi
	movl $512, %ecx
	rep movsq
	movq $pdpt_other + 7, pml4_other(%rip)
	movq $pd + 7, pdpt_other(%rip)
	movq $pd_other + 7, pdpt_other + 8(%rip)
	movq $pt_other + 7, pd_other(%rip)
	movq $frame2 + 3, pt_other(%rip)
	movq $frame1 + 3, pt_window(%rip)
	movq $1, frame1(%rip)
	movq $2, frame2(%rip)
	movq %cr4, %rax
	orq $1 << 17, %rax
	movq %rax, %cr4
	movq $WINDOW, %rbx
	invlpg (%rbx)
	movq $pml4 + 1, %rax
	movq $pml4_other + 2, %rdx
	movl $20, %ecx
	xorl %esi, %esi
1:	movq %rax, %cr3
	addq (%rbx), %rsi
	movq %rdx, %cr3
	addq (%rbx), %rsi
	btsq $63, %rax
	btsq $63, %rdx
	loop 1b
	cmpq $60, %rsi
	CHECK "two PCIDs"
	movq $pml4, %rax
	movq %rax, %cr3
	movq %cr4, %rax
	andq $~(1 << 17), %rax
	movq %rax, %cr4
no_pcid:
	ret

apic_tests:
	movl $1, %eax
	cpuid
	testl $1 << 9, %edx
	jz no_apic
	movq $pd_apic + 3, pdpt + 3 * 8
	movl $0xfee00000, %ebx
	movl $0xfee0009b, %eax		/* a large page, not cached */
	movq %rax, pd_apic + 0x1f7 * 8
	movl $0x1ff, 0xf0(%rbx)		/* spurious vector register: enabled */
	movl 0x30(%rbx), %eax
	andl $0xff, %eax
	cmpl $0x14, %eax
	CHECK "version of the local APIC"
	movl $0, interrupts(%rip)
	movl $0, 0x310(%rbx)
	movl $0x40000 + 34, 0x300(%rbx)	/* to itself */
	sti
	nop
	cli
	cmpl $1, interrupts(%rip)
	CHECK "an interrupt to itself"
	movl $3, 0x3e0(%rbx)		/* divide by 16 */
	movl $34, 0x320(%rbx)		/* one shot */
	movl $100, 0x380(%rbx)
1:	sti
	hlt
	cli
	cmpl $2, interrupts(%rip)
	jne 1b
	CHECK "HLT until the timer's interrupt"
	movl $0x20000 + 34, 0x320(%rbx)	/* periodic */
	movl $100, 0x380(%rbx)
	movl $100000, %ecx
	sti
1:	cmpl $5, interrupts(%rip)
	loopne 1b
	cli
	movl $0, 0x380(%rbx)
	cmpl $5, interrupts(%rip)
	CHECK "a loop with the periodic timer"
	movl $34, 0x320(%rbx)		/* one shot, while user mode runs */
	movl $1000, 0x380(%rbx)
	leaq user_loop(%rip), %rsi
	call enter_user
	cmpl $6, interrupts(%rip)
	CHECK "an interrupt of user mode through a gate of the kernel"
	movl $0xfee00000, %ebx
	/* disabled and enabled again by its MSR */
	movl $0x1b, %ecx
	rdmsr
	movl %eax, %r8d
	andl $~0x800, %eax
	wrmsr
	cmpl $-1, 0x30(%rbx)
	CHECK "a disabled local APIC"
	movl $1, %eax
	cpuid
	testl $1 << 9, %edx
	CHECK "CPUID without a local APIC"
	movl $0x1b, %ecx
	movl %r8d, %eax
	xorl %edx, %edx
	wrmsr
	movl $0xfee00000, %ebx
	movl 0xf0(%rbx), %eax
	cmpl $0xff, %eax
	CHECK "the local APIC after it is enabled again"
no_apic:
	ret

/* Long mode -> 32-bit protected mode -> 16-bit -> real mode, an interrupt there, and back. */
real_mode:
	movq %rsp, kernel_stack(%rip)
	leaq real_begin(%rip), %rsi
	movl $REAL, %edi
	movl $real_end - real_begin, %ecx
	rep movsb
	ljmpl *1f(%rip)
1:	.long 2f, CODE32
	.code32
2:	movl $DATA, %eax
	movl %eax, %ss
	movl %cr0, %eax
	andl $0x7fffffff, %eax
	movl %eax, %cr0
	movl $0xc0000080, %ecx
	rdmsr
	andl $~0x100, %eax
	wrmsr
	ljmp $CODE16, $REAL + real16 - real_begin

	.code16
real_begin:
real16:	movw $DATA16, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	movl %cr0, %eax
	andl $~1, %eax
	movl %eax, %cr0
	ljmp $0, $REAL + 1f - real_begin
1:	xorw %ax, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	movw $0x7000, %sp
	lidt REAL + real_idt - real_begin
	movw $REAL + real_handler - real_begin, 0x21 * 4
	movw %ax, 0x21 * 4 + 2
	movw $0, %bx
	int $0x21
	movw %bx, REAL + real_result - real_begin
	lidtl REAL + 3f - real_begin
	movl %cr0, %eax
	orl $1, %eax
	movl %eax, %cr0
	ljmpl $CODE32, $back
real_handler:
	movw $0x1234, %bx
	iret
	.align 4
real_idt:
	.word 0x3ff
	.long 0
3:	.word 48 * 16 - 1
	.long idt
real_result:
	.word 0
real_end:

	.code32
back:	movl $DATA, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl kernel_stack, %esp
	call long_mode
	ljmp $CODE64, $1f
	.code64
1:	movq kernel_stack(%rip), %rsp
	cmpw $0x1234, REAL + real_result - real_begin
	CHECK "real mode and back"
	ret

	.section .data
	.align 16
gdt:	.quad 0
	.quad 0x00cf9a000000ffff	/* CODE32 */
	.quad 0x00cf92000000ffff	/* DATA */
	.quad 0x00af9a000000ffff	/* CODE64 */
	.quad 0x00cffa000000ffff	/* USER_BASE: 32-bit code */
	.quad 0x00cff2000000ffff
	.quad 0x00affa000000ffff
	.quad 0x0000890000000067, 0	/* TSS */
	.quad 0x00009a000000ffff	/* CODE16 */
	.quad 0x000092000000ffff	/* DATA16 */
gdt_pointer:
	.word . - gdt - 1
	.long gdt, 0
idt_pointer:
	.word 48 * 16 - 1
	.quad idt
	.align 16
tss:	.long 0
	.quad 0, 0, 0, 0
	.quad ist_top			/* IST 1 */
	.skip 102 - 44
	.word 104			/* no I/O permission bitmap */
	.align 16
wide:	.quad 0, 0
resume:	.quad 0
resume_rax:
	.quad 0
fault_address:
	.quad 0
fault_rip:
	.quad 0
map_on_fault:
	.quad 0
kernel_stack:
	.quad 0
user_return:
	.quad 0
features:
	.long 0, 0
feature_mask:
	.long -1
interrupts:
	.long 0
text_long:
	.asciz "long mode ok\n"

	.section .bss
	.align PAGE
pml4:	.skip PAGE
pdpt:	.skip PAGE
pd:	.skip PAGE
pd_window:
	.skip PAGE
pt_window:
	.skip PAGE
pml4_other:
	.skip PAGE
pdpt_other:
	.skip PAGE
pd_other:
	.skip PAGE
pd_apic:
	.skip PAGE
pt_other:
	.skip PAGE
frame1:	.skip PAGE
frame2:	.skip PAGE
	.skip PAGE
ist_top:
	.skip PAGE
interrupt_stack_top:
	.skip 4 * PAGE
stack_top:
idt:	.skip 48 * 16
