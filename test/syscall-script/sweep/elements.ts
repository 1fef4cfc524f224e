/**
 * The element commands, swept: every type that needs no subsystem of its own for its values, each
 * command, flag and bad pointer, with the key there and not, maps full, frozen, and opened for
 * reading or writing only. Types whose values are sockets, devices and the like run on a whole
 * kernel.
 */
import type { BpfCommand, MapType } from '../../../bpf/uapi.ts';
import { loadBtf } from '../kernel-objects.ts';
import type { Values } from '../kernel-objects.ts';
import type { Script, Value } from '../script.ts';
import { quad, word, Writer } from '../writer.ts';
import { basis, BTF_ID, taken } from './basis.ts';

const ENTRIES = 4;
/** BPF_F_ZERO_SEED: hashes agree, and with them the order of iteration. */
const ZERO_SEED = 0x40;
/** Bytes of a value of 8 on two CPUs. */
const PERCPU_BYTES = 16;
const BAD_ADDRESS = 8;

const BARE_TYPES: readonly MapType[] = [
  'hash',
  'array',
  'percpu_hash',
  'percpu_array',
  'lru_hash',
  'lru_percpu_hash',
  'lpm_trie',
  'queue',
  'stack',
  'bloom_filter',
  'array_of_maps',
  'hash_of_maps',
  'prog_array',
  'stack_trace',
  'ringbuf',
  'user_ringbuf',
  'cgroup_storage',
  'percpu_cgroup_storage',
];
const KERNEL_TYPES: readonly MapType[] = [
  'perf_event_array',
  'cgroup_array',
  'devmap',
  'devmap_hash',
  'sockmap',
  'sockhash',
  'xskmap',
  'cpumap',
  'reuseport_sockarray',
  'sk_storage',
  'inode_storage',
  'task_storage',
];

const LOCAL_TYPES: readonly MapType[] = ['sk_storage', 'inode_storage', 'task_storage'];

const FLAGS: readonly Value[] = [
  0,
  1,
  2,
  3,
  4,
  5,
  6,
  7,
  8,
  9,
  16,
  2 ** 31,
  2 ** 32,
  2 ** 32 + 1,
  2 ** 32 + 4,
];
const ELEMENT_COMMANDS = [
  'map_lookup_elem',
  'map_update_elem',
  'map_delete_elem',
  'map_lookup_and_delete_elem',
] as const;
const BATCH_COMMANDS = [
  'map_lookup_batch',
  'map_lookup_and_delete_batch',
  'map_update_batch',
  'map_delete_batch',
] as const;

/** A type's map in a script, with keys and values for it. */
class Rig {
  readonly w = new Writer();
  readonly type: MapType;
  readonly attr: Values;
  readonly made;
  /** Keys 0 to 3, those just beyond, and the last; 0 for maps without keys. */
  readonly keys: readonly Value[];
  readonly value: string;
  readonly other: string;
  readonly out: string;
  readonly valueBytes: number;
  readonly keyBytes: number;
  /** What a look-up gives are ids, which go on counting in Linux. */
  readonly givesIds: boolean;

  constructor(type: MapType, changes: Values = {}) {
    const { w } = this;
    this.type = type;
    this.made = basis(w);
    const hashes = /hash$|hash_of_maps|bloom/.test(type) && !/sock|devmap/.test(type);
    const base = taken(type, this.made);
    this.attr = { ...base, ...(hashes && { map_flags: ZERO_SEED }), ...changes };
    this.keyBytes = Number(this.attr['key_size']);
    const plain = Number(this.attr['value_size']);
    this.valueBytes = type.includes('percpu') ? PERCPU_BYTES : Math.max(plain, 8);
    this.givesIds = type.endsWith('_of_maps') || type === 'prog_array';
    const numbers = [0, 1, 2, 3, 4, 5, 2 ** 32 - 1];
    this.keys = this.keyBytes === 0 ? numbers.map(() => 0) : numbers.map((n) => this.#key(n));
    [this.value, this.other] = this.#values();
    this.out = w.buf(this.valueBytes);
  }

  #key(n: number): string {
    if (this.type === 'lpm_trie') return this.w.buf(word(n > 2 ** 31 ? 33 : 32) + word(n));
    // Keys of local storage are descriptors; here, of nothing.
    if (LOCAL_TYPES.includes(this.type)) return this.w.buf(word(n > 5 ? n : 90 + n));
    return this.w.buf(word(n).padEnd(this.keyBytes * 2, '0'));
  }

