/*
 * Executes the transcendental instructions of the x87 FPU on the machine this runs on, and prints a line for each case: instruction in hexadecimal,
 * ST0 and ST1 before, status word, ST0 and ST1 afterwards; numbers as exponent:significand.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct extended {
	uint64_t significand;
	uint16_t top;
} __attribute__((packed));

static uint64_t seed = 0x9e3779b97f4a7c15ull;

/* xorshift64* */
static uint64_t next(void)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return seed * 0x2545f4914f6cdd1dull;
}

static const struct extended special[] = {
	{0, 0}, {0, 0x8000}, {1ull << 63, 0x3fff}, {1ull << 63, 0xbfff}, {1ull << 63, 0x7fff}, {1ull << 63, 0xffff}, {3ull << 62, 0x7fff},
	{0xa000000000000000, 0x7fff}, {0x123, 0}, {0xc000000000000000, 0x4000}, {0xc000000000000000, 0xc000}, {0xffffffffffffffff, 0x3ffe},
	{0xc90fdaa22168c235, 0x3fff}, {0xc90fdaa22168c235, 0x4000}, {1ull << 63, 0x3ffe}, {1ull << 63, 0x7ffe}
};

/* An exponent from low to high, or something special. */
static struct extended operand(int low, int high)
{
	struct extended e;
	uint64_t r = next();

	if (r >> 61 == 0)
		return special[r & 15];
	e.significand = next() | 1ull << 63;
	if (r >> 61 == 1)
		e.significand &= ~0ull << (r >> 8 & 63);
	e.top = (0x3fff + low + (int)(r >> 16 & 0xffff) % (high - low + 1)) | (r & 0x8000);
	return e;
}

int main(void)
{
	static const char *const code[8] = {"d9f0", "d9f1", "d9f9", "d9f2", "d9f3", "d9fe", "d9ff", "d9fb"};
	static const int ranges[8][4] = {{-90, -1, 0, 0}, {-40, 40, -40, 40}, {-90, -2, -40, 40}, {-80, 63, 0, 0}, {-90, 90, -90, 90}, {-80, 63, 0, 0}, {-80, 63, 0, 0}, {-80, 63, 0, 0}};
	int op, n;

	for (op = 0; op < 8; op++) {
		for (n = 0; n < 500; n++) {
			struct extended x = operand(ranges[op][0], ranges[op][1]), y = operand(ranges[op][2], ranges[op][3]);
			uint8_t area[108];
			struct extended *after = (struct extended *)(area + 28);
			uint16_t status;

			/* F2XM1 and FYL2XP1 are defined near 0 alone. */
			if ((op == 0 || op == 2) && (x.top & 0x7fff) >= 0x3fff)
				continue;
			switch (op) {
#define CASE(number, name) case number: asm volatile("fninit; fldt %2; fldt %1; " name "; fnsave %0" : "=m"(area) : "m"(x), "m"(y)); break
			CASE(0, "f2xm1");
			CASE(1, "fyl2x");
			CASE(2, "fyl2xp1");
			CASE(3, "fptan");
			CASE(4, "fpatan");
			CASE(5, "fsin");
			CASE(6, "fcos");
			CASE(7, "fsincos");
			}
			memcpy(&status, area + 4, 2);
			printf("%s %04x:%016lx %04x:%016lx %04x %04x:%016lx %04x:%016lx\n", code[op], x.top, x.significand, y.top, y.significand, status,
			       after[0].top, after[0].significand, after[1].top, after[1].significand);
		}
	}
	return 0;
}
