// SPDX-License-Identifier: Apache-2.0
/*
 * libbpf without a kernel: bpf(2) is answered here, by writing down what was asked and saying that
 * it worked. So two loaders can be compared call by call.
 *
 *   libbpf BTF KALLSYMS CONFIG RELEASE FILE…      (the kernel's, as files; each FILE is loaded)
 *
 * Behind FILE's name may stand `:WORD,WORD…`: a PROGRAM to leave out, PROGRAM=FUNCTION to attach to
 * that. Prints `object FILE`, the calls a line each (libbpf.ts has the same form), `loaded ERRNO`.
 */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#define MAX_FDS 4096
#define VMLINUX "/sys/kernel/btf/vmlinux"
#define CPUS "/sys/devices/system/cpu/possible"

static const char *btf_path, *kallsyms_path, *release;
static char names[MAX_FDS][32];

static const char *name_of(int fd)
{
	return fd > 0 && fd < MAX_FDS ? names[fd] : "";
}

/* libbpf closes and duplicates what it gets, so descriptors are real ones. */
static int new_fd(const char *name)
{
	int fd = open("/dev/null", O_RDONLY);

	snprintf(names[fd], sizeof(names[fd]), "%s", name);
	return fd;
}

static void hex(const char *name, const void *bytes, size_t size)
{
	size_t i;

	printf(" %s=", name);
	for (i = 0; i < size; i++)
		printf("%02x", ((const unsigned char *)bytes)[i]);
}

static void print_program(union bpf_attr *attr)
{
	struct bpf_insn *insns = malloc(attr->insn_cnt * sizeof(*insns));
	unsigned int i;

	memcpy(insns, (void *)attr->insns, attr->insn_cnt * sizeof(*insns));
	printf("prog %s type=%u attach=%u flags=%u btf=%u maps=", attr->prog_name, attr->prog_type,
	       attr->expected_attach_type, attr->prog_flags, attr->attach_btf_id);
	for (i = 0; i < attr->insn_cnt; i++) {
		unsigned int source = insns[i].src_reg;

		if (insns[i].code != 0x18 || (source != BPF_PSEUDO_MAP_FD && source != BPF_PSEUDO_MAP_VALUE))
			continue;
		printf("%u:%s,", i, name_of(insns[i].imm));
		insns[i].imm = 0;
	}
	hex("insns", insns, attr->insn_cnt * sizeof(*insns));
	hex("funcs", (void *)attr->func_info, attr->func_info_cnt * attr->func_info_rec_size);
	hex("lines", (void *)attr->line_info, attr->line_info_cnt * attr->line_info_rec_size);
	printf("\n");
	free(insns);
}

static long answer(int command, union bpf_attr *attr)
{
	switch (command) {
	case BPF_MAP_CREATE:
		printf("map %s type=%u key=%u value=%u entries=%u flags=%u extra=%llu types=%u,%u,%u inner=%s\n",
		       attr->map_name, attr->map_type, attr->key_size, attr->value_size, attr->max_entries,
		       attr->map_flags, attr->map_extra, attr->btf_key_type_id, attr->btf_value_type_id,
		       attr->btf_vmlinux_value_type_id, name_of(attr->inner_map_fd));
		return new_fd(attr->map_name);
	case BPF_MAP_UPDATE_ELEM:
		printf("update %s key=%u\n", name_of(attr->map_fd), *(unsigned int *)attr->key);
		return 0;
	case BPF_MAP_FREEZE:
		printf("freeze %s\n", name_of(attr->map_fd));
		return 0;
	case BPF_BTF_LOAD:
		printf("btf");
		hex("data", (void *)attr->btf, attr->btf_size);
		printf("\n");
		return new_fd("btf");
	case BPF_PROG_LOAD:
		print_program(attr);
		return new_fd(attr->prog_name);
	case BPF_PROG_BIND_MAP:
		printf("bind %s %s\n", name_of(attr->prog_bind_map.prog_fd),
		       name_of(attr->prog_bind_map.map_fd));
		return 0;
	case BPF_OBJ_PIN:
	case BPF_MAP_LOOKUP_ELEM:
		return 0;
	default:
		errno = ENOENT;
		return -1;
	}
}

