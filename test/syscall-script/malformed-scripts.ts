/**
 * What is wrong with a program or with what it brings along: func_info, line_info, CO-RE records
 * and BTF whose sizes, counts, order, offsets or ids are not what they should be; programs that end
 * too soon. Each call with its log, where that is not huge.
 */
import type { Script, Value } from './script.ts';
import { scriptList, word, type Writer } from './writer.ts';

const { scripts, script } = scriptList(false);

type More = Readonly<Record<string, Value>>;

/** What BTF is made of, here by hand: names are offsets of these. */
const NAMES = '\0int\0a\0b\0c\0f.g\0 bad\x000\x000:0\x000:1\0'
  .split('')
  .reduce((hex, char) => hex + char.charCodeAt(0).toString(16).padStart(2, '0'), '');
const name = { anon: 0, int: 1, a: 5, b: 7, c: 9, dotted: 11, bad: 15, out: 4000 } as const;
/** Paths of CO-RE relocations. */
const [ZERO, ZERO_ZERO, ZERO_ONE] = [20, 22, 26];
const KIND = {
  int: 1, ptr: 2, array: 3, struct: 4, union: 5, enum: 6, fwd: 7, typedef: 8, volatile: 9, const: 10,
  restrict: 11, func: 12, func_proto: 13, var: 14, datasec: 15, float: 16, decl_tag: 17, type_tag: 18,
  enum64: 19,
} as const; // prettier-ignore
const type = (
  kind: keyof typeof KIND | number,
  nameOff: number,
  sizeOrType: number,
  rest: readonly number[] = [],
  vlen = 0,
  flag = 0,
): string =>
  [
    nameOff,
    (((typeof kind === 'number' ? kind : KIND[kind]) << 24) | vlen | (flag << 31)) >>> 0,
    sizeOrType,
    ...rest,
  ]
    .map(word)
    .join('');
const INT = type('int', name.int, 4, [0x01000020]);
const btfOf = (types: readonly string[], strings = NAMES): string => {
  const all = types.join('');
  const [typeBytes, stringBytes] = [all.length / 2, strings.length / 2];
  return `9feb0100${[24, 0, typeBytes, typeBytes, stringBytes].map(word).join('')}` + all + strings;
};

const LOG_BYTES = 4000;

/** btf_load, and its log where that is small. */
function loadBtf(w: Writer, types: readonly string[], withLog = true, strings = NAMES): string {
  const hex = btfOf(types, strings);
  const attr = { btf: w.buf(hex), btf_size: hex.length / 2 };
  if (!withLog) return w.call('btf_load', attr);
  const log = w.buf(LOG_BYTES);
  const fd = w.call('btf_load', {
    ...attr,
    btf_log_level: 1,
    btf_log_buf: log,
    btf_log_size: LOG_BYTES,
  });
  w.steps.push({ text: log.slice(1) });
  return fd;
}

/** Main program, a static function and a global one; types 4 to 6 are their functions. */
const ASM = 'r0 = 0\nr1 = 1\ncall pc+2\ncall pc+3\nexit\nr0 = 1\nexit\nr1 = 7 ll\nr0 = 2\nexit';
const SLOTS = 11;
const STARTS = [0, 5, 7];
const FUNCTIONS = [
  INT,
  type('func_proto', name.anon, 1),
  type('func_proto', name.anon, 0),
  type('func', name.a, 2, [], 1),
  type('func', name.b, 2, [], 0),
  type('func', name.c, 2, [], 1),
  type('ptr', name.anon, 1),
  type('struct', name.a, 4, [name.b, 1, 0], 1),
  type('func', name.c, 3, [], 0),
  type('func', name.c, 2, [], 2),
];
/** Zeros behind the rows, for whoever says that these are larger or more. */
const ROWS_BYTES = 1024;
const rows = (records: readonly (readonly number[])[]): string =>
  records
    .flat()
    .map(word)
    .join('')
    .padEnd(2 * ROWS_BYTES, '0');
const FUNC_INFO = STARTS.map((start, i) => [start, 4 + i]);
const LINE_INFO = [[0, 1, 5, 0x400], [2, 1, 5, 0x801], [5, 1, 7, 0xc00], [7, 1, 9, 0x1000]]; // prettier-ignore

function loader(w: Writer): (more: More, withLog?: boolean) => void {
  const btf = loadBtf(w, FUNCTIONS.slice(0, -1), false);
  const insns = w.asm(ASM);
  const license = w.text('GPL');
  return (more, withLog = true) => {
    const log = w.buf(LOG_BYTES);
    w.call('prog_load', {
      prog_type: 1,
      insns,
      insn_cnt: SLOTS,
      license,
      prog_btf_fd: btf,
      log_level: 1,
      log_buf: log,
      log_size: LOG_BYTES,
      ...more,
    });
    if (withLog) w.steps.push({ text: log.slice(1) });
  };
}

