// SPDX-License-Identifier: Apache-2.0
/*
 * Executes instructions under qemu-aarch64: stdin holds cases, stdout gets each back as it is after
 * its code has run. Needs no libc.
 */
typedef unsigned long u64;
typedef unsigned int u32;

enum { REGISTERS = 16, BYTES = 256, WORDS = 8, BASE = 14 };

/* As native.test.ts lays it out. x14 comes and goes as an offset in `memory`. */
struct test_case {
	u64 registers[REGISTERS];
	unsigned char memory[BYTES];
	u32 code[WORDS];
};

static struct test_case test_case __attribute__((aligned(64)));

static long call(long number, long a, long b, long c, long d, long e, long f)
{
	register long x8 asm("x8") = number;
	register long x0 asm("x0") = a;
	register long x1 asm("x1") = b;
	register long x2 asm("x2") = c;
	register long x3 asm("x3") = d;
	register long x4 asm("x4") = e;
	register long x5 asm("x5") = f;

	asm volatile("svc #0"
		     : "+r"(x0)
		     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
		     : "memory");
	return x0;
}

/* x28 and x27 are kept by the code that is tested, which uses x0 to x15 only. */
void execute(u64 *registers, u32 *code);
asm("execute:\n"
    "	stp x29, x30, [sp, #-16]!\n"
    "	stp x27, x28, [sp, #-16]!\n"
    "	mov x28, x0\n"
    "	mov x27, x1\n"
    "	ldp x0, x1, [x28]\n"
    "	ldp x2, x3, [x28, #16]\n"
    "	ldp x4, x5, [x28, #32]\n"
    "	ldp x6, x7, [x28, #48]\n"
    "	ldp x8, x9, [x28, #64]\n"
    "	ldp x10, x11, [x28, #80]\n"
    "	ldp x12, x13, [x28, #96]\n"
    "	ldp x14, x15, [x28, #112]\n"
    "	blr x27\n"
    "	stp x0, x1, [x28]\n"
    "	stp x2, x3, [x28, #16]\n"
    "	stp x4, x5, [x28, #32]\n"
    "	stp x6, x7, [x28, #48]\n"
    "	stp x8, x9, [x28, #64]\n"
    "	stp x10, x11, [x28, #80]\n"
    "	stp x12, x13, [x28, #96]\n"
    "	stp x14, x15, [x28, #112]\n"
    "	ldp x27, x28, [sp], #16\n"
    "	ldp x29, x30, [sp], #16\n"
    "	ret\n");

/* What was written as data is fetched as code. */
static void publish(u32 *code)
{
	for (int i = 0; i < WORDS; i++)
		asm volatile("dc cvau, %0" : : "r"(code + i) : "memory");
	asm volatile("dsb ish" : : : "memory");
	for (int i = 0; i < WORDS; i++)
		asm volatile("ic ivau, %0" : : "r"(code + i) : "memory");
	asm volatile("dsb ish\n\tisb" : : : "memory");
}

/* Whole, or not at all. */
static int transfer(long number, long fd)
{
	char *at = (char *)&test_case;
	long left = sizeof(test_case);

	while (left > 0) {
		long done = call(number, fd, (long)at, left, 0, 0, 0);

		if (done <= 0)
			return 0;
		at += done;
		left -= done;
	}
	return 1;
}

void _start(void)
{
	enum { READ = 63, WRITE = 64, EXIT = 93, MMAP = 222 };
	enum { READ_WRITE_EXEC = 7, PRIVATE_ANONYMOUS = 0x22, PAGE = 4096 };
	u32 *code = (u32 *)call(MMAP, 0, PAGE, READ_WRITE_EXEC, PRIVATE_ANONYMOUS, -1, 0);

	while (transfer(READ, 0)) {
		for (int i = 0; i < WORDS; i++)
			code[i] = test_case.code[i];
		publish(code);
		test_case.registers[BASE] += (u64)test_case.memory;
		execute(test_case.registers, code);
		test_case.registers[BASE] -= (u64)test_case.memory;
		if (!transfer(WRITE, 1))
			break;
	}
	call(EXIT, 0, 0, 0, 0, 0, 0);
}
