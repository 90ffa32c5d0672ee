/*
 * A multiboot kernel that tests a PC's interrupt controllers and timers: the 8259s, the 8254, the I/O APIC, the real-time clock, the ACPI timer,
 * and non-maskable interrupts. Build it with ./build.
 */
	.set LEVELS, 4
#include "long.inc"
	.set TIMER, 32			/* vectors: IRQ 0 to 15 by the 8259s are 32 to 47 */
	.set KEYBOARD, 33
	.set CLOCK, 40
	.set BY_APIC, 50
	.set APIC, 0xfee00000
	.set IOAPIC, 0xfec00000

	.macro OUT8 port, value
	movb $\value, %al
	outb %al, $\port
	.endm

/* Lets one instruction after another run until COUNTER is at least LEAST, or for 2^20 turns. */
	.macro UNTIL counter, least
	movl $0x100000, %ecx
	sti
5:	cmpl $\least, \counter(%rip)
	jae 6f
	loop 5b
6:	cli
	.endm

main:	HANDLE TIMER, on_timer
	HANDLE CLOCK, on_clock
	HANDLE BY_APIC, on_apic
	HANDLE 2, on_nmi
	HANDLE 39, on_spurious

	/* both 8259s: edge triggered, cascaded, vectors from 32, everything masked */
	OUT8 0x20, 0x11
	OUT8 0xa0, 0x11
	OUT8 0x21, 32
	OUT8 0xa1, 40
	OUT8 0x21, 4
	OUT8 0xa1, 2
	OUT8 0x21, 1
	OUT8 0xa1, 1
	OUT8 0x21, 0xff
	OUT8 0xa1, 0xff
	inb $0x21, %al
	cmpb $0xff, %al
	CHECK "the mask of an 8259"

	/* channel 0 in mode 2, 10 ticks, about 8,400 instructions: masked, it leaves a request */
	OUT8 0x43, 0x34
	OUT8 0x40, 10
	OUT8 0x40, 0
	movl $0x100000, %ecx
1:	OUT8 0x20, 0x0a			/* read IRR */
	inb $0x20, %al
	testb $1, %al
	loopz 1b
	andb $1, %al
	cmpb $1, %al
	CHECK "a masked timer requests"
	cmpl $0, ticks(%rip)
	CHECK "a masked timer does not interrupt"
	OUT8 0x21, 0xfe
	UNTIL ticks, 3
	cmpl $3, ticks(%rip)
	CHECK "timer interrupts through the 8259"
	OUT8 0x20, 0x0b			/* read ISR */
	inb $0x20, %al
	testb %al, %al
	CHECK "nothing is in service after EOI"
1:	sti
	hlt
	cli
	cmpl $5, ticks(%rip)
	jb 1b
	CHECK "HLT until the timer's interrupt"
	OUT8 0x43, 0				/* latch */
	inb $0x40, %al
	movb %al, %bl
	inb $0x40, %al
	movb %al, %bh
	cmpw $10, %bx
	setbe %al
	cmpb $1, %al
	CHECK "the latched count lies within its period"
	OUT8 0x43, 0xc2				/* read back count and status of channel 0 */
	inb $0x40, %al
	andb $0x3f, %al
	cmpb $0x34, %al
	CHECK "the status of channel 0"
	inb $0x40, %al
	inb $0x40, %al
	/* without EOI no second one */
	movl $1, keep_in_service(%rip)
	movl $0, ticks(%rip)
	UNTIL ticks, 1
	movl $20000, %ecx
	sti
1:	loop 1b
	cli
	cmpl $1, ticks(%rip)
	CHECK "an interrupt in service holds its own priority back"
	movl $0, keep_in_service(%rip)
	OUT8 0x20, 0x60				/* specific EOI */
	/* one shot, mode 0 */
	OUT8 0x43, 0x30
	sti					/* takes what was requested meanwhile */
	nop
	nop
	cli
	movl $0, ticks(%rip)
	OUT8 0x40, 10
	OUT8 0x40, 0
	UNTIL ticks, 1
	cmpl $1, ticks(%rip)
	CHECK "a one-shot count of the timer"
	movl $20000, %ecx
	sti
1:	loop 1b
	cli
	cmpl $1, ticks(%rip)
	CHECK "a one-shot count ends once"
	OUT8 0x21, 0xff

	/* channel 2 and its gate */
	inb $0x61, %al
	andb $0xfc, %al
	orb $1, %al
	outb %al, $0x61
	OUT8 0x43, 0xb0
	OUT8 0x42, 100
	OUT8 0x42, 0
	inb $0x61, %al
	testb $0x20, %al
	CHECK "channel 2 counts"
	movl $0x100000, %ecx