const funcInfo = (w: Writer, records: readonly (readonly number[])[], count = records.length) => ({
  func_info: w.buf(rows(records)),
  func_info_cnt: count,
  func_info_rec_size: 8,
});
const lineInfo = (w: Writer, records: readonly (readonly number[])[], count = records.length) => ({
  line_info: w.buf(rows(records)),
  line_info_cnt: count,
  line_info_rec_size: 16,
});

const SIZES = [
  0, 1, 4, 7, 8, 10, 12, 16, 20, 24, 250, 252, 256, 260, 0x1000, 0x7fffffff, 0xffffffff,
];
const COUNTS = [0, 1, 2, 4, 100, 1_000_000, 0x0fffffff, 0x10000000, 0x7fffffff, 0xffffffff];
const OFFSETS = [1, 4, 6, 8, 10, 11, 12, 1000, 0x7fffffff, 0x80000000, 0xffffffff];

script('func_info that is wrong', (w) => {
  const load = loader(w);
  const good = funcInfo(w, FUNC_INFO);
  load(good);
  for (const size of SIZES) load({ ...good, func_info_rec_size: size });
  for (const count of COUNTS) load({ ...good, func_info_cnt: count });
  load({ ...good, func_info: 0 });
  load({ ...good, func_info: 8 });
  load({ ...good, prog_btf_fd: 0 });
  for (let row = 0; row < 3; row++) {
    for (const offset of [0, 5, 7, ...OFFSETS]) {
      load(
        funcInfo(
          w,
          FUNC_INFO.map((one, i) => (i === row ? [offset, one[1]!] : one)),
        ),
      );
    }
    for (const id of [0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 0x7fffffff, 0x80000000, 0xffffffff]) {
      load(
        funcInfo(
          w,
          FUNC_INFO.map((one, i) => (i === row ? [one[0]!, id] : one)),
        ),
      );
    }
  }
  load(funcInfo(w, [...FUNC_INFO].reverse()));
  for (const tail of [0, 1]) {
    const long = { func_info: w.buf(rows(FUNC_INFO.map((one) => [...one, 0, tail]))) };
    load({ ...good, ...long, func_info_rec_size: 16 });
  }
});

script('line_info that is wrong', (w) => {
  const load = loader(w);
  const funcs = funcInfo(w, FUNC_INFO);
  const good = { ...funcs, ...lineInfo(w, LINE_INFO) };
  load(good);
  load({ ...good, func_info_cnt: 0 });
  for (const size of SIZES) load({ ...good, line_info_rec_size: size });
  for (const count of COUNTS) load({ ...good, line_info_cnt: count });
  load({ ...good, line_info: 0 });
  load({ ...good, line_info: 8 });
  for (let row = 0; row < LINE_INFO.length; row++) {
    const changed = (field: number, value: number) =>
      load({
        ...funcs,
        ...lineInfo(
          w,
          LINE_INFO.map((one, i) => one.map((own, j) => (i === row && j === field ? value : own))),
        ),
      });
    for (const offset of [0, 2, 5, 7, ...OFFSETS]) changed(0, offset);
    for (const field of [1, 2]) {
      for (const offset of [0, 4, 15, 20, 21, 22, 4000, 0xffffffff]) changed(field, offset);
    }
    changed(3, 0xffffffff);
    load({
      ...funcs,
      ...lineInfo(
        w,
        LINE_INFO.filter((_, i) => i !== row),
      ),
    });
  }
  load({ ...funcs, ...lineInfo(w, [...LINE_INFO].reverse()) });
  for (const tail of [0, 1]) {
    const long = { line_info: w.buf(rows(LINE_INFO.map((one) => [...one, tail]))) };
    load({ ...good, ...long, line_info_rec_size: 20 });
  }
});

script('CO-RE records that are wrong', (w) => {
  const load = loader(w);
  const funcs = funcInfo(w, FUNC_INFO);
  const core = (records: readonly (readonly number[])[], more: More = {}, withLog = true) =>
    load(
      {
        ...funcs,
        core_relos: w.buf(rows(records)),
        core_relo_cnt: records.length,
        core_relo_rec_size: 16,
        ...more,
      },
      withLog,
    );
  const record = [0, 1, 5, 6];
  for (const size of SIZES) core([record], { core_relo_rec_size: size });
  for (const count of COUNTS) core([record], { core_relo_cnt: count });
  core([record], { core_relos: 0 });
  core([record], { core_relos: 8 });
  core([record], { func_info_cnt: 0 });
  for (const offset of [1, 4, 7, 80, 88, 96, 0x7ffffff8, 0xfffffff8]) core([[offset, 1, 5, 6]]);
  // A path into `struct a { int b; }` and what that is not, of every kind and of none.
  for (let kind = 0; kind <= 14; kind++) {
    for (const path of [ZERO, ZERO_ZERO, ZERO_ONE, 0, 4000]) core([[80, 8, path, kind]], {}, false);
    for (const typeId of [1, 7, 99]) core([[80, typeId, ZERO, kind]], {}, false);
  }
  for (const tail of [0, 1])
    core([[...record, tail]], { core_relo_cnt: 1, core_relo_rec_size: 20 });
});

