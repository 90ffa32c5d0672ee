/*
 * A multiboot kernel that tests what a kernel finds out about its processor and machine, and what user mode must not: model-specific registers,
 * reserved bits, CR4.UMIP, alignment checks, returns to user mode, devices across two pages, hypercalls, the firmware's ports. Build it with
 * ./build.
 */
	.set LEVELS, 4
#include "long.inc"
	.set USER_BASE, 0x20			/* SYSRET: +8 stack, +16 64-bit code */
	.set USER_DATA, 0x28
	.set USER_CODE, 0x30
	.set TSS, 0x38
	.set RETURN, 48				/* the vector by which user mode comes back */
	.set WINDOW, 0x40000000			/* linear addresses of two pages, both at DEVICE; a page that is not there follows */
	.set DEVICE, 0xff000000			/* memory of the test device */
	.set AC, 0x40000

	.macro READ msr
	movl $\msr, %ecx
	rdmsr
	.endm
	.macro WRITE msr, low, high=0
	movl $\msr, %ecx
	movl $\low, %eax
	movl $\high, %edx
	wrmsr
	.endm
	.macro REFUSED msr, low, high, name
	movl $\msr, %ecx
	movl $\low, %eax
	movl $\high, %edx
	TRY wrmsr
	EXPECT 13, 0, "\name"
	.endm
/* Executes the code at LABEL at CPL 3 with FLAGS; it ends with INT RETURN. */
	.macro USER label, flags
	leaq \label(%rip), %rax
	movl $\flags, %ecx
	call to_user
	.endm

main:	lgdt long_gdt_pointer(%rip)
	leaq tss(%rip), %rax
	leaq long_gdt + TSS(%rip), %rdi
	movw %ax, 2(%rdi)
	shrl $16, %eax
	movb %al, 4(%rdi)
	movb %ah, 7(%rdi)
	movw $TSS, %ax
	ltr %ax
	leaq pd(%rip), %rdi			/* user mode may access everything */
	movl $8, %ecx
1:	orq $4, (%rdi)
	addq $8, %rdi
	loop 1b
	leaq table(%rip), %rax
	orq $7, %rax
	movq %rax, pd_window(%rip)
	leaq pd_window(%rip), %rax
	orq $7, %rax
	movq %rax, pdpt + 8(%rip)
	movl $DEVICE, %eax
	orq $0x17, %rax
	movq %rax, table(%rip)
	movq %rax, table + 8(%rip)
	movq %cr3, %rax
	movq %rax, %cr3
	movb $0xee, idt + 16 * RETURN + 5(%rip)
	HANDLE RETURN, on_return
	HANDLE 1, on_debug

	/* model-specific registers */
	WRITE 0x277, 0x07070707, 0x00070406
	READ 0x277
	cmpl $0x07070707, %eax
	CHECK "IA32_PAT"
	REFUSED 0x277, 0x02020202, 0, "a reserved type in IA32_PAT"
	READ 0xfe
	cmpl $0x408, %eax
	CHECK "IA32_MTRRCAP: eight variable ranges"
	WRITE 0x200, 0x80000006
	READ 0x200
	cmpl $0x80000006, %eax
	CHECK "a variable range"
	REFUSED 0x2ff, 2, 0, "a reserved default type"
	READ 0x179
	testl %eax, %eax
	CHECK "no bank of machine checks"
	REFUSED 0x400, 0, 0, "so no IA32_MC0_CTL"
	READ 0x1a0
	xorl $0x10000, %eax
	movl %eax, %ebx
	wrmsr
	READ 0x1a0
	cmpl %ebx, %eax
	CHECK "IA32_MISC_ENABLE keeps what is written"
	xorl $0x800, %ebx
	movl %ebx, %eax
	TRY wrmsr
	EXPECT 13, 0, "but for what is read-only"
	rdtsc
	movl %edx, %ebx
	WRITE 0x3b, 0, 0x1000
	rdtsc
	subl %ebx, %edx
	cmpl $0x1000, %edx
	CHECK "IA32_TSC_ADJUST moves the time-stamp counter"
	WRITE 0x10, 0, 0x3000
	READ 0x3b
	cmpl $0x2fff, %edx
	CHECK "a write of the counter shows in IA32_TSC_ADJUST"

	/* what is not there */
	movq %cr4, %rax
	orq $1, %rax
	TRY movq %rax, %cr4
	EXPECT 13, 0, "CR4.VME, which CPUID does not have"
	movl $64, %ecx
	TRY rdpmc
	EXPECT 13, 0, "RDPMC without counters"
	movl $-1, %eax
	vmcall
	cmpl $-1000, %eax
	CHECK "a hypercall that is none"

	/* user mode */
	movq %cr4, %rax
	orq $0x800, %rax
	movq %rax, %cr4
	USER user_sgdt, 2
	EXPECT 13, 0, "SGDT of user mode with CR4.UMIP"
	USER user_str, 2
	EXPECT 13, 0, "STR of user mode with CR4.UMIP"
	str %eax
	cmpw $TSS, %ax
	CHECK "STR of the kernel"
	movq %cr4, %rax
	andq $~0x800, %rax
	movq %rax, %cr4
	USER user_str, 2
	cmpq $-1, %r12
	CHECK "STR of user mode without"
	movq %cr0, %rax
	orq $AC, %rax				/* AM has the place of AC */
	movq %rax, %cr0
	USER user_load, AC + 2
	EXPECT 17, 0, "a load that is not aligned"
	USER user_store, AC + 2
	EXPECT 17, 0, "a store that is not aligned"
	cmpq $0, word + 8(%rip)
	CHECK "nothing of it is stored"
	USER user_hole, AC + 2
	EXPECT 14, 6, "a page fault comes before the alignment check"
	USER user_aligned, AC + 2
	cmpq $-1, %r12
	CHECK "aligned accesses"
	USER user_load, 2
	cmpq $-1, %r12
	CHECK "no alignment checks without RFLAGS.AC"
	pushq $AC + 2
	popfq
	movl word + 1(%rip), %eax
	cmpl %eax, %eax
	CHECK "no alignment checks of the kernel"
	pushq $2
	popfq
	movq %cr0, %rax
	andq $~AC, %rax
	movq %rax, %cr0
	USER user_load, AC + 2
	cmpq $-1, %r12
	CHECK "no alignment checks without CR0.AM"
	movl $DATA, %eax
	movl %eax, %gs
	WRITE 0xc0000101, word
	USER user_gs, 2
	cmpq $0x1234, %rbx
	CHECK "the base of GS survives the return to user mode"
	testl %ebp, %ebp
	CHECK "its selector does not"

	/* SYSCALL and SYSRET look at TF at their end */
	WRITE 0xc0000081, 0, (USER_BASE << 16) + CODE64
	WRITE 0xc0000082, on_syscall
	WRITE 0xc0000084, 0x100
	READ 0xc0000080
	orl $1, %eax
	wrmsr
	leaq user_stepped(%rip), %rcx
	movl $0x102, %r11d
	movq %rsp, kernel_stack(%rip)
	subq $8, kernel_stack(%rip)
	leaq 1f(%rip), %rax
	pushq %rax
	sysretq
