// Types that are hard to spell: what bpftool makes of them is odd_types.h.
typedef unsigned char u8;
typedef _Bool flag;
struct later;
union either;
enum shade { LIGHT, DARK = -1 };
enum wide { HUGE_VALUE = 0x100000000, SMALL_VALUE = 1 };
typedef enum { RED, GREEN, BLUE = 7 } colour;
enum { FIRST = 10, SECOND };

struct packed_one {
  u8 a;
  int b;
  short c;
} __attribute__((packed));

struct bits {
  unsigned a : 3;
  unsigned : 5;
  unsigned b : 9;
  unsigned : 0;
  u8 c : 2;
  long long d : 40;
  char tail;
};

struct gaps {
  char a;
  long b __attribute__((aligned(32)));
  char c;
  struct packed_one d[3];
  short e __attribute__((aligned(8)));
} __attribute__((aligned(64)));

struct node {
  struct node *next, **prev;
  struct later *later;
  union either *either;
  const volatile struct node *const self;
  int (*compare)(const struct node *, const struct node *);
  int (*none)(void);
  void (*many)(const char *format, ...);
  int (*(*factory)(int kind))(struct node *, colour);
  int (*table[4])(int);
  int (*rows)[3][5];
  char names[2][16];
  struct {
    int x, y;
    union {
      long as_long;
      struct { u8 low, high; } bytes;
    };
  } point;
  enum { NONE, SOME } how;
  float f;
  double g;
  __int128 big;
  char *restrict only;
  int flexible[];
};

#define user __attribute__((btf_type_tag("user")))
#define rcu __attribute__((btf_type_tag("rcu")))
struct tagged {
  int user *where;
  const struct node rcu *rcu *twice;
  struct node rcu *plain __attribute__((btf_decl_tag("first")));
};

typedef struct cell cell_t;
struct cell {
  cell_t *neighbour;
  flag alive;
  void (*visit)(cell_t *self, enum shade);
};
typedef int (*callback)(struct tagged *);
typedef void (*(*registrar)(const char *, callback))(void);
struct empty {};
struct holder {
  struct empty none;
  registrar how;
  enum wide wide;
  enum shade shade;
};

struct node *nodes;
struct bits *bits;
struct gaps *gaps;
struct tagged *tagged;
struct cell *cell;
struct holder *holder;
int last = SECOND;

/* Two scopes with types of one name. */
int one(void) {
  struct same { int a; enum { SHARED_NAME = 1 } e; } *p = (void *)nodes;
  typedef struct same same_t;
  same_t *q = p;
  return q->a;
}
int two(void) {
  struct same { long b; enum { SHARED_NAME = 2 } e; } *p = (void *)nodes;
  typedef struct same same_t;
  same_t *q = p;
  return q->b;
}
