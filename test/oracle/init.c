// SPDX-License-Identifier: Apache-2.0
/*
 * The judge's only process: init of a real Linux kernel in QEMU. Reads requests from /requests
 * (in the initramfs), asks bpf(2), writes answers to the second serial port, powers off.
 *
 * Requests are lines of words, byte strings in hex ('-' is an empty one); see protocol.ts.
 * Answers: `answer N RESULT VERIFIED`, `log BYTES` followed by that many raw bytes,
 * `run RETVAL ERRNO DATA`, `entry MAP KEY VALUE`, `error TEXT`, `done N`.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#define LOG_BYTES (16u << 20)
#define PACKET_ROOM 65536
#define MAX_MAPS 64
#define MAX_RUNS 64

struct bytes {
	unsigned char *data;
	size_t size;
};

struct map {
	unsigned int type, key_size, value_size, max_entries, flags, key_id, value_id;
	int inner;
	int fd;
	/* As bpf(2) copies values: rounded and times the CPUs for per-CPU maps. */
	size_t user_value_size;
};

struct run {
	unsigned int repeat;
	struct bytes context, data;
};

struct request {
	unsigned int number, prog_type, attach_type, flags, unpriv, log_level, dump_maps, log_tail;
	unsigned int attach_btf_id;
	struct map maps[MAX_MAPS];
	int map_count;
	struct run runs[MAX_RUNS];
	int run_count;
	struct bytes insns, license, btf, func_info, line_info, map_btf;
	int btf_fds[MAX_MAPS + 1];
	int btf_fd_count;
	int failed;
};

static FILE *out;
static char *log_buffer;
static unsigned int cpu_count = 1;

static int bpf(int command, union bpf_attr *attr)
{
	int result = syscall(SYS_bpf, command, attr, sizeof(*attr));

	return result < 0 ? -errno : result;
}

static unsigned int nibble(char digit)
{
	return digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10;
}

static struct bytes unhex(const char *text)
{
	struct bytes bytes = { 0 };
	size_t i;

	if (!text || !strcmp(text, "-"))
		return bytes;
	bytes.size = strlen(text) / 2;
	bytes.data = malloc(bytes.size + 1);
	for (i = 0; i < bytes.size; i++)
		bytes.data[i] = nibble(text[2 * i]) << 4 | nibble(text[2 * i + 1]);
	bytes.data[bytes.size] = 0;
	return bytes;
}

static void write_hex(const unsigned char *data, size_t size)
{
	size_t i;

	if (!size)
		fputc('-', out);
	for (i = 0; i < size; i++)
		fprintf(out, "%02x", data[i]);
}

static void fail(struct request *request, const char *format, ...)
{
	va_list args;

	if (request->failed)
		return;
	request->failed = 1;
	va_start(args, format);
	fputs("error ", out);
	vfprintf(out, format, args);
	fputc('\n', out);
	va_end(args);
}

static int load_btf(struct request *request, struct bytes btf)
{
	union bpf_attr attr = { .btf = (uintptr_t)btf.data, .btf_size = btf.size };
	int fd = bpf(BPF_BTF_LOAD, &attr);

	if (fd < 0)
		fail(request, "btf_load: %d", -fd);
	else if (request->btf_fd_count < MAX_MAPS + 1)
		request->btf_fds[request->btf_fd_count++] = fd;
	return fd;
}

static int is_per_cpu(unsigned int type)
{
	return type == BPF_MAP_TYPE_PERCPU_HASH || type == BPF_MAP_TYPE_PERCPU_ARRAY ||
	       type == BPF_MAP_TYPE_LRU_PERCPU_HASH || type == BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE;
}

static void create_map(struct request *request, struct map *map)
{
	union bpf_attr attr = {
		.map_type = map->type,
		.key_size = map->key_size,
		.value_size = map->value_size,
		.max_entries = map->max_entries,
		.map_flags = map->flags,
		.btf_key_type_id = map->key_id,
		.btf_value_type_id = map->value_id,
	};

	if (map->inner >= 0 && map->inner < request->map_count)
		attr.inner_map_fd = request->maps[map->inner].fd;
	if (request->map_btf.size)
		attr.btf_fd = load_btf(request, request->map_btf);
	request->map_btf.size = 0;
	map->fd = bpf(BPF_MAP_CREATE, &attr);
	if (map->fd < 0)
		fail(request, "map_create: %d", -map->fd);
	map->user_value_size = map->value_size;
	if (is_per_cpu(map->type))
		map->user_value_size = ((map->value_size + 7) & ~7u) * cpu_count;
}

static void update(struct request *request, struct map *map, const void *key, const void *value)
{
	union bpf_attr attr = {
		.map_fd = map->fd,
		.key = map->key_size ? (uintptr_t)key : 0,
		.value = (uintptr_t)value,
	};
	int result = bpf(BPF_MAP_UPDATE_ELEM, &attr);

	if (result < 0)
		fail(request, "map_update_elem: %d", -result);
}

