/*
 * Runs machine code on the host's own processor, for tests: Node-API module for x86-64 Linux.
 *
 *   reserve(bytes)       memory for code between guard pages; its address. At its start stand 128
 *                        stubs of 32 bytes, functions that call back into JavaScript
 *   write(address, code) copy code to behind the stubs
 *   run(entry, ctx, stackTop, helper, fixups)   rax, or the string that says how it ended
 *   addressOf(arrayBuffer)
 *
 * Code runs on the stack that it is given, with handlers for its faults; what it calls runs on the
 * host's. `fixups` is a list of [address, length, register]: a fault there zeroes the register and
 * goes on behind the instruction. `helper(index, a, b, c, d, e)` is called by stub `index`.
 */
#define _GNU_SOURCE
#include <node_api.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#define STUB_BYTES 32
#define STUBS 128
#define FIXUPS_MAX 256

typedef struct {
	uint64_t at, length, reg;
} fixup;

/* A run in progress. Runs do not nest: helpers of tests run no programs. */
static struct {
	napi_env env;
	napi_value helper;
	sigjmp_buf ended;
	struct sigaction before[4];
	fixup fixups[FIXUPS_MAX];
	uint32_t fixup_count;
	uint64_t fault_address;
	int signal;
} current;

static uint8_t *code_area;
static size_t code_bytes;
static const int SIGNALS[4] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL };
/* Where helper calls find the host's stack again. */
uint64_t skep_host_rsp;

/* rdi code, rsi ctx, rdx the stack's top: calls it there. */
extern uint64_t skep_enter(uint64_t code, uint64_t ctx, uint64_t top);
/* What stubs jump to, with their index in r11. */
extern void skep_helper_entry(void);

__asm__(".text\n"
	".globl skep_enter\n"
	"skep_enter:\n"
	"  push %rbx\n  push %rbp\n  push %r12\n  push %r13\n  push %r14\n  push %r15\n"
	"  sub $8, %rsp\n"
	"  mov skep_host_rsp@GOTPCREL(%rip), %rax\n"
	"  mov %rsp, (%rax)\n"
	"  mov %rdi, %rax\n"
	"  mov %rsi, %rdi\n"
	"  mov %rdx, %rsp\n"
	"  xor %ebp, %ebp\n"
	"  call *%rax\n"
	"  mov skep_host_rsp@GOTPCREL(%rip), %rcx\n"
	"  mov (%rcx), %rsp\n"
	"  add $8, %rsp\n"
	"  pop %r15\n  pop %r14\n  pop %r13\n  pop %r12\n  pop %rbp\n  pop %rbx\n"
	"  ret\n"
	".globl skep_helper_entry\n"
	"skep_helper_entry:\n"
	"  push %rbp\n"
	"  mov %rsp, %rbp\n"
	"  mov skep_host_rsp@GOTPCREL(%rip), %rax\n"
	"  mov (%rax), %rsp\n"
	"  and $-16, %rsp\n"
	"  mov %r11, %r9\n"
	"  call skep_call_helper@PLT\n"
	"  mov %rbp, %rsp\n"
	"  pop %rbp\n"
	/* What callees may change, they do. */
	"  mov $0x6b6b6b6b, %ecx\n  mov %rcx, %rdx\n  mov %rcx, %rsi\n  mov %rcx, %rdi\n"
	"  mov %rcx, %r8\n  mov %rcx, %r9\n  mov %rcx, %r10\n  mov %rcx, %r11\n"
	"  ret\n");

static void on_signal(int number, siginfo_t *info, void *context)
{
	/* In the order of x86's register numbers. */
	static const int REGS[16] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
				      REG_RSI, REG_RDI, REG_R8,	 REG_R9,  REG_R10, REG_R11,
				      REG_R12, REG_R13, REG_R14, REG_R15 };
	greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
	for (uint32_t i = 0; i < current.fixup_count; i++) {
		fixup *f = &current.fixups[i];
		if (f->at != (uint64_t)regs[REG_RIP])
			continue;
		regs[REGS[f->reg & 15]] = 0;
		regs[REG_RIP] += f->length;
		return;
	}
	current.signal = number;
	current.fault_address = (uint64_t)info->si_addr;
	siglongjmp(current.ended, 1);
}

static void catch_signals(void)
{
	struct sigaction action;
	memset(&action, 0, sizeof action);
	action.sa_sigaction = on_signal;
	action.sa_flags = SA_SIGINFO | SA_ONSTACK;
	for (int i = 0; i < 4; i++)
		sigaction(SIGNALS[i], &action, &current.before[i]);
}

static void release_signals(void)
{
	for (int i = 0; i < 4; i++)
		sigaction(SIGNALS[i], &current.before[i], NULL);
}

/* V8 has handlers of its own, which the WebAssembly in helpers may need. */
uint64_t skep_call_helper(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
			  uint64_t index)
{
	uint64_t args[5] = { a, b, c, d, e };
	napi_value argv[6], undefined, result;
	uint64_t value = 0;
	bool lossless;
	release_signals();
	napi_get_undefined(current.env, &undefined);
	napi_create_uint32(current.env, (uint32_t)index, &argv[0]);
	for (int i = 0; i < 5; i++)
		napi_create_bigint_uint64(current.env, args[i], &argv[1 + i]);
	napi_status status = napi_call_function(current.env, undefined, current.helper, 6, argv,
						&result);
	if (status != napi_ok ||
	    napi_get_value_bigint_uint64(current.env, result, &value, &lossless) != napi_ok) {
		current.signal = 0;
		siglongjmp(current.ended, 1);
	}
	catch_signals();
	return value;
}

