/*
 * Executes instructions on the machine this runs on, each with many register contents, and prints digests of what came out.
 *
 *   input   a line each: instruction in hexadecimal, mask of the flags that are defined (bits 31:16: of the FPU status word),
 *           1 if RBX is to lead to memory + 2 if vector registers count + 4 if MXCSR does + 8 if the FPU does,
 *           + 16 with invalid operations masked, number of cases
 *   output  the same, and after it a digest of 32 bits for every GROUP cases
 *
 * The register contents follow from a generator that the test has, too (NativeVectorsTest), so that they need not be stored.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { GROUP = 64, RBX = 3, RSP = 4, WORDS = 8, MEM = 1, VECTOR = 2, MXCSR = 4, FPU = 8, INVALID_MASKED = 16 };

/* At an absolute address below 2 GiB, so that the stub needs no register for it. */
struct state {
	uint64_t reg[16];
	uint64_t flags;
	uint64_t host_rsp;
	uint32_t mxcsr;
	uint32_t standard;
	uint64_t pad[13];
	uint64_t memory[2 * WORDS];
	uint64_t ymm[64];
	/* FXSAVE's image: control, status, tags, ..., MXCSR, the x87 registers. */
	uint16_t fpu[256] __attribute__((aligned(16)));
};

static struct state *const state = (struct state *)0x20000000;
static uint8_t *const code = (uint8_t *)0x20010000;
static sigjmp_buf escape;
static uint64_t seed;

static const uint64_t edges[16] = {
	0, 1, ~0ull, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff,
	0x7fffffffffffffff, 0x8000000000000000, 0x0123456789abcdef, 2
};

static const uint64_t vector_edges[32] = {
	0, 0x3f8000003f800000, 0x3ff0000000000000, 0x4000000000000000, 0x7ff0000000000000, 0xfff0000000000000, 0x7f800000ff800000,
	0x8000000080000000, 0x8000000000000000, 0x7ff8000000000001, 0x7ff0000000000001, 0x7f8000017fc00001, 0x0000000100000001,
	0x41dfffffffc00000, 0x4f0000004effffff, 0xc1e0000000200000, 0x7fefffffffffffff, 0x0010000000000000, 0x000fffffffffffff,
	0x7f7fffff00800000, 0x007fffff80000001, 0xbff0000000000000, 0xbf800000bf800000, 0x3fe0000000000000, 0x3f0000003fc00000,
	0x4330000000000001, 0x43e0000000000000, 0xffffffffffffffff, 0x7f7f7f7f80808080, 0xfff8000000000000, 0x40200000c0200000,
	0x0001000200030000
};

/* xorshift64* */
static uint64_t next(void)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return seed * 0x2545f4914f6cdd1dull;
}

static uint64_t operand(void)
{
	uint64_t r = next();

	switch (r >> 62) {
	case 0:
		return edges[r & 15];
	case 1:
		return r & 0x7f;
	default:
		return next();
	}
}

static char line[256];

static uint64_t vector_operand(void)
{
	uint64_t r = next();

	switch (r >> 62) {
	case 0:
		return vector_edges[r & 31];
	case 1:
		return r & 0x0301030103010301;
	default:
		return next();
	}
}

/* A double, or two singles, near 1 or near an end of the range. */
static uint64_t float_operand(void)
{
	uint64_t r = next(), f = next();

	switch (r >> 61) {
	case 0:
	case 1:
		return vector_edges[r & 31];
	case 2:
		return (f & 0x800fffffffffffff) | (1023 - 32 + (r & 63)) << 52;
	case 3:
		return (f & 0x807fffff807fffff) | (127 - 16 + (r & 31)) << 23 | (127 - 16 + (r >> 5 & 31)) << 55;
	case 4:
		return (f & 0x800fffffffffffff) | (r & 1 ? r >> 1 & 63 : 2046 - (r >> 1 & 63)) << 52;
	case 5:
		return (f & 0x807fffff807fffff) | (r & 1 ? r >> 1 & 15 : 254 - (r >> 1 & 15)) << 23 | (r & 2 ? r >> 5 & 15 : 254 - (r >> 5 & 15)) << 55;
	case 6:
		return r & 0xff;
	default:
		return f;
	}
}

static uint32_t mxcsr(void)
{
	uint64_t r = next();
	uint32_t m = r & 7 ? 0x1f80 : (r & 0x1f80);

	m |= r >> 20 & 0x6000;
	if ((r >> 40 & 3) == 0)
		m |= 0x8000;
	if ((r >> 42 & 3) == 0)
		m |= 0x40;
	if ((r >> 44 & 3) == 0)
		m |= r >> 46 & 0x3f;
	return m;
}

static const uint16_t tops[8] = {0x3fff, 0x3ffe, 0x4000, 0x403e, 0x7ffe, 0x7fff, 0x0000, 0x0001};
static const uint64_t significands[8] = {
	0x8000000000000000, 0xffffffffffffffff, 0xc000000000000000, 0x8000000000000001, 0, 0xa000000000000000, 0xfffffffffffff800, 0x8000008000000000
};

