// SPDX-License-Identifier: Apache-2.0
/*
 * Init of a real Linux in QEMU: runs the scripts of /script (see linux.ts for its lines) and writes
 * their answers to the second serial port.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <linux/capability.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#define MAX_STEPS 8192
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

static void set_caps(const char *name)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	uint64_t wanted = 0;

	if (!strcmp(name, "all"))
		wanted = ~0ull;
	else if (strcmp(name, "none"))
		wanted = 1ull << 39;
	if (!strcmp(name, "perfmon"))
		wanted |= 1ull << 38;
	if (!strcmp(name, "net_admin"))
		wanted |= 1ull << 12;
	syscall(SYS_capget, &header, data);
	data[0].effective = data[0].permitted & (uint32_t)wanted;
	data[1].effective = data[1].permitted & (uint32_t)(wanted >> 32);
	syscall(SYS_capset, &header, data);
}

/* call STEP COMMAND HEX [AT:$N | AT:@NAME]... */
static void call(int step, int command, const char *hex, char *references)
{
	static unsigned char attr[8192], before[8192];
	size_t size = unhex(hex, attr), at;
	char *one, *state;

	for (one = strtok_r(references, " \n", &state); one; one = strtok_r(NULL, " \n", &state)) {
		char *to = strchr(one, ':') + 1;
		int offset = atoi(one);

		if (*to == '$') {
			memcpy(attr + offset, &results[atoi(to + 1)], 4);
		} else {
			uint64_t address = (uintptr_t)buffers[find_buffer(to + 1)].bytes;

			memcpy(attr + offset, &address, 8);
		}
	}
	memcpy(before, attr, sizeof(before));
	results[step] = syscall(SYS_bpf, command, attr, size);
	if (results[step] < 0)
		results[step] = -errno;
	printf("result %d %d", step, results[step]);
	for (at = 0; at + 4 <= size; at += 4)
		if (memcmp(attr + at, before + at, 4))
			printf(" %zu:%u", at, *(uint32_t *)(attr + at));
	printf("\n");
}

static void line(char *text)
{
	static char a[1 << 20], b[1 << 20], word[64];
	int n = 0, step, number;

	sscanf(text, "%63s%n", word, &n);
	text += n;
	if (!strcmp(word, "begin")) {
		set_caps("all");
		for (step = 3; step < 200; step++)
			close(step);
		buffer_count = 0;
		printf("begin\n");
	} else if (!strcmp(word, "buf")) {
		size_t size;

		sscanf(text, "%s %zu %s%n", a, &size, b, &n);
		buffers[buffer_count].bytes = calloc(1, size + 16);
		buffers[buffer_count].size = size;
		snprintf(buffers[buffer_count].name, 32, "%s", a);
		unhex(b, buffers[buffer_count].bytes);
		for (text += n; sscanf(text, " %d:$%d%n", &number, &step, &n) == 2; text += n)
			memcpy(buffers[buffer_count].bytes + number, &results[step], 4);
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
	} else if (!strcmp(word, "close")) {
		sscanf(text, " $%d", &step);
		close(results[step]);
	} else if (!strcmp(word, "caps")) {
		sscanf(text, "%s", a);
		set_caps(a);
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