static int load(struct request *request, struct bytes insns, unsigned int log_level)
{
	union bpf_attr attr = {
		.prog_type = request->prog_type,
		.expected_attach_type = request->attach_type,
		.prog_flags = request->flags,
		.attach_btf_id = request->attach_btf_id,
		.insns = (uintptr_t)insns.data,
		.insn_cnt = insns.size / 8,
		.license = (uintptr_t)(request->license.data ? (char *)request->license.data : ""),
		.log_level = log_level,
	};

	log_buffer[0] = 0;
	if (log_level) {
		attr.log_buf = (uintptr_t)log_buffer;
		attr.log_size = LOG_BYTES;
	}
	if (request->btf.size)
		attr.prog_btf_fd = load_btf(request, request->btf);
	if (request->func_info.size) {
		attr.func_info = (uintptr_t)request->func_info.data;
		attr.func_info_cnt = request->func_info.size / 8;
		attr.func_info_rec_size = 8;
	}
	if (request->line_info.size) {
		attr.line_info = (uintptr_t)request->line_info.data;
		attr.line_info_cnt = request->line_info.size / 16;
		attr.line_info_rec_size = 16;
	}
	return bpf(BPF_PROG_LOAD, &attr);
}

static void set_imm(struct bytes insns, unsigned int index, int imm)
{
	if ((index + 1) * 8ul <= insns.size)
		memcpy(insns.data + index * 8 + 4, &imm, 4);
}

/* Effective capabilities off or on; permitted ones stay. */
static void set_effective(int on)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	int i;

	syscall(SYS_capget, &header, data);
	for (i = 0; i < 2; i++)
		data[i].effective = on ? data[i].permitted : 0;
	syscall(SYS_capset, &header, data);
}

static void test_run(int fd, struct run *run)
{
	static unsigned char data_out[PACKET_ROOM];
	union bpf_attr attr = {
		.test = {
			.prog_fd = fd,
			.repeat = run->repeat,
			.data_in = run->data.size ? (uintptr_t)run->data.data : 0,
			.data_size_in = run->data.size,
			.data_out = run->data.size ? (uintptr_t)data_out : 0,
			.data_size_out = run->data.size ? sizeof(data_out) : 0,
			.ctx_in = run->context.size ? (uintptr_t)run->context.data : 0,
			.ctx_size_in = run->context.size,
		},
	};
	int result = bpf(BPF_PROG_TEST_RUN, &attr);

	fprintf(out, "run %u %d ", result < 0 ? 0 : attr.test.retval, result < 0 ? -result : 0);
	write_hex(data_out, result < 0 || !run->data.size ? 0 : attr.test.data_size_out);
	fputc('\n', out);
}

static unsigned int verified_insns(int fd)
{
	struct bpf_prog_info info = { 0 };
	union bpf_attr attr = {
		.info = { .bpf_fd = fd, .info_len = sizeof(info), .info = (uintptr_t)&info },
	};

	return bpf(BPF_OBJ_GET_INFO_BY_FD, &attr) < 0 ? 0 : info.verified_insns;
}

static void dump_map(int index, struct map *map)
{
	unsigned char *key = NULL, *next = malloc(map->key_size + 1);
	unsigned char *value = malloc(map->user_value_size + 8);

	for (;;) {
		union bpf_attr attr = {
			.map_fd = map->fd,
			.key = (uintptr_t)key,
			.next_key = (uintptr_t)next,
		};

		if (bpf(BPF_MAP_GET_NEXT_KEY, &attr) < 0)
			break;
		attr = (union bpf_attr){
			.map_fd = map->fd,
			.key = (uintptr_t)next,
			.value = (uintptr_t)value,
		};
		if (bpf(BPF_MAP_LOOKUP_ELEM, &attr) >= 0) {
			fprintf(out, "entry %d ", index);
			write_hex(next, map->key_size);
			fputc(' ', out);
			write_hex(value, map->user_value_size);
			fputc('\n', out);
		}
		if (!key)
			key = malloc(map->key_size + 1);
		memcpy(key, next, map->key_size);
	}
	free(key);
	free(next);
	free(value);
}

static void answer(struct request *request)
{
	const char *text = log_buffer;
	size_t size;
	int fd, i;

	if (!request->failed) {
		set_effective(!request->unpriv);
		fd = load(request, request->insns, request->log_level);
		set_effective(1);
		size = strlen(log_buffer);
		if (request->log_tail && size > request->log_tail) {
			text += size - request->log_tail;
			size = request->log_tail;
		}
		fprintf(out, "answer %u %d %u\n", request->number, fd, fd < 0 ? 0 : verified_insns(fd));
		fprintf(out, "log %zu\n", size);
		fwrite(text, 1, size, out);
		fputc('\n', out);
		if (fd >= 0) {
			for (i = 0; i < request->run_count; i++)
				test_run(fd, &request->runs[i]);
			close(fd);
		}
		if (request->dump_maps)
			for (i = 0; i < request->map_count; i++)
				dump_map(i, &request->maps[i]);
	}
	fprintf(out, "done %u\n", request->number);
	fflush(out);
}

