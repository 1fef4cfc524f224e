/** Statements on maps: every type that programs may use, looked up, changed, pushed, popped. */
import type { MapJson } from '../request.ts';
import { access } from './memory.ts';
import type { Random } from './random.ts';
import { NONE, SCALAR, type Value } from './state.ts';
import type { FunctionWriter } from './writer.ts';

const LOOKUP = 1;
const UPDATE = 2;
const DELETE = 3;
const PUSH = 87;
const POP = 88;
const PEEK = 89;
const LOOKUP_PERCPU = 195;

const NO_PREALLOC = 1;
const RDONLY_PROG = 0x80;
const MMAPABLE = 0x400;

const KEYED = [
  'array',
  'hash',
  'percpu_array',
  'percpu_hash',
  'lru_hash',
  'lru_percpu_hash',
  'lpm_trie',
] as const;
type Keyed = (typeof KEYED)[number];
const isArray = (type: Keyed): boolean => type === 'array' || type === 'percpu_array';

/** A few shapes only, so that a program's statements meet in the same maps. */
function keyedMap(random: Random): MapJson {
  const type = random.pick(KEYED);
  const valueBytes = random.pick([8, 16, 40]);
  if (isArray(type)) {
    const flags =
      type === 'array'
        ? random.weighted([
            [8, 0],
            [1, MMAPABLE],
            [1, RDONLY_PROG],
          ])
        : 0;
    return {
      type,
      key_size: 4,
      value_size: valueBytes,
      max_entries: random.pick([1, 4, 5]),
      map_flags: flags,
      init: [{ key: '00000000', value: '0102030405060708'.repeat(valueBytes / 8) }],
    };
  }
  const keyBytes = type === 'lpm_trie' ? 8 : random.pick([4, 8]);
  const hashFlags = type === 'hash' || type === 'percpu_hash' ? random.pick([0, NO_PREALLOC]) : 0;
  return {
    type,
    key_size: keyBytes,
    value_size: valueBytes,
    max_entries: random.pick([4, 8]),
    map_flags: type === 'lpm_trie' ? NO_PREALLOC : hashFlags,
    init: [{ key: '03000000'.padEnd(keyBytes * 2, '0'), value: 'a5'.repeat(valueBytes) }],
  };
}

/** Puts a key on the stack, often one that is there; its place. */
function putKey(w: FunctionWriter, map: MapJson): number {
  const { random } = w;
  const bytes = map.key_size;
  const at = w.scratch(bytes);
  if (map.type === 'lpm_trie') {
    w.emit('st32', {
      dst: 10,
      off: -at,
      imm: random.weighted([
        [8, random.below(33)],
        [1, 40],
      ]),
    });
    w.emit('st32', { dst: 10, off: -at + 4, imm: random.pick([0, 1, 3, 0x0a000000, -1]) });
  } else if (random.chance(0.2)) {
    const index = w.variable();
    w.emit('and64_imm', { dst: index, imm: 7 });
    w.emit(bytes === 8 ? 'stx64' : 'stx32', { dst: 10, src: index, off: -at });
  } else {
    const key = random.between(0, 5);
    w.emit(bytes === 8 ? 'st64' : 'st32', { dst: 10, off: -at, imm: key });
  }
  w.stored(at, bytes);
  return at;
}

/** Looks up and uses what is found; the pointer may stay for later. */
export function lookup(w: FunctionWriter, then: () => void): void {
  const { random } = w;
  const map = keyedMap(random);
  const index = w.program.map(map);
  const key = putKey(w, map);
  w.loadMap(1, index);
  w.stackPointer(2, key);
  const perCpu = String(map.type).includes('percpu') && random.chance(0.3);
  if (perCpu) w.emit('mov64_imm', { dst: 3, imm: random.pick([0, 0, 1, 7]) });
  w.callHelper(perCpu ? LOOKUP_PERCPU : LOOKUP, NONE);
  useFound(w, memoryOf(map), then);
}

function memoryOf(map: MapJson): Value {
  const isReadOnly = map.map_flags === RDONLY_PROG;
  return {
    kind: 'memory',
    bytes: map.value_size,
    place: 'aligned',
    access: isReadOnly ? 'r' : 'rw',
  };
}

/** r0 is a pointer or NULL: checks it in one of the usual ways and goes on. */
export function useFound(w: FunctionWriter, value: Value, then: () => void): void {
  const { random } = w;
  let pointer = 0;
  // The check of a copy tells about the original too.
  const keep = random.chance(0.5) ? w.keeper() : undefined;
  if (keep !== undefined) w.emit('mov64_reg', { dst: keep, src: 0 });
  const use = (): void => {
    w.set(0, value);
    if (keep !== undefined) w.set(keep, value);
    if (keep !== undefined && random.chance(0.5)) pointer = keep;
    access(w, pointer, value);
    then();
  };
  const form = random.below(3);
  if (keep !== undefined) w.set(keep, NONE);
  if (form === 0) return w.optional(w.emit('jeq64_imm', { dst: 0, imm: 0 }), use);
  if (form === 1) {
    const at = w.emit('jne64_imm', { dst: 0, imm: 0 });
    w.exit();
    w.land(at);
    return use();
  }
  return w.arms(
    w.emit('jne64_imm', { dst: 0, imm: 0 }),
    () => w.emit('mov64_imm', { dst: 0, imm: 3 }),
    use,
  );
}