  #values(): [string, string] {
    const { w, type } = this;
    const fd = (of: string) => w.buf(8, [[0, of]]);
    switch (type) {
      case 'array_of_maps':
      case 'hash_of_maps':
        return [fd(this.made.inner), fd(w.map('array'))];
      case 'prog_array':
        return [fd(w.prog('xdp')), fd(w.prog('xdp', 'r0 = 1\nexit'))];
      case 'sockmap':
      case 'sockhash':
        return [fd(w.sys('socket', 2, 2, 0)), fd(w.sys('socket', 2, 2, 0))];
      case 'reuseport_sockarray':
      case 'xskmap':
        return [fd(w.sys('socket', 2, 2, 0)), fd(loadBtf(w))];
      case 'devmap':
      case 'devmap_hash':
        return [w.buf(quad(1)), w.buf(quad(77))];
      case 'cpumap':
        return [w.buf(quad(16)), w.buf(quad(20000))];
      case 'perf_event_array':
      case 'cgroup_array':
        return [fd(w.map('array')), w.buf(quad(99))];
      default:
        return [w.buf(quad(0x1122) + quad(0x3344)), w.buf(quad(0x5566) + quad(0x7788))];
    }
  }

  map(changes: Values = {}): string {
    return this.w.call('map_create', { ...this.attr, max_entries: this.entries, ...changes });
  }

  get entries(): number {
    const given = Number(this.attr['max_entries']);
    return given > 0 && given < 4096 ? ENTRIES : given;
  }

  update(fd: string, key: Value, flags: Value = 0, value: Value = this.value): void {
    this.w.call('map_update_elem', { map_fd: fd, key, value, flags });
  }

  remove(fd: string, key: Value): void {
    this.w.call('map_delete_elem', { map_fd: fd, key });
  }

  lookup(fd: string, key: Value, flags: Value = 0): void {
    this.w.call('map_lookup_elem', { map_fd: fd, key, value: this.out, flags });
    if (!this.givesIds) this.w.dump(this.out);
  }

  take(fd: string, key: Value, flags: Value = 0): void {
    this.w.call('map_lookup_and_delete_elem', { map_fd: fd, key, value: this.out, flags });
    if (!this.givesIds) this.w.dump(this.out);
  }

  next(fd: string, key: Value): void {
    this.w.call('map_get_next_key', { map_fd: fd, key, next_key: this.out });
    if (!this.givesIds) this.w.dump(this.out);
  }

  fill(fd: string): void {
    for (const key of this.keys.slice(0, ENTRIES)) this.update(fd, key);
  }
}

const scripts: Script[] = [];

function sweep(name: string, types: readonly MapType[], write: (rig: Rig) => void): void {
  for (const type of types) {
    const rig = new Rig(type);
    write(rig);
    const needsMachine = KERNEL_TYPES.includes(type);
    scripts.push({ name: `elements, ${name}: ${type}`, steps: rig.w.steps, needsMachine });
  }
}

const TYPES = [...BARE_TYPES, ...KERNEL_TYPES];

sweep('flags of updates', TYPES, (rig) => {
  const { w, keys, other } = rig;
  const fd = rig.map();
  for (const flags of FLAGS) {
    for (const key of [keys[1]!, keys[4]!, keys[6]!]) {
      rig.remove(fd, key);
      rig.update(fd, key, flags);
      rig.lookup(fd, key);
      rig.update(fd, key, flags, other);
      rig.lookup(fd, key);
    }
  }
  w.close(fd);
  for (const flags of FLAGS) {
    const full = rig.map();
    rig.fill(full);
    rig.update(full, keys[0]!, flags, other);
    rig.update(full, keys[5]!, flags, other);
    for (const key of keys) rig.lookup(full, key);
    w.close(full);
  }
});

sweep('flags of look-ups', TYPES, (rig) => {
  const { keys } = rig;
  const fd = rig.map();
  for (const flags of FLAGS) {
    rig.update(fd, keys[1]!);
    for (const key of [keys[1]!, keys[2]!, keys[4]!, keys[6]!]) {
      rig.lookup(fd, key, flags);
      rig.take(fd, key, flags);
      rig.take(fd, key, flags);
    }
  }
});