/* 80 bits: what the FPU makes of numbers near 1, integers, the ends of the range, and things that are no numbers. */
static uint16_t extended(uint64_t *significand)
{
	uint64_t r = next(), f = next();
	uint16_t sign = r & 0x8000;

	switch (r >> 61) {
	case 0:
	case 1:
		*significand = significands[r & 7];
		return sign | tops[r >> 3 & 7];
	case 2:
		*significand = f | 1ull << 63;
		return sign | (0x3fff - 32 + (r & 63));
	case 3:
		*significand = (f & ~0ull << (r >> 20 & 63)) | 1ull << 63;
		return sign | (0x3fff + (r & 63));
	case 4:
		*significand = f | 1ull << 63;
		return sign | (r & 1 ? r >> 1 & 63 : 0x7ffe - (r >> 1 & 63));
	case 5:
		*significand = f >> (r & 63);
		return sign;
	case 6:
		*significand = f | 1ull << 63;
		return sign | (0x3fff + (r & 31) - (r >> 5 & 15));
	default:
		*significand = f;
		return r & 0xffff;
	}
}

static void fpu(void)
{
	static const uint16_t precision[4] = {0, 0x200, 0x300, 0x300};
	uint64_t r = next();
	uint16_t masks = r & 7 ? 0x3f : r >> 3 & 0x3f;
	int i;

	memset(state->fpu, 0, sizeof state->fpu);
	state->fpu[0] = 0x40 | masks | precision[r >> 10 & 3] | (r >> 2 & 0xc00);
	state->fpu[1] = (r >> 20 & 0x7f00) | (r >> 40 & masks);
	state->fpu[2] = r >> 50 & 3 ? 0xff : r >> 52 & 0xff;
	((uint32_t *)state->fpu)[6] = 0x1f80;
	for (i = 0; i < 8; i++) {
		uint64_t f;

		state->fpu[16 + 8 * i + 4] = extended(&f);
		memcpy(&state->fpu[16 + 8 * i], &f, 8);
	}
}

/* #DE is a result; whatever else an instruction raises, it should not be in the list. */
static void fault(int sig, siginfo_t *info, void *context)
{
	ucontext_t *c = context;

	(void)info;
	state->mxcsr = c->uc_mcontext.fpregs->mxcsr;
	if (sig != SIGFPE) {
		fprintf(stderr, "signal %d at %s", sig, line);
		_exit(3);
	}
	siglongjmp(escape, 1);
}

static uint8_t *absolute(uint8_t *p, int reg, int store, const void *at)
{
	uint32_t a = (uint32_t)(uintptr_t)at;

	*p++ = 0x48 | (reg >= 8 ? 4 : 0);
	*p++ = store ? 0x89 : 0x8b;
	*p++ = 0x04 | (reg & 7) << 3;
	*p++ = 0x25;
	memcpy(p, &a, 4);
	return p + 4;
}

/* VMOVUPS between a YMM register and its place. */
static uint8_t *vector(uint8_t *p, int reg, int store)
{
	uint32_t a = (uint32_t)(uintptr_t)&state->ymm[4 * reg];

	*p++ = 0xc5;
	*p++ = reg >= 8 ? 0x7c : 0xfc;
	*p++ = store ? 0x11 : 0x10;
	*p++ = 0x04 | (reg & 7) << 3;
	*p++ = 0x25;
	memcpy(p, &a, 4);
	return p + 4;
}

/* 0F AE: FXSAVE, FXRSTOR, LDMXCSR, STMXCSR. */
static uint8_t *special(uint8_t *p, int digit, const void *at)
{
	uint32_t a = (uint32_t)(uintptr_t)at;

	*p++ = 0x0f;
	*p++ = 0xae;
	*p++ = 0x04 | digit << 3;
	*p++ = 0x25;
	memcpy(p, &a, 4);
	return p + 4;
}

static uint8_t *stack(uint8_t *p, int opcode, int digit, const void *at)
{
	uint32_t a = (uint32_t)(uintptr_t)at;

	*p++ = opcode;
	*p++ = 0x04 | digit << 3;
	*p++ = 0x25;
	memcpy(p, &a, 4);
	return p + 4;
}

