/*
 * A multiboot kernel of 32 bits that tests what 64-bit kernels have left behind: task switches, virtual-8086 mode, the I/O permission bitmap. Build
 * it with ./build.
 */
#define BITS 32
#include "check.inc"
	.set CODE, 0x08
	.set DATA, 0x10
	.set TSS0, 0x18
	.set TSS1, 0x20
	.set GATE1, 0x28		/* a task gate to TSS1 */
	.set UCODE, 0x33
	.set UDATA, 0x3b
	.set TSS86, 0x40		/* a task in virtual-8086 mode */
	.set TSSDF, 0x48		/* for double faults */
	.set SHORT, 0x50		/* a TSS that is too short */
	.set TSSBAD, 0x58		/* one with data segments that are none */
	.set VECTORS, 64
	.set CODE86, 0x8000		/* where the code for virtual-8086 mode is copied to */
	.set WINDOW, 0x40000000		/* another page for each of two directories */
	.set VM, 0x20000

	.section .boot, "ax"
	.code32
start:	cli
	movl $stack_top, %esp
	lgdt gdt_pointer
	ljmp $CODE, $1f
1:	movw $DATA, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	xorl %eax, %eax
	movw %ax, %fs
	movw %ax, %gs
	/* 16 MiB as they are, by 4 MiB pages that user mode may use, but for the window */
	movl $0x87, %eax
	movl $4, %ecx
	xorl %edi, %edi
2:	movl %eax, pd0(, %edi, 4)
	movl %eax, pd1(, %edi, 4)
	addl $0x400000, %eax
	incl %edi
	loop 2b
	movl $pt0 + 7, pd0 + 4 * 256
	movl $pt1 + 7, pd1 + 4 * 256
	movl $frame0 + 7, pt0
	movl $frame1 + 7, pt1
	movl $0x1111, frame0
	movl $0x2222, frame1
	movl %cr4, %eax
	orl $0x10, %eax			/* PSE */
	movl %eax, %cr4
	movl $pd0, %eax
	movl %eax, %cr3
	movl %cr0, %eax
	orl $0x80010000, %eax		/* PG, WP */
	movl %eax, %cr0
	jmp main

/* Executes the instruction given; an exception goes on behind it, with what it was in "vector", "error" and "frame". */
	.macro TRY insn:vararg
	movl $-1, vector
	movl $9f, resume
	movl %esp, resume_sp
	\insn
9:	movl $0, resume
	.endm

	.macro EXPECT number, code, name
	cmpl $\number, vector
	jne 6f
	cmpl $\code, error
6:	CHECK "\name"
	.endm

/* Runs the code at LABEL in virtual-8086 mode with the IOPL given, until an exception or INT 33 of it. */
	.macro RUN86 label, iopl
	movl $\label - code86, %ebx
	movl $\iopl << 12 | VM | 0x202, %ecx
	TRY call enter86
	.endm

enter86:
	movl $interrupt_stack_top, tss0 + 4
	pushl $0x1004			/* GS, FS, DS, ES */
	pushl $0x1003
	pushl $0x1002
	pushl $0x1001
	pushl $0x700			/* SS */
	pushl $0x800
	pushl %ecx
	pushl $CODE86 >> 4
	pushl %ebx
	iretl

	ENTRIES VECTORS

/* stack: vector, error code, EIP, CS, EFLAGS, and from other levels ESP, SS, from virtual-8086 mode ES, DS, FS, GS */
common:	cmpl $32, %ss:(%esp)
	je on_timer
	pushl %eax
	movw %ds, %ax
	movw %ax, %ss:handler_ds
	movw $DATA, %ax
	movw %ax, %ds
	movw %ax, %es
	popl %eax
	popl vector
	popl error
	pushl %edi
	leal 4(%esp), %esi
	movl $frame, %edi
	movl $9, %ecx
	cld
	rep movsl
	popl %edi
	cmpl $0, resume
	je unexpected
	movl resume_sp, %esp
	jmp *resume

on_timer:
	addl $8, %esp
	incl %ss:ticks
	pushl %eax
	movb $0x20, %al
	outb %al, $0x20
	popl %eax
	iretl

main:	movl $idt, %edi
	movl $entries, %eax
	movl $VECTORS, %ecx