sweep('next keys', TYPES, (rig) => {
  const { keys } = rig;
  const fd = rig.map();
  const walk = () => {
    for (const key of [0, ...keys]) rig.next(fd, key);
  };
  walk();
  for (const [i, key] of keys.entries()) {
    rig.update(fd, key);
    if (i === 0 || i >= 3) walk();
  }
  for (const key of keys) {
    rig.remove(fd, key);
    rig.remove(fd, key);
  }
  walk();
});

sweep('bad pointers', TYPES, (rig) => {
  const { w, keys, value } = rig;
  const fd = rig.map();
  const places: readonly Value[] = [0, BAD_ADDRESS, 2 ** 47, 2 ** 52];
  for (const there of [false, true]) {
    if (there) rig.update(fd, keys[1]!);
    for (const key of [keys[1]!, keys[5]!, ...places]) {
      for (const at of [value, ...places]) {
        if (key === keys[1] && at === value) continue;
        w.call('map_lookup_elem', { map_fd: fd, key, value: at === value ? rig.out : at });
        w.call('map_update_elem', { map_fd: fd, key, value: at, flags: 2 });
        w.call('map_update_elem', { map_fd: fd, key, value: at, flags: 99 });
        w.call('map_get_next_key', { map_fd: fd, key, next_key: at === value ? rig.out : at });
        const take = { map_fd: fd, key, value: at === value ? rig.out : at };
        w.call('map_lookup_and_delete_elem', take);
      }
      if (key !== keys[1]) rig.remove(fd, key);
    }
  }
  for (const command of [...ELEMENT_COMMANDS, 'map_get_next_key', 'map_freeze'] as const) {
    for (const map_fd of [0, 99, -1, w.prog('socket_filter')]) w.call(command, { map_fd });
  }
});

/** BPF_F_RDONLY, WRONLY, RDONLY_PROG, WRONLY_PROG */
const ACCESS = [0, 0x8, 0x10, 0x80, 0x100];

sweep('access', TYPES, (rig) => {
  const { w, keys, attr } = rig;
  const batch = { keys: w.buf(64), values: w.buf(128), out_batch: w.buf(16) };
  const use = (fd: string) => {
    rig.update(fd, keys[1]!);
    rig.update(fd, keys[1]!, 99);
    rig.lookup(fd, keys[1]!);
    rig.lookup(fd, keys[1]!, 4);
    rig.next(fd, 0);
    rig.take(fd, keys[1]!);
    rig.remove(fd, keys[1]!);
    for (const command of BATCH_COMMANDS) {
      w.call(command, { map_fd: fd, ...batch, count: 1 });
      w.call(command, { map_fd: fd, ...batch, count: 0 });
      w.call(command, { map_fd: fd, ...batch, count: 1, elem_flags: 8 });
    }
  };
  for (const flags of ACCESS) {
    const fd = rig.map({ map_flags: Number(attr['map_flags'] ?? 0) | flags });
    use(fd);
    w.call('map_freeze', { map_fd: fd });
    w.call('map_freeze', { map_fd: fd });
    use(fd);
    w.close(fd);
  }
  const fd = rig.map();
  const info = w.buf(80);
  w.call('obj_get_info_by_fd', { bpf_fd: fd, info, info_len: 80 });
  for (const open_flags of [0x8, 0x10, 0x18, 0x20]) {
    const again = w.call('map_get_fd_by_id', { map_id: `^${info.slice(1)}:4`, open_flags });
    use(again);
    w.call('map_freeze', { map_fd: again });
    w.close(again);
  }
});