static void release(struct request *request)
{
	int i;

	for (i = 0; i < request->map_count; i++)
		if (request->maps[i].fd >= 0)
			close(request->maps[i].fd);
	for (i = 0; i < request->btf_fd_count; i++)
		close(request->btf_fds[i]);
	free(request->insns.data);
	free(request->license.data);
	free(request->btf.data);
	free(request->func_info.data);
	free(request->line_info.data);
	for (i = 0; i < request->run_count; i++) {
		free(request->runs[i].context.data);
		free(request->runs[i].data.data);
	}
	memset(request, 0, sizeof(*request));
}

/* The words after the first one of a line. */
static void line(struct request *request, char *word, char *words[], int count)
{
	unsigned int n[8] = { 0 };
	int i;

	for (i = 0; i < count && i < 8; i++)
		n[i] = strtol(words[i], NULL, 10);
	if (!strcmp(word, "request")) {
		request->number = n[0];
		request->prog_type = n[1];
		request->attach_type = n[2];
		request->flags = n[3];
		request->unpriv = n[4];
		request->log_level = n[5];
		request->dump_maps = n[6];
		request->log_tail = n[7];
	} else if (!strcmp(word, "map-btf")) {
		request->map_btf = unhex(words[0]);
	} else if (!strcmp(word, "map") && request->map_count < MAX_MAPS) {
		struct map *map = &request->maps[request->map_count];

		*map = (struct map){ n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7], -1, 0 };
		create_map(request, map);
		request->map_count++;
	} else if (!strcmp(word, "init") && (int)n[0] < request->map_count) {
		struct map *map = &request->maps[n[0]];
		struct bytes key = unhex(words[1]), value = unhex(words[2]);
		unsigned char *whole = calloc(1, map->user_value_size + 8);

		if (value.size)
			memcpy(whole, value.data,
			       value.size < map->user_value_size ? value.size : map->user_value_size);
		update(request, map, key.data, whole);
		free(key.data);
		free(value.data);
		free(whole);
	} else if (!strcmp(word, "prog") && (int)n[0] < request->map_count) {
		struct bytes insns = unhex(words[3]);
		int self = (int)n[2], fd;

		if (self >= 0)
			set_imm(insns, self, request->maps[n[0]].fd);
		fd = load(request, insns, 0);
		if (fd < 0)
			fail(request, "progs: %d", -fd);
		else
			update(request, &request->maps[n[0]], &n[1], &fd);
		if (fd >= 0)
			close(fd);
		free(insns.data);
	} else if (!strcmp(word, "insns")) {
		request->insns = unhex(words[0]);
	} else if (!strcmp(word, "license")) {
		request->license = unhex(words[0]);
	} else if (!strcmp(word, "attach-btf-id")) {
		request->attach_btf_id = n[0];
	} else if (!strcmp(word, "btf")) {
		request->btf = unhex(words[0]);
	} else if (!strcmp(word, "func-info")) {
		request->func_info = unhex(words[0]);
	} else if (!strcmp(word, "line-info")) {
		request->line_info = unhex(words[0]);
	} else if (!strcmp(word, "fixup") && (int)n[1] < request->map_count) {
		set_imm(request->insns, n[0], request->maps[n[1]].fd);
	} else if (!strcmp(word, "run") && request->run_count < MAX_RUNS) {
		struct run *run = &request->runs[request->run_count++];

		run->repeat = n[0];
		run->context = unhex(words[1]);
		run->data = unhex(words[2]);
	} else if (!strcmp(word, "end")) {
		answer(request);
		release(request);
	}
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0)
		perror(path);
	close(fd);
}

static void raw_serial(int fd)
{
	struct termios termios;

	tcgetattr(fd, &termios);
	cfmakeraw(&termios);
	tcsetattr(fd, TCSANOW, &termios);
}

int main(void)
{
	static struct request request;
	char *text = NULL;
	size_t room = 0;
	FILE *in;
	int fd;

	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	write_file("/proc/sys/kernel/unprivileged_bpf_disabled", "0");
	write_file("/proc/sys/net/core/bpf_jit_enable", "1");
	write_file("/proc/sys/kernel/printk", "1 1 1 1");
	cpu_count = sysconf(_SC_NPROCESSORS_CONF);
	fd = open("/dev/ttyS1", O_WRONLY | O_NOCTTY);
	raw_serial(fd);
	out = fdopen(fd, "w");
	setvbuf(out, NULL, _IOFBF, 1 << 16);
	log_buffer = malloc(LOG_BYTES);
	in = fopen("/requests", "r");
	fputs("ready\n", out);
	fflush(out);
	while (in && getline(&text, &room, in) > 0) {
		char *words[8] = { 0 }, *state, *word = strtok_r(text, " \n", &state);
		int count = 0;

		if (!word)
			continue;
		while (count < 8 && (words[count] = strtok_r(NULL, " \n", &state)))
			count++;
		line(&request, word, words, count);
	}
	fputs("bye\n", out);
	fflush(out);
	tcdrain(fd);
	reboot(RB_POWER_OFF);
	return 0;
}
