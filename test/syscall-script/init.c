// SPDX-License-Identifier: Apache-2.0
/*
 * Init of a real Linux in QEMU: runs the scripts of /script (see linux.ts for its lines) and writes
 * their answers to the second serial port.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <linux/btf.h>
#include <linux/capability.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#define MAX_STEPS 65536
#define MAX_BUFFERS 4096

static int results[MAX_STEPS];
static struct {
	char name[32];
	unsigned char *bytes;
	size_t size;
} buffers[MAX_BUFFERS];
static int buffer_count;

static size_t unhex(const char *text, unsigned char *out)
{
	size_t i, size = strcmp(text, "-") ? strlen(text) / 2 : 0;

	for (i = 0; i < size; i++)
		sscanf(text + 2 * i, "%2hhx", &out[i]);
	return size;
}

static int find_buffer(const char *name)
{
	int i;

	for (i = buffer_count - 1; i >= 0; i--)
		if (!strcmp(buffers[i].name, name))
			return i;
	return -1;
}

static const struct {
	const char *name;
	int bit;
} CAPS[] = { { "dac_override", 1 }, { "net_admin", 12 },  { "sys_ptrace", 19 },
	     { "sys_admin", 21 },   { "perfmon", 38 },	  { "bpf", 39 } };

/* all, none, or names with + between */
static void set_caps(const char *names)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	uint64_t wanted = strcmp(names, "all") ? 0 : ~0ull;
	char copy[128], *one, *state;
	size_t i;

	snprintf(copy, sizeof(copy), "%s", names);
	for (one = strtok_r(copy, "+", &state); one; one = strtok_r(NULL, "+", &state))
		for (i = 0; i < sizeof(CAPS) / sizeof(*CAPS); i++)
			if (!strcmp(one, CAPS[i].name))
				wanted |= 1ull << CAPS[i].bit;
	syscall(SYS_capget, &header, data);
	data[0].effective = data[0].permitted & (uint32_t)wanted;
	data[1].effective = data[1].permitted & (uint32_t)(wanted >> 32);
	syscall(SYS_capset, &header, data);
}

/* The kernel's type of that kind and name: func, typedef or struct. */
static uint32_t btf_id(const char *kind_name, const char *name)
{
	static char *btf;
	int fd, got, size = 0, kind;
	struct btf_header *header;
	char *at, *end, *strings;
	uint32_t id = 1;

	if (!btf) {
		btf = malloc(32 << 20);
		fd = open("/sys/kernel/btf/vmlinux", O_RDONLY);
		while ((got = read(fd, btf + size, 1 << 20)) > 0)
			size += got;
		close(fd);
	}
	kind = !strcmp(kind_name, "func") ? BTF_KIND_FUNC :
	       !strcmp(kind_name, "typedef") ? BTF_KIND_TYPEDEF : BTF_KIND_STRUCT;
	header = (void *)btf;
	at = btf + header->hdr_len + header->type_off;
	end = at + header->type_len;
	strings = btf + header->hdr_len + header->str_off;
	for (; at < end; id++) {
		struct btf_type *type = (void *)at;
		int vlen = BTF_INFO_VLEN(type->info);

		if (BTF_INFO_KIND(type->info) == kind && !strcmp(strings + type->name_off, name))
			return id;
		at += sizeof(*type);
		switch (BTF_INFO_KIND(type->info)) {
		case BTF_KIND_INT:
		case BTF_KIND_VAR:
		case BTF_KIND_DECL_TAG:
			at += 4;
			break;
		case BTF_KIND_ARRAY:
			at += sizeof(struct btf_array);
			break;
		case BTF_KIND_STRUCT:
		case BTF_KIND_UNION:
		case BTF_KIND_DATASEC:
		case BTF_KIND_ENUM64:
			at += 12 * vlen;
			break;
		case BTF_KIND_ENUM:
		case BTF_KIND_FUNC_PROTO:
			at += 8 * vlen;
			break;
		}
	}
	return 0;
}

static uint32_t tracepoint_id(const char *name)
{
	char path[256], text[16] = "";
	int fd;

	snprintf(path, sizeof(path), "/sys/kernel/tracing/events/%s/id", name);
	fd = open(path, O_RDONLY);
	read(fd, text, sizeof(text) - 1);
	close(fd);
	return atoi(text);
}

/*
 * $STEP: what it returned. @BUFFER: its address. ^BUFFER:AT: the word there. %func:NAME: the
 * kernel's BTF id; %tp:SYSTEM/NAME: of a tracepoint.
 */
static uint64_t value_of(const char *text)
{
	char copy[128], *colon;

	snprintf(copy, sizeof(copy), "%s", text);
	colon = strchr(copy, ':');
	switch (*copy) {
	case '$':
		return results[atoi(copy + 1)];
	case '@':
		return (uintptr_t)buffers[find_buffer(copy + 1)].bytes;
	case '^':
		*colon = 0;
		return *(uint32_t *)(buffers[find_buffer(copy + 1)].bytes + atoi(colon + 1));
	case '%':
		*colon = 0;
		return strcmp(copy, "%tp") ? btf_id(copy + 1, colon + 1) : tracepoint_id(colon + 1);
	}
	return strtoull(copy, NULL, 0);
}

static void fill(unsigned char *bytes, char *references, uint64_t *base)
{
	char *one, *state;

	for (one = strtok_r(references, " \n", &state); one; one = strtok_r(NULL, " \n", &state)) {
		char *to = strchr(one, ':') + 1;
		uint64_t value = value_of(to);

		if (!strncmp(one, "base", 4))
			*base = value;
		else
			memcpy(bytes + atoi(one), &value, *to == '@' ? 8 : 4);
	}
}