static uint64_t u64_of(napi_env env, napi_value value)
{
	uint64_t result = 0;
	bool lossless;
	napi_get_value_bigint_uint64(env, value, &result, &lossless);
	return result;
}

static napi_value bigint(napi_env env, uint64_t value)
{
	napi_value result;
	napi_create_bigint_uint64(env, value, &result);
	return result;
}

static napi_value address_of(napi_env env, napi_callback_info info)
{
	size_t argc = 1, bytes;
	napi_value argv[1];
	void *data;
	napi_get_cb_info(env, info, &argc, argv, NULL, NULL);
	napi_get_arraybuffer_info(env, argv[0], &data, &bytes);
	return bigint(env, (uint64_t)data);
}

/* Stub i: r11 = i; jmp skep_helper_entry */
static void write_stub(uint8_t *at, uint64_t index)
{
	static const uint8_t MOVABS_R11[2] = { 0x49, 0xbb }, MOVABS_R10[2] = { 0x49, 0xba };
	static const uint8_t JMP_R10[3] = { 0x41, 0xff, 0xe2 };
	uint64_t entry = (uint64_t)skep_helper_entry;
	memcpy(at, MOVABS_R11, 2);
	memcpy(at + 2, &index, 8);
	memcpy(at + 10, MOVABS_R10, 2);
	memcpy(at + 12, &entry, 8);
	memcpy(at + 20, JMP_R10, 3);
}

/* The stubs, then room for code. */
static napi_value reserve(napi_env env, napi_callback_info info)
{
	size_t argc = 1;
	napi_value argv[1];
	uint32_t bytes = 0;
	napi_get_cb_info(env, info, &argc, argv, NULL, NULL);
	napi_get_value_uint32(env, argv[0], &bytes);
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t inside = (STUBS * STUB_BYTES + bytes + page - 1) / page * page;
	uint8_t *area = mmap(NULL, inside + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (area == MAP_FAILED || mprotect(area + page, inside, PROT_READ | PROT_WRITE) != 0) {
		napi_throw_error(env, NULL, "no memory for code");
		return NULL;
	}
	code_area = area + page;
	code_bytes = inside;
	for (uint64_t i = 0; i < STUBS; i++)
		write_stub(code_area + i * STUB_BYTES, i);
	return bigint(env, (uint64_t)code_area);
}

static napi_value write_code(napi_env env, napi_callback_info info)
{
	size_t argc = 2, bytes;
	napi_value argv[2];
	void *code;
	napi_get_cb_info(env, info, &argc, argv, NULL, NULL);
	uint8_t *at = (uint8_t *)u64_of(env, argv[0]);
	napi_get_typedarray_info(env, argv[1], NULL, &bytes, &code, NULL, NULL);
	if (at < code_area || at + bytes > code_area + code_bytes) {
		napi_throw_error(env, NULL, "no room for code there");
		return NULL;
	}
	mprotect(code_area, code_bytes, PROT_READ | PROT_WRITE);
	memcpy(at, code, bytes);
	mprotect(code_area, code_bytes, PROT_READ | PROT_EXEC);
	return NULL;
}

static void read_fixups(napi_env env, napi_value list)
{
	uint32_t length = 0;
	napi_get_array_length(env, list, &length);
	current.fixup_count = length / 3 < FIXUPS_MAX ? length / 3 : FIXUPS_MAX;
	for (uint32_t i = 0; i < current.fixup_count; i++) {
		uint64_t parts[3];
		for (uint32_t k = 0; k < 3; k++) {
			napi_value part;
			napi_get_element(env, list, 3 * i + k, &part);
			parts[k] = u64_of(env, part);
		}
		current.fixups[i] = (fixup){ parts[0], parts[1], parts[2] };
	}
}

static napi_value run(napi_env env, napi_callback_info info)
{
	size_t argc = 5;
	napi_value argv[5], result;
	stack_t signal_stack = { 0 }, before;
	napi_get_cb_info(env, info, &argc, argv, NULL, NULL);
	volatile uint64_t entry = u64_of(env, argv[0]);
	volatile uint64_t ctx = u64_of(env, argv[1]);
	volatile uint64_t top = u64_of(env, argv[2]);
	current.env = env;
	current.helper = argv[3];
	read_fixups(env, argv[4]);
	signal_stack.ss_size = 65536;
	signal_stack.ss_sp = malloc(signal_stack.ss_size);
	sigaltstack(&signal_stack, &before);
	catch_signals();
	if (sigsetjmp(current.ended, 1) == 0) {
		uint64_t rax = skep_enter(entry, ctx, top);
		release_signals();
		result = bigint(env, rax);
	} else if (current.signal != 0) {
		char text[64];
		release_signals();
		snprintf(text, sizeof text, "signal %d at %llx", current.signal,
			 (unsigned long long)current.fault_address);
		napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &result);
	} else {
		/* The helper threw; the exception is pending. */
		result = NULL;
	}
	sigaltstack(&before, NULL);
	free(signal_stack.ss_sp);
	return result;
}

static napi_value init(napi_env env, napi_value exports)
{
	static const struct {
		const char *name;
		napi_callback call;
	} FUNCTIONS[] = {
		{ "addressOf", address_of },
		{ "reserve", reserve },
		{ "write", write_code },
		{ "run", run },
	};
	for (size_t i = 0; i < sizeof FUNCTIONS / sizeof *FUNCTIONS; i++) {
		napi_value function;
		napi_create_function(env, FUNCTIONS[i].name, NAPI_AUTO_LENGTH, FUNCTIONS[i].call, NULL,
				     &function);
		napi_set_named_property(env, exports, FUNCTIONS[i].name, function);
	}
	return exports;
}

NAPI_MODULE(skep_native_x86, init)
