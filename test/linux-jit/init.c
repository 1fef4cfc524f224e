// SPDX-License-Identifier: Apache-2.0
/*
 * Init of a real Linux in QEMU that is asked for its JIT's code: each line of /requests is an XDP
 * program in hex, in which a ld_imm64 of a map has the map's number as its descriptor. Answers, one
 * line each, go to the second serial port, of AArch64 to the first: the code in hex, or `error ERRNO`.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#define MAPS 6
#ifdef __aarch64__
#define ANSWERS "/dev/ttyAMA0"
#else
#define ANSWERS "/dev/ttyS1"
#endif
#define LD_IMM64 (BPF_LD | BPF_IMM | BPF_DW)

static char line[1 << 20];
static struct bpf_insn insns[1 << 16];
static unsigned char code[1 << 20];

static int bpf(int command, union bpf_attr *attr)
{
	int result = syscall(SYS_bpf, command, attr, sizeof(*attr));

	return result < 0 ? -errno : result;
}

static int make_map(int type, int value_size)
{
	union bpf_attr attr = {
		.map_type = type, .key_size = 4, .value_size = value_size, .max_entries = 4
	};

	return bpf(BPF_MAP_CREATE, &attr);
}

static unsigned int nibble(char digit)
{
	return digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10;
}

static unsigned int read_program(const int *maps)
{
	size_t count = strlen(line) / 16;
	unsigned char *bytes = (unsigned char *)insns;

	for (size_t i = 0; i < 8 * count; i++)
		bytes[i] = nibble(line[2 * i]) << 4 | nibble(line[2 * i + 1]);
	for (size_t i = 0; i < count; i++) {
		if (insns[i].code != LD_IMM64)
			continue;
		if (insns[i].src_reg == BPF_PSEUDO_MAP_FD)
			insns[i].imm = maps[insns[i].imm % MAPS];
		i++;
	}
	return count;
}

static void answer(FILE *out, unsigned int count)
{
	union bpf_attr load = {
		.prog_type = BPF_PROG_TYPE_XDP,
		.insns = (uintptr_t)insns,
		.insn_cnt = count,
		.license = (uintptr_t) "GPL",
	};
	struct bpf_prog_info info = {
		.jited_prog_insns = (uintptr_t)code,
		.jited_prog_len = sizeof(code),
	};
	int fd = bpf(BPF_PROG_LOAD, &load);
	union bpf_attr ask = {
		.info = { .bpf_fd = fd, .info_len = sizeof(info), .info = (uintptr_t)&info },
	};
	int error = fd < 0 ? fd : bpf(BPF_OBJ_GET_INFO_BY_FD, &ask);

	if (error < 0) {
		fprintf(out, "error %d\n", -error);
	} else {
		for (unsigned int i = 0; i < info.jited_prog_len; i++)
			fprintf(out, "%02x", code[i]);
		fputc('\n', out);
	}
	if (fd >= 0)
		close(fd);
}

int main(void)
{
	struct termios raw;
	FILE *in, *out;
	int maps[MAPS];

	mount("dev", "/dev", "devtmpfs", 0, NULL);
	out = fopen(ANSWERS, "w");
	tcgetattr(fileno(out), &raw);
	cfmakeraw(&raw);
	tcsetattr(fileno(out), TCSANOW, &raw);
	maps[0] = make_map(BPF_MAP_TYPE_ARRAY, 8);
	maps[1] = make_map(BPF_MAP_TYPE_HASH, 8);
	maps[2] = make_map(BPF_MAP_TYPE_LRU_HASH, 8);
	maps[3] = make_map(BPF_MAP_TYPE_PROG_ARRAY, 4);
	maps[4] = make_map(BPF_MAP_TYPE_ARRAY, 12);
	maps[5] = make_map(BPF_MAP_TYPE_PERCPU_ARRAY, 8);
	in = fopen("/requests", "r");
	while (in && fgets(line, sizeof(line), in))
		answer(out, read_program(maps));
	fflush(out);
	tcdrain(fileno(out));
	reboot(RB_POWER_OFF);
	return 0;
}