sweep('batches', TYPES, (rig) => {
  const { w, type, keyBytes } = rig;
  // Each key's bytes, and a value for each.
  const keyHex = (n: number) =>
    (type === 'lpm_trie' ? word(32) + word(n) : word(n)).padEnd(keyBytes * 2, '0');
  const keys = w.buf([0, 1, 2, 3, 4, 5].map(keyHex).join(''));
  const held = [0, 4, 8, 12, 16, 20].map((at) => [at, rig.made.inner] as const);
  const values = rig.givesIds
    ? w.buf(24, held)
    : w.buf([0, 1, 2, 3, 4, 5].map((n) => quad(100 + n).repeat(rig.valueBytes / 8)).join(''));
  const [outKeys, outValues, outBatch] = [w.buf(128), w.buf(128), w.buf(16)];
  const out = { keys: outKeys, values: outValues, out_batch: outBatch };
  const fd = rig.map();
  const show = () => {
    w.dump(outKeys);
    if (!rig.givesIds) w.dump(outValues);
  };
  const put = (count: number) => w.call('map_update_batch', { map_fd: fd, keys, values, count });
  put(4);
  for (const command of BATCH_COMMANDS) {
    const arrays: Values = /look/.test(command) ? out : { keys, values };
    for (const count of [0, 1, 2, 3, 4, 5, 6]) {
      w.call(command, { map_fd: fd, ...arrays, count });
      show();
      put(4);
    }
    for (const elem_flags of FLAGS) {
      w.call(command, { map_fd: fd, ...arrays, count: 2, elem_flags });
      w.call(command, { map_fd: fd, ...arrays, count: 0, elem_flags });
    }
    put(4);
    for (const flags of [1, 4, 2 ** 32]) {
      w.call(command, { map_fd: fd, ...arrays, count: 2, flags });
      w.call(command, { map_fd: fd, ...arrays, count: 0, flags });
    }
    for (const bad of [0, BAD_ADDRESS]) {
      for (const name of ['keys', 'values', 'out_batch', 'in_batch']) {
        put(4);
        w.call(command, { map_fd: fd, ...arrays, count: 2, [name]: bad });
        w.call(command, { map_fd: fd, ...arrays, count: 5, [name]: bad });
        w.call(command, { map_fd: fd, ...arrays, count: 0, [name]: bad });
      }
    }
    put(4);
    for (const position of [0, 1, 2, 3, 4, 7, 2 ** 31, 2 ** 32 - 1]) {
      const in_batch = w.buf(keyHex(position).padEnd(16, '0'));
      w.call(command, { map_fd: fd, ...arrays, count: 3, in_batch });
      show();
    }
    // Step by step to the end.
    put(4);
    w.call(command, { map_fd: fd, ...arrays, count: 2 });
    for (let i = 0; i < 3; i++) {
      w.call(command, { map_fd: fd, ...arrays, count: 2, in_batch: outBatch });
      show();
    }
  }
});

/** With a spin lock or a timer in the value, which copies leave out. */
for (const type of ['hash', 'array', 'lru_hash', 'lru_percpu_hash', 'cgroup_storage'] as const) {
  for (const field of ['locked', 'timed', 'lockedTimed'] as const) {
    const value_size = field === 'locked' ? 8 : 24;
    const rig = new Rig(type, { value_size });
    const { w, keys } = rig;
    const btf = { btf_fd: rig.made.btf, btf_key_type_id: 1, btf_value_type_id: BTF_ID[field] };
    const fd = rig.map(btf);
    const value = w.buf('ff'.repeat(value_size));
    const out = w.buf(value_size);
    for (const flags of FLAGS) {
      for (const key of [keys[1]!, keys[5]!]) {
        w.call('map_update_elem', { map_fd: fd, key, value, flags });
        w.call('map_lookup_elem', { map_fd: fd, key, value: out, flags });
        w.dump(out);
        w.call('map_lookup_elem', { map_fd: fd, key, value: out });
        w.dump(out);
        w.call('map_lookup_and_delete_elem', { map_fd: fd, key, value: out, flags });
        w.dump(out);
      }
    }
    const all = { keys: w.buf(word(0) + word(1) + word(2)), values: w.buf('ff'.repeat(72)) };
    const outKeys = w.buf(16);
    const outValues = w.buf(96);
    for (const elem_flags of [0, 1, 4, 5]) {
      const attr = { map_fd: fd, count: 3, elem_flags };
      w.call('map_update_batch', { ...attr, ...all });
      for (const command of BATCH_COMMANDS.slice(0, 2) as readonly BpfCommand[]) {
        const out_batch = w.buf(8);
        w.call(command, { ...attr, keys: outKeys, values: outValues, out_batch });
        w.dump(outKeys);
        w.dump(outValues);
      }
    }
    scripts.push({ name: `elements, values with ${field}: ${type}`, steps: w.steps });
  }
}

export const elementSweep: readonly Script[] = scripts;