/* call STEP COMMAND HEX [AT:VALUE]... [base:VALUE] */
static void call(int step, int command, const char *hex, char *references)
{
	static unsigned char attr[8192], before[8192];
	size_t size = unhex(hex, attr), at;
	uint64_t base = 0;

	fill(attr, references, &base);
	memcpy(before, attr, sizeof(before));
	results[step] = syscall(SYS_bpf, command, attr, size);
	if (results[step] < 0)
		results[step] = -errno;
	printf("result %d %d", step, results[step]);
	for (at = 0; at + 4 <= size; at += 4)
		if (memcmp(attr + at, before + at, 4))
			printf(" %zu:%u", at, (uint32_t)(*(uint32_t *)(attr + at) - base));
	printf("\n");
}

/* sys STEP NUMBER VALUE... */
static void other_call(int step, int number, char *values)
{
	uint64_t args[6] = { 0 };
	char *one, *state;
	int n = 0;

	for (one = strtok_r(values, " \n", &state); one && n < 6; one = strtok_r(NULL, " \n", &state))
		args[n++] = value_of(one);
	results[step] = syscall(number, args[0], args[1], args[2], args[3], args[4], args[5]);
	if (results[step] < 0)
		results[step] = -errno;
	printf("result %d %d\n", step, results[step]);
}

static void set_uid(int uid)
{
	setresuid(0, 0, 0);
	set_caps("all");
	if (uid)
		setresuid(uid, uid, 0);
}

static void send_file(const char *path)
{
	size_t size = 0, room = 1 << 24, got;
	char *bytes = malloc(room);
	FILE *file = fopen(path, "r");

	while (file && (got = fread(bytes + size, 1, room - size, file)) > 0)
		size += got;
	printf("file %s %zu\n", path, size);
	fwrite(bytes, 1, size, stdout);
	printf("\n");
	free(bytes);
	if (file)
		fclose(file);
}

static void line(char *text)
{
	static char a[1 << 22], b[1 << 22], word[64];
	int n = 0, step, number;

	sscanf(text, "%63s%n", word, &n);
	text += n;
	if (!strcmp(word, "begin")) {
		set_uid(0);
		for (step = 3; step < 200; step++)
			close(step);
		while (buffer_count > 0)
			free(buffers[--buffer_count].bytes);
		printf("begin\n");
	} else if (!strcmp(word, "buf")) {
		size_t size;

		sscanf(text, "%s %zu %s%n", a, &size, b, &n);
		buffers[buffer_count].bytes = calloc(1, size + 16);
		buffers[buffer_count].size = size;
		snprintf(buffers[buffer_count].name, 32, "%s", a);
		unhex(b, buffers[buffer_count].bytes);
		uint64_t base;

		fill(buffers[buffer_count].bytes, text + n, &base);
		buffer_count++;
	} else if (!strcmp(word, "dump")) {
		size_t i;
		int found;

		sscanf(text, "%d %s", &step, a);
		found = find_buffer(a);
		printf("dump %d ", step);
		for (i = 0; i < buffers[found].size; i++)
			printf("%02x", buffers[found].bytes[i]);
		printf("\n");
	} else if (!strcmp(word, "text")) {
		sscanf(text, "%d %s", &step, a);
		number = strlen((char *)buffers[find_buffer(a)].bytes);
		printf("text %d %d\n", step, number);
		fwrite(buffers[find_buffer(a)].bytes, 1, number, stdout);
		printf("\n");
	} else if (!strcmp(word, "file")) {
		sscanf(text, "%s", a);
		send_file(a);
	} else if (!strcmp(word, "close")) {
		sscanf(text, " $%d", &step);
		close(results[step]);
	} else if (!strcmp(word, "caps")) {
		sscanf(text, "%s", a);
		set_caps(a);
	} else if (!strcmp(word, "uid")) {
		set_uid(atoi(text));
	} else if (!strcmp(word, "sysctl")) {
		sscanf(text, "%s %s", a, b);
		number = open(a, O_WRONLY);
		write(number, b, strlen(b));
		close(number);
	} else if (!strcmp(word, "sys")) {
		sscanf(text, "%d %d%n", &step, &number, &n);
		other_call(step, number, text + n);
	} else if (!strcmp(word, "call")) {
		sscanf(text, "%d %d %s%n", &step, &number, a, &n);
		call(step, number, a, text + n);
	}
	fflush(stdout);
}

int main(void)
{
	char *text = NULL;
	size_t room = 0;
	struct termios termios;
	cpu_set_t cpus;
	FILE *in;
	int fd;

	/* Where a call runs decides what LRU maps evict. */
	CPU_ZERO(&cpus);
	CPU_SET(0, &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("bpf", "/sys/fs/bpf", "bpf", 0, NULL);
	mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, NULL);
	umask(022);
	fd = open("/proc/sys/kernel/unprivileged_bpf_disabled", O_WRONLY);
	if (write(fd, "0", 1) < 0)
		perror("unprivileged_bpf_disabled");
	close(fd);
	fd = open("/dev/ttyS1", O_WRONLY | O_NOCTTY);
	tcgetattr(fd, &termios);
	cfmakeraw(&termios);
	tcsetattr(fd, TCSANOW, &termios);
	dup2(fd, 1);
	/* Away from the descriptors of scripts, which are closed between them. */
	in = fdopen(fcntl(open("/script", O_RDONLY), F_DUPFD, 500), "r");
	while (in && getline(&text, &room, in) > 0)
		line(text);
	printf("bye\n");
	fflush(stdout);
	tcdrain(1);
	reboot(RB_POWER_OFF);
	return 0;
}