1:	movl %eax, %edx
	movw %ax, (%edi)
	movw $CODE, 2(%edi)
	movw $0x8e00, 4(%edi)
	shrl $16, %edx
	movw %dx, 6(%edi)
	addl $8, %edi
	addl $16, %eax
	loop 1b
	movb $0xee, idt + 33 * 8 + 5	/* for INT 33 of programs */
	movl $0, idt + 8 * 8
	movw $TSSDF, idt + 8 * 8 + 2	/* a task gate */
	movl $0x8500, idt + 8 * 8 + 4
	lidt idt_pointer
	.macro BASE selector, label
	movl $\label, %eax
	movw %ax, gdt + \selector + 2
	shrl $16, %eax
	movb %al, gdt + \selector + 4
	movb %ah, gdt + \selector + 7
	.endm
	BASE TSS0, tss0
	BASE TSS1, tss1
	BASE TSS86, tss_86
	BASE TSSDF, tss_df
	BASE SHORT, tss1
	BASE TSSBAD, tss_bad
	movw $TSS0, %ax
	ltr %ax
	movl $code86, %esi
	movl $CODE86, %edi
	movl $code86_end - code86, %ecx
	rep movsb

	/* CALL and IRET */
	clts
	movl $0x5555, %ebx
	lcall $TSS1, $0
	cmpl $1, calls
	CHECK "CALL to a task and IRET from it"
	cmpl $0x5555, %ebx
	CHECK "registers of the task that called"
	cmpl $0x2222, seen
	CHECK "the other task's CR3"
	cmpl $0x1111, WINDOW
	CHECK "this task's CR3 again"
	cmpw $TSS1, task_register
	CHECK "TR in the other task"
	testl $0x4000, task_flags
	setz %al
	testb %al, %al
	CHECK "NT in the other task"
	cmpw $TSS0, tss1
	CHECK "the link to the task that called"
	movl %cr0, %eax
	andl $8, %eax
	cmpl $8, %eax
	CHECK "CR0.TS after a task switch"
	testb $2, gdt + TSS1 + 5
	CHECK "the other task is not busy after IRET"
	testb $2, gdt + TSS0 + 5
	setz %al
	testb %al, %al
	CHECK "the task that called is busy"
	cmpl $0x77, tss1 + 0x28
	CHECK "EAX of the other task in its TSS"
	cmpl $task1_again, tss1 + 0x20
	CHECK "EIP of the other task in its TSS"
	testl $0x4000, tss1 + 0x24
	CHECK "no NT in its TSS after IRET"
	lcall $GATE1, $0
	cmpl $2, calls
	CHECK "CALL through a task gate"
	movl $1, jump_back
	ljmp $TSS1, $0
	cmpl $3, calls
	CHECK "JMP to a task and back"
	testb $2, gdt + TSS1 + 5
	CHECK "a task that jumped away is not busy"
	movl $0, jump_back

	/* what is refused */
	TRY lcall $TSS0, $0
	EXPECT 13, TSS0, "a busy task"
	TRY lcall $SHORT, $0
	EXPECT 10, SHORT, "a TSS that is too short"
	andb $0x7f, gdt + TSS1 + 5
	TRY lcall $TSS1, $0
	EXPECT 11, TSS1, "a TSS that is not present"
	orb $0x80, gdt + TSS1 + 5
	TRY lcall $TSSBAD, $0
	EXPECT 10, TSS0, "a task with a TSS for a data segment"
	str %ax
	cmpw $TSSBAD, %ax
	CHECK "that fault is the new task's"
	movl $tss_after, tss0 + 0x20
	andb $0xfd, gdt + TSS0 + 5		/* JMP goes to tasks that are not busy */
	ljmp $TSS0, $0
tss_after:
	str %ax
	cmpw $TSS0, %ax
	CHECK "back by JMP"
	pushfl
	orl $0x4000, (%esp)
	popfl
	movw $TSS1, tss0			/* IRET to a task that is not busy */
	TRY iretl
	EXPECT 10, TSS1, "IRET to a task that is not busy"

	/* a double fault has a task of its own */
	movl %esp, resume_sp
	movl $WINDOW + 0x2000, %esp
	pushl $0
after_double_fault:
	cmpl $1, double_faults
	CHECK "a double fault's task"
	cmpl $0, double_fault_error
	CHECK "error code of a double fault on its task's stack"

	/* virtual-8086 mode */
	RUN86 v_plain, 3
	EXPECT 33, 0, "INT of virtual-8086 mode with IOPL 3"
	movl frame + 8, %eax
	andl $VM, %eax
	cmpl $VM, %eax
	CHECK "VM in the frame"
	movl frame + 20, %eax
	cmpl $0x1001, %eax
	jne 1f
	cmpl $0x1002, frame + 24
	jne 1f
	cmpl $0x1003, frame + 28
	jne 1f
	cmpl $0x1004, frame + 32
1:	CHECK "segments in the frame"
	cmpl $CODE86 >> 4, frame + 4
	CHECK "CS in the frame"
	cmpw $0, handler_ds
	CHECK "DS in the handler"
	cmpl $0xabcd, 0x10020 + 0x34
	CHECK "a store of virtual-8086 mode"
	RUN86 v_cli, 0
	EXPECT 13, 0, "CLI with IOPL 0"
	RUN86 v_cli, 3
	EXPECT 33, 0, "CLI with IOPL 3"
	movl frame + 8, %eax
	testl $0x200, %eax
	CHECK "IF after CLI"
	RUN86 v_int, 0
	EXPECT 13, 0, "INT with IOPL 0"
	RUN86 v_pushf, 0
	EXPECT 13, 0, "PUSHF with IOPL 0"
	RUN86 v_pushf, 3
	EXPECT 33, 0, "PUSHF and POPF with IOPL 3"
	RUN86 v_popf, 0
	EXPECT 13, 0, "POPF with IOPL 0"
	RUN86 v_iret, 0
	EXPECT 13, 0, "IRET with IOPL 0"
	RUN86 v_iret, 3
	EXPECT 33, 0, "IRET within virtual-8086 mode"
	RUN86 v_hlt, 3
	EXPECT 13, 0, "HLT in virtual-8086 mode"
	RUN86 v_lldt, 3
	EXPECT 6, 0, "LLDT in virtual-8086 mode"
	RUN86 v_int3, 0
	EXPECT 13, 3*8+2, "INT3 needs the gate's privilege"
	RUN86 v_far, 3
	EXPECT 33, 0, "far calls in virtual-8086 mode"
	RUN86 v_limit, 3
	EXPECT 13, 0, "beyond 64 KiB"
	RUN86 v_stack, 3
	EXPECT 12, 0, "beyond 64 KiB of the stack"

	/* the I/O permission bitmap: port 80H is open, 81H not */
	RUN86 v_out80, 3
	EXPECT 33, 0, "a port that the bitmap permits"
	RUN86 v_out81, 3
	EXPECT 13, 0, "a port that it refuses, whatever IOPL is"
	RUN86 v_out80w, 3
	EXPECT 13, 0, "two ports of which it refuses one"
	.macro FROM_USER label, flags
	movl $interrupt_stack_top, tss0 + 4
	movl $\label, %ebx
	movl $\flags, %ecx
	TRY call enter_user
	movw $DATA, %ax
	movw %ax, %ds
	movw %ax, %es
	.endm
	FROM_USER u_out80, 0x2
	EXPECT 33, 0, "a port of user mode that the bitmap permits"
	FROM_USER u_out81, 0x2
	EXPECT 13, 0, "a port of user mode that it refuses"
	FROM_USER u_out81, 0x3002
	EXPECT 33, 0, "a port of user mode with IOPL 3"
	movw $0x2090, tss0 + 102		/* the bitmap ends before port 400H */
	FROM_USER u_out400, 0x2
	EXPECT 13, 0, "a port beyond the bitmap"

	/* interrupts of virtual-8086 mode: the timer, by the 8259 */
	.macro OUT8 port, value
	movb $\value, %al
	outb %al, $\port
	.endm
	OUT8 0x20, 0x11
	OUT8 0x21, 32
	OUT8 0x21, 4
	OUT8 0x21, 1
	OUT8 0x21, 0xfe
	inb $0x21, %al
	cmpb $0xfe, %al
	jne no_pic
	OUT8 0x43, 0x34
	OUT8 0x40, 10
	OUT8 0x40, 0
	RUN86 v_loop, 0
	EXPECT 13, 0, "a loop of virtual-8086 mode under interrupts"
	cmpl $2, ticks
	setb %al
	testb %al, %al
	CHECK "interrupts of virtual-8086 mode"
	OUT8 0x21, 0xff
	OUT8 0x43, 0x30
no_pic:

	/* a task in virtual-8086 mode; it ends in a task of this kernel's */
	TRY lcall $TSS86, $0
	EXPECT 33, 0, "a task in virtual-8086 mode"
	str %ax
	cmpw $TSS86, %ax
	CHECK "TR of that task"
	jmp finish

enter_user:
	pushl $UDATA
	pushl $user_stack_top
	pushl %ecx
	pushl $UCODE
	pushl %ebx
	iretl

u_out80:
	outb %al, $0x80
	int $33
u_out81:
	outb %al, $0x81
	int $33
u_out400:
	movw $0x400, %dx
	outb %al, %dx
	int $33