1:	inb $0x61, %al
	testb $0x20, %al
	loopz 1b
	andb $0x20, %al
	cmpb $0x20, %al
	CHECK "channel 2 has counted"

	/* the real-time clock, by the second 8259 */
	OUT8 0x70, 9
	inb $0x71, %al
	testb %al, %al
	CHECK "the year in the real-time clock"
	OUT8 0x70, 0x0a
	OUT8 0x71, 0x23				/* 8192 Hz */
	OUT8 0x70, 0x0b
	OUT8 0x71, 0x42
	OUT8 0x70, 0x0c
	inb $0x71, %al
	OUT8 0x21, 0xfb
	OUT8 0xa1, 0xfe
	UNTIL alarms, 2
	cmpl $2, alarms(%rip)
	CHECK "the clock's interrupts through both 8259s"
	OUT8 0x70, 0x0b
	OUT8 0x71, 2
	OUT8 0x70, 0x0c
	inb $0x71, %al
	OUT8 0x21, 0xff
	OUT8 0xa1, 0xff

	/* the ACPI timer */
	movw $0x608, %dx
	inl %dx, %eax
	movl %eax, %ebx
	movl $2000, %ecx
1:	loop 1b
	inl %dx, %eax
	subl %ebx, %eax
	decl %eax				/* 2000 ns are 7 ticks, and a little */
	cmpl $20, %eax
	setb %al
	cmpb $1, %al
	CHECK "the ACPI timer advances"

	/* the I/O APIC */
	movl $APIC, %ebx
	movl $0x1ff, 0xf0(%rbx)
	movl $IOAPIC, %edi
	movl $1, (%rdi)
	movl 0x10(%rdi), %eax
	cmpl $0x00170011, %eax
	CHECK "version and pins of the I/O APIC"
	movl $0x14, (%rdi)
	movl 0x10(%rdi), %eax
	testl $0x10000, %eax
	setz %al
	testb %al, %al
	CHECK "a pin is masked at first"
	movl $0x15, (%rdi)
	movl $0, 0x10(%rdi)			/* to this processor */
	movl $0x14, (%rdi)
	movl $BY_APIC, 0x10(%rdi)
	OUT8 0x43, 0x34
	OUT8 0x40, 10
	OUT8 0x40, 0
	UNTIL by_apic, 3
	cmpl $3, by_apic(%rip)
	CHECK "timer interrupts through the I/O APIC"
	movl $0x10000 + BY_APIC, 0x10(%rdi)
	movl $20000, %ecx
	sti
1:	loop 1b
	cli
	cmpl $3, by_apic(%rip)
	CHECK "a masked pin of the I/O APIC"
	movl 0x10(%rdi), %eax
	cmpl $0x10000 + BY_APIC, %eax
	CHECK "a redirection entry reads as written"

	/* the task priority */
	movl $BY_APIC >> 4, %eax
	movq %rax, %cr8
	movl 0x80(%rbx), %eax
	cmpl $BY_APIC & 0xf0, %eax
	CHECK "CR8 is the class of the task priority"
	movl 0xa0(%rbx), %eax
	cmpl $BY_APIC & 0xf0, %eax
	CHECK "the processor priority is that of the task"
	movl $0, 0x310(%rbx)
	movl $0x40000 + BY_APIC, 0x300(%rbx)	/* to itself */
	sti
	nop
	nop
	cli
	cmpl $3, by_apic(%rip)
	CHECK "an interrupt of the task's class waits"
	movl $(BY_APIC & 0xf0) - 16, 0x80(%rbx)
	sti
	nop
	nop
	cli
	cmpl $4, by_apic(%rip)
	CHECK "it comes when the priority is lowered"
	movq %cr8, %rax
	cmpq $(BY_APIC >> 4) - 1, %rax
	CHECK "MOV from CR8"
	movl $16, %eax
	TRY movq %rax, %cr8
	EXPECT 13, 0, "CR8 above 15"
	xorl %eax, %eax
	movq %rax, %cr8

	/* logical destinations: flat, of a command and of the I/O APIC */
	movl $0x02000000, 0xd0(%rbx)		/* LDR */
	movl $0, by_apic(%rip)
	movl $0x01000000, 0x310(%rbx)
	movl $0x800 + BY_APIC, 0x300(%rbx)
	sti
	nop
	nop
	cli
	cmpl $0, by_apic(%rip)
	CHECK "a logical destination of others"
	movl $0x03000000, 0x310(%rbx)
	movl $0x800 + BY_APIC, 0x300(%rbx)
	sti
	nop
	nop
	cli
	cmpl $1, by_apic(%rip)
	CHECK "a logical destination"
	movl $0x03000000, 0x310(%rbx)
	movl $0x900 + BY_APIC, 0x300(%rbx)	/* lowest priority */
	sti
	nop
	nop
	cli
	cmpl $2, by_apic(%rip)
	CHECK "lowest priority"
	movl $0x2d, (%rdi)			/* pin 14 */
	movl $0x02000000, 0x10(%rdi)
	movl $0x2c, (%rdi)
	movl $0x8800 + BY_APIC, 0x10(%rdi)	/* level, logical */
	movw $0x200e, %dx
	movb $1, %al
	outb %al, %dx				/* the test device raises it */
	movb $0, %al
	outb %al, %dx
	sti
	nop
	nop
	cli
	cmpl $3, by_apic(%rip)
	CHECK "a logical destination of the I/O APIC"
	movl $0x10000, 0x10(%rdi)

	/* LINT0 masked, the 8259s are not heard; with the local APIC disabled they are */
	movl $0x10000, 0x350(%rbx)
	OUT8 0x21, 0xfe
	movl $0, ticks(%rip)
	movl $20000, %ecx
	sti