static void stub(const uint8_t *insn, int length, int kind)
{
	static const uint8_t save[] = {0x53, 0x55, 0x41, 0x54, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57};
	static const uint8_t restore[] = {0x41, 0x5f, 0x41, 0x5e, 0x41, 0x5d, 0x41, 0x5c, 0x5d, 0x5b, 0xfc, 0xc3};
	uint8_t *p = code;
	int r;

	memcpy(p, save, sizeof save);
	p += sizeof save;
	if (kind & FPU)
		p = special(p, 1, state->fpu);
	for (r = 0; r < 16; r++)
		p = vector(p, r, 0);
	p = special(p, 2, &state->mxcsr);
	p = stack(p, 0xff, 6, &state->flags);
	*p++ = 0x9d;
	for (r = 0; r < 16; r++)
		if (r != RSP)
			p = absolute(p, r, 0, &state->reg[r]);
	memcpy(p, insn, length);
	p += length;
	for (r = 0; r < 16; r++)
		if (r != RSP)
			p = absolute(p, r, 1, &state->reg[r]);
	*p++ = 0x9c;
	p = stack(p, 0x8f, 0, &state->flags);
	p = special(p, 3, &state->mxcsr);
	p = special(p, 2, &state->standard);
	for (r = 0; r < 16; r++)
		p = vector(p, r, 1);
	if (kind & FPU) {
		p = special(p, 0, state->fpu);
		*p++ = 0xdb;
		*p++ = 0xe3;
	}
	*p++ = 0xc5;
	*p++ = 0xf8;
	*p++ = 0x77;
	memcpy(p, restore, sizeof restore);
}

int main(void)
{
	char hex[64];
	unsigned mask;
	int kind, mem, cases;
	struct sigaction act = {.sa_sigaction = fault, .sa_flags = SA_NODEFER | SA_SIGINFO};

	if (mmap(state, 0x10000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED ||
	    mmap(code, 0x10000, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		return 1;
	state->standard = 0x1f80;
	sigaction(SIGFPE, &act, NULL);
	sigaction(SIGILL, &act, NULL);
	sigaction(SIGSEGV, &act, NULL);
	while (fgets(line, sizeof line, stdin)) {
		uint8_t insn[16];
		int length = 0, i;
		volatile int n;
		volatile uint64_t digest = 0;

		if (sscanf(line, "%63s %x %d %d", hex, &mask, &kind, &cases) != 4)
			return 2;
		mem = kind & MEM;
		for (; hex[2 * length]; length++) {
			unsigned byte;
			sscanf(hex + 2 * length, "%2x", &byte);
			insn[length] = byte;
		}
		seed = 0x9e3779b97f4a7c15ull;
		for (i = 0; i < length; i++)
			seed = (seed ^ insn[i]) * 0x100000001b3ull;
		printf("%s %x %d %d", hex, mask, kind, cases);
		stub(insn, length, kind);
		for (n = 0; n < cases; n++) {
			volatile int faulted = 0;

			for (i = 0; i < 16; i++)
				state->reg[i] = operand();
			state->flags = (next() & 0x8d5) | 0x202;
			for (i = 0; i < 2 * WORDS; i++)
				state->memory[i] = kind & (MXCSR | FPU) ? float_operand() : operand();
			for (i = 0; kind & VECTOR && i < 64; i++)
				state->ymm[i] = kind & MXCSR ? float_operand() : vector_operand();
			state->mxcsr = kind & MXCSR ? mxcsr() : 0x1f80;
			if (kind & FPU) {
				fpu();
				state->fpu[0] |= kind & INVALID_MASKED ? 1 : 0;
				if (next() & 1)
					state->memory[5] = extended(&state->memory[4]);
			}
			if (mem)
				state->reg[RBX] = (uint64_t)(uintptr_t)state->memory;
			if (sigsetjmp(escape, 1))
				faulted = 1;
			else
				((void (*)(void))code)();
			if (n % GROUP == 0)
				digest = 0xcbf29ce484222325ull;
			if (faulted) {
				digest = (digest ^ 0xde ^ (kind & MXCSR ? state->mxcsr : 0)) * 0x100000001b3ull;
			} else {
				for (i = 0; i < 16; i++)
					if (i != RSP && !(mem && i == RBX))
						digest = (digest ^ state->reg[i]) * 0x100000001b3ull;
				digest = (digest ^ (state->flags & mask & 0xffff)) * 0x100000001b3ull;
				for (i = 0; mem && i < 2 * WORDS; i++)
					digest = (digest ^ state->memory[i]) * 0x100000001b3ull;
				for (i = 0; kind & VECTOR && i < 64; i++)
					digest = (digest ^ state->ymm[i]) * 0x100000001b3ull;
				if (kind & MXCSR)
					digest = (digest ^ state->mxcsr) * 0x100000001b3ull;
				if (kind & FPU) {
					digest = (digest ^ state->fpu[0] ^ (uint64_t)(state->fpu[1] & mask >> 16) << 16 ^ (uint64_t)state->fpu[2] << 32) * 0x100000001b3ull;
					for (i = 0; i < 8; i++) {
						uint64_t f;

						memcpy(&f, &state->fpu[16 + 8 * i], 8);
						digest = (digest ^ f) * 0x100000001b3ull;
						digest = (digest ^ state->fpu[16 + 8 * i + 4]) * 0x100000001b3ull;
					}
				}
			}
			if (n % GROUP == GROUP - 1 || n == cases - 1)
				printf(" %08x", (uint32_t)(digest ^ digest >> 32));
		}
		putchar('\n');
	}
	return 0;
}