/* The second task. */
task1:	incl calls
	movl WINDOW, %ecx
	movl %ecx, seen
	str task_register
	pushfl
	popl task_flags
	movl $0x77, %eax
	cmpl $0, jump_back
	jne 1f
	iretl
task1_again:
	jmp task1
1:	ljmp $TSS0, $0
	jmp task1

/* The task of double faults: the error code is on its stack. */
double_fault:
	incl double_faults
	popl double_fault_error
	movl $after_double_fault, tss0 + 0x20
	movl resume_sp, %eax
	movl %eax, tss0 + 0x38
	iretl

	.code16
code86:
v_plain:
	movw $0xabcd, %ax
	movw $0, 0x36
	movw %ax, 0x34
	int $33
v_cli:	cli
	int $33
v_int:	int $33
v_pushf:
	pushf
	popf
	pushfl
	popfl
	int $33
v_popf:	popf
v_iret:	pushf
	pushw $CODE86 >> 4
	pushw $1f - code86
	iret
1:	int $33
v_hlt:	hlt
v_lldt:	lldt %ax
v_int3:	int3
v_far:	lcall $CODE86 >> 4, $1f - code86
	ljmp $(CODE86 >> 4) - 1, $2f - code86 + 16
1:	lret
2:	int $33
v_limit:
	movw 0xffff, %ax
v_stack:
	movw $0xffff, %bp
	movw (%bp), %ax
v_out80:
	outb %al, $0x80
	int $33
v_out81:
	outb %al, $0x81
v_out80w:
	outw %ax, $0x80
v_loop:	movl $40000, %ecx
1:	addr32 loop 1b
	hlt
code86_end:
	.code32

	.section .data
	.align 16
gdt:	.quad 0
	.quad 0x00cf9a000000ffff	/* CODE */
	.quad 0x00cf92000000ffff	/* DATA */
	.quad 0x00008900000020ff	/* TSS0, with a bitmap */
	.quad 0x0000890000000067	/* TSS1 */
	.quad 0x0000850000200000	/* GATE1 */
	.quad 0x00cffa000000ffff	/* UCODE */
	.quad 0x00cff2000000ffff	/* UDATA */
	.quad 0x0000890000000067	/* TSS86 */
	.quad 0x0000890000000067	/* TSSDF */
	.quad 0x0000890000000066	/* SHORT */
	.quad 0x0000890000000067	/* TSSBAD */
gdt_pointer:
	.word . - gdt - 1
	.long gdt
idt_pointer:
	.word VECTORS * 8 - 1
	.long idt
	.macro TASK ip, flags, stack, directory, cs, ss, data
	.long 0, interrupt_stack_top, DATA, 0, 0, 0, 0
	.long \directory, \ip, \flags, 0, 0, 0, 0, \stack, 0, 0, 0
	.long \data, \cs, \ss, \data, \data, \data, 0, 104 << 16
	.endm
	.align 16
tss1:	TASK task1, 2, task_stack_top, pd1, CODE, DATA, DATA
tss_df:	TASK double_fault, 2, task_stack_top, pd0, CODE, DATA, DATA
tss_bad:
	TASK task1, 2, task_stack_top, pd0, CODE, DATA, TSS0
tss_86:	TASK v_int-code86, VM+0x3002, 0x800, pd0, CODE86>>4, 0x700, 0x1000
	.align 16
tss0:	.long 0, interrupt_stack_top, DATA, 0, 0, 0, 0, pd0	/* a switch does not save CR3 */
	.skip 102 - 32
	.word 104
	.skip 16			/* ports 0 to 7FH */
	.byte 0xfe			/* 80H is open, 81H to 87H not */
	.skip 0x2100 - 104 - 17, 0
	.align 4
resume:	.long 0
resume_sp:
	.long 0
vector:	.long 0
error:	.long 0
frame:	.skip 48
handler_ds:
	.long 0
calls:	.long 0
seen:	.long 0
task_register:
	.long 0
task_flags:
	.long 0
jump_back:
	.long 0
double_faults:
	.long 0
double_fault_error:
	.long -1
ticks:	.long 0

	.section .bss
	.align 4096
pd0:	.skip 4096
pd1:	.skip 4096
pt0:	.skip 4096
pt1:	.skip 4096
frame0:	.skip 4096
frame1:	.skip 4096
	.skip 4096
task_stack_top:
	.skip 4096
interrupt_stack_top:
	.skip 4096
user_stack_top:
	.skip 4096
stack_top:
idt:	.skip VECTORS * 8