1:	cmpl $1, steps(%rip)
	CHECK "SYSRET that sets TF is stepped, and SYSCALL that clears it is not"
	leaq user_stepped(%rip), %rax
	cmpq %rax, stepped_at(%rip)
	CHECK "before the first instruction of user mode"

	/* a device in two pages */
	movb $0x99, WINDOW + 4095
	movb $0x77, WINDOW + 4096
	movzwl WINDOW + 4095, %eax
	cmpl $0x7799, %eax
	CHECK "a load from a device in two pages"
	movq $-1, WINDOW
	movq $-1, WINDOW + 4088
	movl $0x44332211, WINDOW + 4093
	cmpl $0x332211ff, WINDOW + 4092
	CHECK "a store to a device in two pages"
	cmpl $0xffffff44, WINDOW
	CHECK "its second part"

	/* firmware */
	movw $0x510, %dx
	movw $5, %ax
	outw %ax, %dx
	incw %dx
	inb %dx, %al
	cmpb $1, %al
	CHECK "one processor"
	decw %dx
	movw $3, %ax
	outw %ax, %dx
	incw %dx
	inb %dx, %al
	movb %al, %bl
	inb %dx, %al
	orb %al, %bl
	CHECK "memory in 64 KiB"
	movl $0x100000, %ecx
2:	inb $0x64, %al
	testb $2, %al
	loopnz 2b
	CHECK "the keyboard controller takes commands"
	jmp finish

to_user:
	movq %rsp, kernel_stack(%rip)
	movq $-1, %r12
	pushq $USER_DATA + 3
	leaq user_stack(%rip), %rdx
	pushq %rdx
	pushq %rcx
	pushq $USER_CODE + 3
	pushq %rax
	iretq
on_syscall:
	movq kernel_stack(%rip), %rsp
	ret
on_return:
	movq kernel_stack(%rip), %rsp
	ret
/* stack: return, RDX, RCX, RAX, vector, error code, RIP, CS, RFLAGS; TF stays, so that SYSCALL can clear it */
on_debug:
	incl steps(%rip)
	movq 48(%rsp), %rax
	movq %rax, stepped_at(%rip)
	ret

user_sgdt:
	TRY sgdt scratch(%rip)
	int $RETURN
user_str:
	TRY str %eax
	int $RETURN
user_load:
	TRY movl word + 1(%rip), %eax
	int $RETURN
user_store:
	movl $-1, %eax
	TRY movl %eax, word + 10(%rip)
	int $RETURN
user_hole:
	movl $WINDOW + 2 * PAGE, %eax
	TRY movl %eax, 1(%rax)
	int $RETURN
user_aligned:
	movq word(%rip), %rax
	movl word + 4(%rip), %eax
	movw word + 6(%rip), %ax
	movb word + 3(%rip), %al
	pushq %rax
	int $RETURN
user_gs:
	movq %gs:0, %rbx
	movl %gs, %ebp
	int $RETURN
user_stepped:
	syscall

	.section .data
	.align 16
long_gdt:
	.quad 0
	.quad 0x00cf9a000000ffff		/* CODE32 */
	.quad 0x00cf92000000ffff		/* DATA */
	.quad 0x00af9a000000ffff		/* CODE64 */
	.quad 0					/* USER_BASE */
	.quad 0x00cff2000000ffff		/* USER_DATA */
	.quad 0x00affa000000ffff		/* USER_CODE */
	.quad 0x0000890000000067		/* TSS */
	.quad 0
long_gdt_pointer:
	.word . - long_gdt - 1
	.quad long_gdt
	.align 16
	.long 0
tss:	.long 0
	.quad inner_stack
	.fill 23, 4, 0
	.align 8
word:	.quad 0x1234
	.quad 0
kernel_stack:
	.quad 0
stepped_at:
	.quad 0
scratch:
	.quad 0
	.quad 0
steps:	.long 0

	.section .bss
	.align PAGE
pd_window:
	.skip PAGE
table:	.skip PAGE
	.skip PAGE
inner_stack:
	.skip PAGE
user_stack:
