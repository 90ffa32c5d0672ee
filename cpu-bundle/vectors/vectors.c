/*
 * Executes instructions on the machine this runs on, each with many register contents, and prints digests of what came out.
 *
 *   input   a line each: instruction in hexadecimal, mask of the flags that are defined,
 *           1 if RBX is to lead to memory + 2 if XMM registers count, number of cases
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

enum { GROUP = 64, RBX = 3, RSP = 4, WORDS = 8 };

/* At an absolute address below 2 GiB, so that the stub needs no register for it. */
struct state {
	uint64_t reg[16];
	uint64_t flags;
	uint64_t host_rsp;
	uint64_t pad[14];
	uint64_t memory[2 * WORDS];
	uint64_t xmm[32];
};

static struct state *const state = (struct state *)0x20000000;
static uint8_t *const code = (uint8_t *)0x20010000;
static sigjmp_buf escape;
static uint64_t seed;

static const uint64_t edges[16] = {
	0, 1, ~0ull, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff,
	0x7fffffffffffffff, 0x8000000000000000, 0x0123456789abcdef, 2
};

static const uint64_t xmm_edges[16] = {
	0, 0x3f8000003f800000, 0x3ff0000000000000, 0x4000000000000000, 0x7ff0000000000000, 0xfff0000000000000, 0x7f800000ff800000,
	0x8000000080000000, 0x8000000000000000, 0x7ff8000000000001, 0x7ff0000000000001, 0x7f8000017fc00001, 0x0000000100000001,
	0x41dfffffffc00000, 0x4f0000004effffff, 0xc1e0000000200000
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

static uint64_t xmm_operand(void)
{
	uint64_t r = next();

	return r >> 62 ? next() : xmm_edges[r & 15];
}

/* #DE is a result; whatever else an instruction raises, it should not be in the list. */
static void fault(int sig)
{
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

static uint8_t *vector(uint8_t *p, int reg, int store)
{
	uint32_t a = (uint32_t)(uintptr_t)&state->xmm[2 * reg];

	if (reg >= 8)
		*p++ = 0x44;
	*p++ = 0x0f;
	*p++ = store ? 0x11 : 0x10;
	*p++ = 0x04 | (reg & 7) << 3;
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

static void stub(const uint8_t *insn, int length)
{
	static const uint8_t save[] = {0x53, 0x55, 0x41, 0x54, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57};
	static const uint8_t restore[] = {0x41, 0x5f, 0x41, 0x5e, 0x41, 0x5d, 0x41, 0x5c, 0x5d, 0x5b, 0xfc, 0xc3};
	uint8_t *p = code;
	int r;

	memcpy(p, save, sizeof save);
	p += sizeof save;
	for (r = 0; r < 16; r++)
		p = vector(p, r, 0);
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
	for (r = 0; r < 16; r++)
		p = vector(p, r, 1);
	memcpy(p, restore, sizeof restore);
}

int main(void)
{
	char hex[64];
	unsigned mask;
	int kind, mem, cases;
	struct sigaction act = {.sa_handler = fault, .sa_flags = SA_NODEFER};

	if (mmap(state, 0x10000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED ||
	    mmap(code, 0x10000, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		return 1;
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
		mem = kind & 1;
		for (; hex[2 * length]; length++) {
			unsigned byte;
			sscanf(hex + 2 * length, "%2x", &byte);
			insn[length] = byte;
		}
		seed = 0x9e3779b97f4a7c15ull;
		for (i = 0; i < length; i++)
			seed = (seed ^ insn[i]) * 0x100000001b3ull;
		printf("%s %x %d %d", hex, mask, kind, cases);
		stub(insn, length);
		for (n = 0; n < cases; n++) {
			volatile int faulted = 0;

			for (i = 0; i < 16; i++)
				state->reg[i] = operand();
			state->flags = (next() & 0x8d5) | 0x202;
			for (i = 0; i < 2 * WORDS; i++)
				state->memory[i] = operand();
			for (i = 0; kind & 2 && i < 32; i++)
				state->xmm[i] = xmm_operand();
			if (mem)
				state->reg[RBX] = (uint64_t)(uintptr_t)state->memory;
			if (sigsetjmp(escape, 1))
				faulted = 1;
			else
				((void (*)(void))code)();
			if (n % GROUP == 0)
				digest = 0xcbf29ce484222325ull;
			if (faulted) {
				digest = (digest ^ 0xde) * 0x100000001b3ull;
			} else {
				for (i = 0; i < 16; i++)
					if (i != RSP && !(mem && i == RBX))
						digest = (digest ^ state->reg[i]) * 0x100000001b3ull;
				digest = (digest ^ (state->flags & mask)) * 0x100000001b3ull;
				for (i = 0; mem && i < 2 * WORDS; i++)
					digest = (digest ^ state->memory[i]) * 0x100000001b3ull;
				for (i = 0; kind & 2 && i < 32; i++)
					digest = (digest ^ state->xmm[i]) * 0x100000001b3ull;
			}
			if (n % GROUP == GROUP - 1 || n == cases - 1)
				printf(" %08x", (uint32_t)(digest ^ digest >> 32));
		}
		putchar('\n');
	}
	return 0;
}