/* These stand before libc's, which libbpf would call. */
long syscall(long number, ...)
{
	static long (*real)(long, ...);
	long arg[6];
	va_list list;
	int i;

	va_start(list, number);
	for (i = 0; i < 6; i++)
		arg[i] = va_arg(list, long);
	va_end(list);
	if (number == SYS_bpf)
		return answer(arg[0], (union bpf_attr *)arg[1]);
	if (!real)
		real = dlsym(RTLD_NEXT, "syscall");
	return real(number, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
}

FILE *fopen(const char *path, const char *mode)
{
	static FILE *(*real)(const char *, const char *);

	if (!real)
		real = dlsym(RTLD_NEXT, "fopen");
	if (!strcmp(path, VMLINUX))
		path = btf_path;
	if (!strcmp(path, "/proc/kallsyms"))
		path = kallsyms_path;
	return real(path, mode);
}

FILE *fopen64(const char *path, const char *mode)
{
	return fopen(path, mode);
}

/* One CPU, as skep's bare machine has. */
int open64(const char *path, int flags, ...)
{
	if (!strcmp(path, CPUS)) {
		int ends[2];

		if (pipe(ends) == 0 && write(ends[1], "0\n", 2) == 2) {
			close(ends[1]);
			return ends[0];
		}
	}
	return openat(AT_FDCWD, strcmp(path, VMLINUX) ? path : btf_path, flags, 0);
}

int open(const char *path, int flags, ...)
{
	return open64(path, flags);
}

int access(const char *path, int mode)
{
	return strcmp(path, VMLINUX) ? faccessat(AT_FDCWD, path, mode, 0) : 0;
}

int uname(struct utsname *name)
{
	memset(name, 0, sizeof(*name));
	strcpy(name->sysname, "Linux");
	strcpy(name->machine, "x86_64");
	snprintf(name->release, sizeof(name->release), "%s", release);
	return 0;
}

static int print(enum libbpf_print_level level, const char *format, va_list list)
{
	return level == LIBBPF_DEBUG ? 0 : vfprintf(stderr, format, list);
}

static char *contents(const char *path)
{
	char *text = calloc(1, 1 << 20);
	FILE *file = fopen(path, "r");

	if (!file || !fread(text, 1, (1 << 20) - 1, file))
		exit(2);
	fclose(file);
	return text;
}

/* targets.ts settles the same. */
static void settle_map(struct bpf_map *map)
{
	unsigned int type = bpf_map__type(map);
	int storage = type == BPF_MAP_TYPE_SK_STORAGE || type == BPF_MAP_TYPE_TASK_STORAGE ||
		      type == BPF_MAP_TYPE_INODE_STORAGE || type == BPF_MAP_TYPE_CGROUP_STORAGE ||
		      type == BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE;

	if (bpf_map__pin_path(map))
		bpf_map__set_pin_path(map, NULL);
	if (!bpf_map__max_entries(map) && type != BPF_MAP_TYPE_PERF_EVENT_ARRAY && !storage)
		bpf_map__set_max_entries(map, 64);
	if (type == BPF_MAP_TYPE_STACK_TRACE && !bpf_map__value_size(map))
		bpf_map__set_value_size(map, 127 * 8);
}

static void load(char *file, const char *config)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .kconfig = config);
	char *words = strchr(file, ':'), *word, *state = NULL;
	struct bpf_program *program;
	struct bpf_object *object;
	struct bpf_map *map;

	if (words)
		*words++ = 0;
	printf("object %s\n", file);
	object = bpf_object__open_file(file, &options);
	if (!object) {
		printf("loaded %d\n", -errno);
		return;
	}
	bpf_object__for_each_program(program, object)
		bpf_program__set_autoload(program, true);
	for (word = words ? strtok_r(words, ",", &state) : NULL; word; word = strtok_r(NULL, ",", &state)) {
		char *target = strchr(word, '=');

		if (target)
			*target++ = 0;
		program = bpf_object__find_program_by_name(object, word);
		if (program && target)
			bpf_program__set_attach_target(program, 0, target);
		else if (program)
			bpf_program__set_autoload(program, false);
	}
	bpf_object__for_each_map(map, object)
		settle_map(map);
	printf("loaded %d\n", bpf_object__load(object));
	bpf_object__close(object);
}

int main(int count, char **words)
{
	char *config;
	int i;

	if (count < 5)
		return 2;
	btf_path = words[1];
	kallsyms_path = words[2];
	config = contents(words[3]);
	release = words[4];
	libbpf_set_print(print);
	for (i = 5; i < count; i++) {
		memset(names, 0, sizeof(names));
		load(words[i], config);
	}
	fflush(stdout);
	return 0;
}
