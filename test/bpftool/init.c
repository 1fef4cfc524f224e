// SPDX-License-Identifier: Apache-2.0
/*
 * Init of a real Linux in QEMU: gives each line of /commands to a shell and writes what it printed
 * (both streams) to the second serial port: `@ STATUS BYTES`, then the bytes.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define OUTPUT "/tmp/output"

static int run(const char *command)
{
	int status, fd;
	pid_t child = fork();

	if (!child) {
		fd = open(OUTPUT, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		dup2(open("/dev/null", O_RDONLY), 0);
		dup2(fd, 1);
		dup2(fd, 2);
		setenv("PATH", "/bin", 1);
		setenv("HOME", "/", 1);
		execl("/bin/sh", "sh", "-c", command, NULL);
		_exit(127);
	}
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void send_output(FILE *out, int status)
{
	static char bytes[1 << 24];
	FILE *file = fopen(OUTPUT, "r");
	size_t size = file ? fread(bytes, 1, sizeof(bytes), file) : 0;

	if (file)
		fclose(file);
	fprintf(out, "@ %d %zu\n", status, size);
	fwrite(bytes, 1, size, out);
	fflush(out);
}

int main(void)
{
	struct termios termios;
	char *line = NULL;
	size_t room = 0;
	FILE *in, *out;

	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("bpf", "/sys/fs/bpf", "bpf", 0, NULL);
	mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, NULL);
	mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, NULL);
	mount("tmpfs", "/tmp", "tmpfs", 0, NULL);
	umask(022);
	out = fopen("/dev/ttyS1", "w");
	tcgetattr(fileno(out), &termios);
	cfmakeraw(&termios);
	tcsetattr(fileno(out), TCSANOW, &termios);
	in = fopen("/commands", "r");
	while (in && getline(&line, &room, in) > 0)
		send_output(out, run(line));
	fprintf(out, "bye\n");
	fflush(out);
	tcdrain(fileno(out));
	reboot(RB_POWER_OFF);
	return 0;
}