1:	loop 1b
	cli
	cmpl $0, ticks(%rip)
	CHECK "LINT0 holds the 8259s back"
	movl $0x1b, %ecx
	rdmsr
	movl %eax, %r8d
	andl $~0x800, %eax
	wrmsr
	UNTIL ticks, 2
	cmpl $2, ticks(%rip)
	CHECK "the 8259s without the local APIC"
	movl $0x1b, %ecx
	movl %r8d, %eax
	xorl %edx, %edx
	wrmsr
	movl $0x1ff, 0xf0(%rbx)
	movl $0, ticks(%rip)
	movl $20000, %ecx
	sti
1:	loop 1b
	cli
	cmpl $0, ticks(%rip)
	CHECK "LINT0 is masked when the local APIC is enabled again"
	movl $0x700, 0x350(%rbx)
	UNTIL ticks, 1
	cmpl $1, ticks(%rip)
	CHECK "LINT0 lets the 8259s through as ExtINT"
	OUT8 0x21, 0xff
	OUT8 0x43, 0x30				/* no more of them */

	/* NMIs: one that comes while another is handled waits for IRET */
	movl $0, 0x310(%rbx)
	movl $0x40400, 0x300(%rbx)		/* to itself, interrupts disabled */
	nop
	cmpl $1, nmis(%rip)
	CHECK "an NMI with interrupts disabled"
	movl $1, again(%rip)
	movl $0x40400, 0x300(%rbx)
	nop
	nop
	cmpl $3, nmis(%rip)
	CHECK "a second NMI"
	cmpl $1, deepest(%rip)
	CHECK "NMIs do not nest"

	/* x2APIC mode */
	movl $0x1b, %ecx
	rdmsr
	orl $0x400, %eax
	wrmsr
	movl $0x80d, %ecx
	rdmsr
	cmpl $1, %eax
	CHECK "the logical ID follows from the ID in x2APIC mode"
	movl $0x80b, %ecx
	TRY rdmsr
	EXPECT 13, 0, "EOI cannot be read"
	movl $0x80e, %ecx
	TRY rdmsr
	EXPECT 13, 0, "there is no DFR"
	movl $0x83f, %ecx
	movl $0x100 + BY_APIC, %eax
	xorl %edx, %edx
	TRY wrmsr
	EXPECT 13, 0, "reserved bits of a self-IPI"
	movl $-1, 0x80(%rbx)
	movl 0x80(%rbx), %eax
	cmpl $-1, %eax
	CHECK "the page of the local APIC reads as ones"
	jmp finish

on_timer:
	incl ticks(%rip)
	cmpl $0, keep_in_service(%rip)
	jne 1f
	movb $0x20, %al
	outb %al, $0x20
1:	ret
on_clock:
	incl alarms(%rip)
	movb $0x0c, %al
	outb %al, $0x70
	inb $0x71, %al
	movb $0x20, %al
	outb %al, $0xa0
	outb %al, $0x20
	ret
on_apic:
	incl by_apic(%rip)
	movl $APIC, %eax
	movl $0, 0xb0(%rax)			/* EOI */
	ret
on_spurious:
	ret
on_nmi:	incl nmis(%rip)
	incl depth(%rip)
	movl depth(%rip), %eax
	cmpl deepest(%rip), %eax
	jbe 1f
	movl %eax, deepest(%rip)
1:	cmpl $0, again(%rip)
	je 2f
	decl again(%rip)
	movl $APIC, %eax
	movl $0x40400, 0x300(%rax)
	nop
	nop
2:	decl depth(%rip)
	ret

	.section .data
	.align 4
ticks:	.long 0
alarms:	.long 0
by_apic:
	.long 0
nmis:	.long 0
again:	.long 0
depth:	.long 0
deepest:
	.long 0
keep_in_service:
	.long 0