export function change(w: FunctionWriter): void {
  const { random } = w;
  const map = keyedMap(random);
  if (map.map_flags === RDONLY_PROG && random.chance(0.95)) return;
  const index = w.program.map(map);
  const key = putKey(w, map);
  if (random.chance(0.3)) {
    w.loadMap(1, index);
    w.stackPointer(2, key);
    return w.callHelper(DELETE);
  }
  const value = w.scratch(map.value_size);
  if (value <= key + map.value_size && key <= value + map.key_size) return;
  if (!w.isData(value, map.value_size)) w.fill(value, map.value_size);
  w.loadMap(1, index);
  w.stackPointer(2, key);
  w.stackPointer(3, value);
  w.emit('mov64_imm', {
    dst: 4,
    imm: random.weighted([
      [6, 0],
      [2, 1],
      [2, 2],
      [1, 3],
    ]),
  });
  w.callHelper(UPDATE);
}

export function queue(w: FunctionWriter): void {
  const { random } = w;
  const map: MapJson = {
    type: random.pick(['queue', 'stack']),
    key_size: 0,
    value_size: 8,
    max_entries: 3,
    init: [{ key: '', value: '0807060504030201' }],
  };
  const index = w.program.map(map);
  const at = w.scratch(8);
  const helper = random.pick([PUSH, PUSH, POP, PEEK]);
  if (!w.isData(at, 8)) w.fill(at, 8);
  w.loadMap(1, index);
  w.stackPointer(2, at);
  if (helper === PUSH) w.emit('mov64_imm', { dst: 3, imm: random.pick([0, 0, 2, 1]) });
  w.callHelper(helper);
  if (helper !== PUSH) loadBack(w, at);
}

export function bloom(w: FunctionWriter): void {
  const { random } = w;
  const map: MapJson = { type: 'bloom_filter', key_size: 0, value_size: 8, max_entries: 16 };
  const index = w.program.map(map);
  const at = w.scratch(8);
  w.emit('st64', { dst: 10, off: -at, imm: random.below(4) });
  w.stored(at, 8);
  w.loadMap(1, index);
  w.stackPointer(2, at);
  const isPush = random.chance(0.5);
  if (isPush) w.emit('mov64_imm', { dst: 3, imm: 0 });
  w.callHelper(isPush ? PUSH : PEEK);
}

/** A map in a map: looked up, then looked up in. */
export function mapInMap(w: FunctionWriter, then: () => void): void {
  const { random } = w;
  const inner: MapJson = {
    type: random.pick(['array', 'hash']),
    key_size: 4,
    value_size: 16,
    max_entries: 4,
  };
  const innerIndex = w.program.map(inner);
  const outer = w.program.map({
    type: random.pick(['array_of_maps', 'hash_of_maps']),
    key_size: 4,
    value_size: 4,
    max_entries: 2,
    inner: innerIndex,
  });
  const key = w.scratch(8);
  w.emit('st32', { dst: 10, off: -key, imm: random.below(3) });
  w.stored(key, 4);
  w.loadMap(1, outer);
  w.stackPointer(2, key);
  w.callHelper(LOOKUP, NONE);
  const missing = w.emit('jeq64_imm', { dst: 0, imm: 0 });
  w.optional(missing, () => {
    w.emit('mov64_reg', { dst: 1, src: 0 });
    w.stackPointer(2, key);
    w.callHelper(LOOKUP, NONE);
    const value: Value = { kind: 'memory', bytes: 16, place: 'aligned', access: 'rw' };
    useFound(w, value, then);
  });
  if (w.get(0).kind === 'none') {
    w.emit('mov64_imm', { dst: 0, imm: 2 });
    w.set(0, SCALAR);
  }
}

/** Global data: the address of an array's value is a constant. */
export function globalData(w: FunctionWriter): void {
  const { random } = w;
  const bytes = 40;
  const index = w.program.map({
    type: 'array',
    key_size: 4,
    value_size: bytes,
    max_entries: 1,
    init: [{ key: '00000000', value: '807060504030201f'.repeat(bytes / 8) }],
  });
  const offset = random.chance(0.5) ? 0 : random.below(4) * 8;
  const dst = w.target();
  w.loadMap(dst, index, offset);
  const value: Value = { kind: 'memory', bytes: bytes - offset, place: 'aligned', access: 'rw' };
  w.set(dst, value);
  access(w, dst, value);
}

/** Brings what a helper left on the stack into a register. */
export function loadBack(w: FunctionWriter, at: number): void {
  const dst = w.target();
  w.emit('ldx64', { dst, src: 10, off: -at });
  w.set(dst, SCALAR);
}