script('programs that end too soon, or jump where they must not', (w) => {
  const license = w.text('GPL');
  const load = (insns: string, count: number, more: More = {}) => {
    const log = w.buf(LOG_BYTES);
    const attr = { prog_type: 1, insns, insn_cnt: count, license };
    w.call('prog_load', { ...attr, log_level: 1, log_buf: log, log_size: LOG_BYTES, ...more });
    w.steps.push({ text: log.slice(1) });
  };
  const whole = w.asm(ASM);
  for (let count = 1; count <= SLOTS; count++) load(whole, count);
  const wide = w.asm('r0 = 1\nif r0 == 0x1 goto pc+1\nr1 = 5 ll\nexit');
  for (let count = 1; count <= 5; count++) load(wide, count);
  for (const target of [-4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 1000, -1000, 32767, -32768]) {
    load(
      w.asm(`r0 = 1\nif r0 == 0x1 goto pc${target < 0 ? '' : '+'}${target}\nr1 = 5 ll\nexit`),
      5,
    );
    load(w.asm(`r0 = 1\ngoto pc${target < 0 ? '' : '+'}${target}\nr1 = 5 ll\nexit`), 5);
    load(w.asm(`r0 = 1\ncall pc${target < 0 ? '' : '+'}${target}\nr1 = 5 ll\nexit`), 5);
  }
  const raw = (...slots: readonly string[]) =>
    load(w.buf([...slots, 'b700000000000000', '9500000000000000'].join('')), slots.length + 2);
  // The second half of a ld_imm64 that is something else; halves without the other.
  for (const half of ['0000000000000000', '0100000000000000', '0001000000000000', '0010000000000000', '0000010000000000', '0000000001000000']) raw('1801000000000000', half); // prettier-ignore
  raw('0000000000000000');
  raw('1801000000000000');
  // Not those of a kernel variable, for which the kernel's own types are looked at.
  for (const source of [0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]) {
    raw(`18${source.toString(16)}1000000000000`, '0000000000000000');
    raw(`18${source.toString(16)}1000001000000`, '0000000001000000');
  }
  for (let code = 0; code < 256; code++) raw(`${code.toString(16).padStart(2, '0')}00000000000000`);
});

script('BTF types that are wrong', (w) => {
  const load = (...types: readonly string[]) => void loadBtf(w, [INT, ...types]);
  for (let kind = 0; kind < 32; kind++) {
    for (const flag of [0, 1]) {
      for (const [nameOff, target, vlen] of [
        [0, 1, 0],
        [5, 1, 0],
        [0, 4, 0],
        [5, 4, 1],
        [0, 0, 0],
        [5, 0, 0],
      ] as const) {
        load(type(kind, nameOff, target, [], vlen, flag)); // prettier-ignore
        load(type(kind, nameOff, target, [0], vlen, flag));
        load(type(kind, nameOff, target, [1, 1, 0], vlen, flag));
      }
    }
  }
  for (const nameOff of [name.dotted, name.bad, 21, 22, name.out, 0xffffffff]) {
    load(type('typedef', nameOff, 1));
    load(type('struct', nameOff, 4, [name.a, 1, 0], 1));
    load(type('struct', name.a, 4, [nameOff, 1, 0], 1));
    load(type('func_proto', 0, 1, [nameOff, 1], 1));
    load(type('func_proto', 0, 1), type('func', nameOff, 2, [], 1));
    load(type('var', nameOff, 1, [1]));
    load(type('enum', nameOff, 4, [name.a, 1], 1));
    load(type('enum', name.a, 4, [nameOff, 1], 1));
    load(type('fwd', nameOff, 0));
    load(type('var', name.a, 1, [1]), type('datasec', nameOff, 4, [2, 0, 4], 1));
  }
});

