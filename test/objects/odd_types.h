#ifndef __VMLINUX_H__
#define __VMLINUX_H__

#ifndef BPF_NO_PRESERVE_ACCESS_INDEX
#pragma clang attribute push (__attribute__((preserve_access_index)), apply_to = record)
#endif

struct later;

union either;

typedef enum {
	RED = 0,
	GREEN = 1,
	BLUE = 7,
} colour;

typedef unsigned char u8;

struct node {
	struct node *next;
	struct node **prev;
	struct later *later;
	union either *either;
	volatile const struct node * const self;
	int (*compare)(const struct node *, const struct node *);
	int (*none)(void);
	void (*many)(const char *, ...);
	int (* (*factory)(int))(struct node *, colour);
	int (*table[4])(int);
	int (*rows)[3][5];
	char names[2][16];
	struct {
		int x;
		int y;
		union {
			long as_long;
			struct {
				u8 low;
				u8 high;
			} bytes;
		};
	} point;
	enum {
		NONE = 0,
		SOME = 1,
	} how;
	float f;
	double g;
	__int128 big;
	char * restrict only;
	int flexible[0];
	long: 64;
};

struct bits {
	unsigned int a: 3;
	char: 5;
	unsigned int b: 9;
	int: 15;
	u8 c: 2;
	long: 30;
	long long d: 40;
	char tail;
};

struct packed_one {
	u8 a;
	int b;
	short c;
} __attribute__((packed));

struct gaps {
	char a;
	long: 64;
	long: 64;
	long: 64;
	long b;
	char c;
	struct packed_one d[3];
	long: 0;
	short e;
	long: 64;
	long: 64;
	long: 64;
	long: 64;
	long: 64;
	long: 64;
	long: 64;
};

struct tagged {
	int __attribute__((btf_type_tag("user"))) *where;
	const struct node __attribute__((btf_type_tag("rcu"))) * __attribute__((btf_type_tag("rcu"))) *twice;
	struct node __attribute__((btf_type_tag("rcu"))) *plain;
};

typedef _Bool flag;

enum shade {
	LIGHT = 0,
	DARK = -1,
};

struct cell;

typedef struct cell cell_t;

struct cell {
	cell_t *neighbour;
	flag alive;
	void (*visit)(cell_t *, enum shade);
};

struct empty {};

typedef int (*callback)(struct tagged *);

typedef void (* (*registrar)(const char *, callback))(void);

enum wide {
	HUGE_VALUE = 4294967296ULL,
	SMALL_VALUE = 1ULL,
};

struct holder {
	struct empty none;
	registrar how;
	enum wide wide;
	enum shade shade;
};

#ifndef BPF_NO_PRESERVE_ACCESS_INDEX
#pragma clang attribute pop
#endif

#endif /* __VMLINUX_H__ */