script('BTF types that go round, or deep', (w) => {
  const load = (types: readonly string[], withLog = false) =>
    void loadBtf(w, [INT, ...types], withLog);
  const link = ['ptr', 'const', 'volatile', 'restrict', 'typedef'] as const;
  for (const kind of link) {
    const nameOff = kind === 'typedef' ? name.a : 0;
    load([type(kind, nameOff, 2)], true);
    load([type(kind, nameOff, 3), type(kind, nameOff, 2)], true);
    load([type(kind, nameOff, 3), type('struct', name.b, 8, [name.c, 2, 0], 1)], true);
    for (const length of [30, 31, 32, 33, 63, 64, 65, 1000, 3000]) {
      load(Array.from({ length }, (_, i) => type(kind, nameOff, i === length - 1 ? 1 : i + 3)));
      load(Array.from({ length }, (_, i) => type(kind, nameOff, i + 1)));
    }
  }
  for (const length of [30, 31, 32, 33, 64, 1000]) {
    load(
      Array.from({ length }, (_, i) => type('array', 0, 0, [i === length - 1 ? 1 : i + 3, 1, 1])),
    );
    load(Array.from({ length }, (_, i) => type('array', 0, 0, [i + 1, 1, 1])));
    load(Array.from({ length }, (_, i) => type('array', 0, 0, [i + 1, 1, 2])));
    load(Array.from({ length }, (_, i) =>
      type('struct', name.a, 4, [name.b, i === length - 1 ? 1 : i + 3, 0], 1))); // prettier-ignore
    load(Array.from({ length }, (_, i) => type('struct', name.a, 4, [name.b, i + 1, 0], 1)));
  }
  load([type('array', 0, 0, [2, 1, 1])], true);
  load([type('array', 0, 0, [1, 2, 1])], true);
  load([type('struct', name.a, 4, [name.b, 2, 0], 1)], true);
  load([type('struct', name.a, 4, [name.b, 3, 0], 1), type('array', 0, 0, [2, 1, 1])], true);
  load([type('func_proto', 0, 2)], true);
  load([type('func_proto', 0, 3, [0, 3], 1), type('ptr', 0, 2)], true);
  load([type('func', name.a, 2, [], 1)], true);
  load([type('decl_tag', name.a, 2, [0xffffffff])], true);
  load([type('type_tag', name.a, 2)], true);
});

script('BTF types that are large', (w) => {
  const load = (...types: readonly string[]) => void loadBtf(w, [INT, ...types], false);
  const MOST = 3000;
  const members = (count: number, of: (i: number) => readonly number[]) =>
    Array.from({ length: count }, (_, i) => of(i)).flat();
  const struct = (count: number, size: number, bits: number, flag: 0 | 1) =>
    type(
      'struct',
      name.a,
      size,
      members(count, (i) => [0, 1, (bits * i) >>> 0]),
      count,
      flag,
    );
  for (const flag of [0, 1] as const) {
    load(struct(MOST, 4 * MOST, 32, flag));
    load(struct(MOST, 4 * MOST - 1, 32, flag));
    load(struct(1000, 4, 0, flag));
  }
  load(
    type(
      'union',
      name.a,
      4,
      members(MOST, () => [0, 1, 0]),
      MOST,
    ),
  );
  load(
    type(
      'enum',
      name.a,
      4,
      members(MOST, (i) => [name.b, i]),
      MOST,
    ),
  );
  load(
    type(
      'enum64',
      name.a,
      8,
      members(MOST, (i) => [name.b, i, i]),
      MOST,
    ),
  );
  load(
    type(
      'func_proto',
      0,
      1,
      members(MOST, () => [0, 1]),
      MOST,
    ),
  );
  load(
    type(
      'func_proto',
      0,
      1,
      members(5, () => [0, 1]),
      5,
    ),
  );
  load(type('func_proto', 0, 1, [...members(4, () => [0, 1]), 0, 0], 5));
  load(type('func_proto', 0, 1, [0, 0, 0, 1], 2));
  load(type('var', name.a, 1, [1]), type('datasec', name.b, 4 * 1000, members(1000, (i) => [2, 4 * i, 4]), 1000)); // prettier-ignore
  // What says that it has more than there is.
  for (const kind of ['struct', 'union', 'enum', 'func_proto', 'datasec', 'enum64'] as const) {
    load(type(kind, kind === 'func_proto' ? 0 : name.a, 4, [0, 1, 0], 0xffff));
  }
  load(...Array.from({ length: 5000 }, () => type('ptr', 0, 1)));
  load(type('array', 0, 0, [1, 1, 0x40000000]));
  load(type('array', 0, 0, [1, 1, 0x3fffffff]));
  load(type('array', 0, 0, [1, 1, 0xffff]), type('array', 0, 0, [2, 1, 0xffff]));
  load(
    type('int', name.a, 16, [0x80]),
    type('int', name.b, 4, [0x21]),
    type('int', name.b, 3, [8]),
  );
  for (const bits of [0, 1, 8, 31, 33, 64, 128, 129, 255]) load(type('int', name.a, 4, [bits]));
  for (const size of [0, 1, 2, 3, 4, 8, 12, 16, 32]) {
    load(type('int', name.a, size, [size * 8]));
    load(type('float', name.a, size));
    load(type('enum', name.a, size, [name.b, 0], 1));
  }
});

export const malformedScripts: readonly Script[] = scripts;
