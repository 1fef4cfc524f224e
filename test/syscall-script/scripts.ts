/** The scripts: every command of bpf(2), its errors and its bookkeeping. */
import { ATTACH_TYPES, MAP_TYPES, PROG_TYPES } from '../../bpf/uapi.ts';
import type { BpfCommand } from '../../bpf/uapi.ts';
import { machineScripts } from './machine-scripts.ts';
import type { Script, Value } from './script.ts';
import { quad, scriptOf, word, type Writer } from './writer.ts';

const scripts: Script[] = [];
function script(name: string, write: (w: Writer) => void): void {
  scripts.push(scriptOf(name, write, false));
}

const LIRC = PROG_TYPES.indexOf('lirc_mode2');

script('attr: sizes, tails, unknown commands', (w) => {
  for (const command of [-1, 36, 37, 100, 0x7fffffff]) w.raw(command, '00'.repeat(8));
  const array = '02000000' + '04000000' + '08000000' + '04000000';
  for (const size of [0, 1, 4, 16, 76, 80, 120, 144, 145, 200, 4096, 4097]) {
    w.raw(0, array.padEnd(size * 2, '0').slice(0, size * 2));
  }
  // Behind what the kernel knows, behind the command's last field.
  w.raw(0, `${array.padEnd(144 * 2, '0')}01`);
  w.raw(0, `${array.padEnd(143 * 2, '0')}01`);
  w.raw(22, word(3) + word(1));
  w.raw(22, word(3) + word(0));
});

script('map_create: types, sizes, entries', (w) => {
  for (let type = 0; type <= MAP_TYPES.length + 1; type++) {
    for (const [key, value, entries, flags] of [
      [4, 8, 4, 0],
      [4, 4, 4, 0],
      [0, 8, 4, 0],
      [8, 8, 4, 1],
      [4, 8, 0, 0],
      [0, 0, 4096, 0],
      [0, 0, 5000, 0],
      [4, 0, 4, 0],
      [16, 8, 0, 0],
    ] as const) {
      w.call('map_create', {
        map_type: type,
        key_size: key,
        value_size: value,
        max_entries: entries,
        map_flags: flags,
      });
    }
  }
});

script('map_create: flags', (w) => {
  const types = MAP_TYPES.filter(
    (type) =>
      !['unspec', 'struct_ops', 'sk_storage', 'inode_storage', 'task_storage'].includes(type),
  );
  for (const type of types) {
    const key = type === 'lpm_trie' ? 8 : type.includes('cgroup_storage') ? 16 : 4;
    const noKey = ['queue', 'stack', 'bloom_filter', 'ringbuf', 'user_ringbuf'].includes(type);
    const value = /_array$|_of_maps|devmap|sock/.test(type) ? 4 : type.includes('ringbuf') ? 0 : 8;
    const entries = type.includes('ringbuf') ? 4096 : type.includes('cgroup_storage') ? 0 : 4;
    for (let bit = 0; bit < 15; bit++) {
      w.map(type, noKey ? 0 : key, value, entries, { map_flags: 1 << bit });
    }
    w.map(type, noKey ? 0 : key, value, entries, { map_flags: 0x8 | 0x10 });
    w.map(type, noKey ? 0 : key, value, entries, { map_flags: 0x80 | 0x100 });
  }
});

script('map_create: names, BTF, inner maps, map_extra, NUMA nodes, devices', (w) => {
  for (const name of [
    'ok_name.1',
    'with space',
    'with-dash',
    'exactly15bytes_',
    'more_than_15_bytes',
  ]) {
    w.map('array', 4, 8, 4, { map_name: name });
  }
  w.map('array', 4, 8, 4, { btf_key_type_id: 1 });
  w.map('array', 4, 8, 4, { btf_value_type_id: 1 });
  w.map('array', 4, 8, 4, { btf_key_type_id: 1, btf_value_type_id: 1 });
  w.map('array', 4, 8, 4, { btf_key_type_id: 1, btf_value_type_id: 1, btf_fd: 77 });
  w.map('array', 4, 8, 4, { btf_vmlinux_value_type_id: 1 });
  w.map('struct_ops', 4, 8, 1, { btf_vmlinux_value_type_id: 1 });
  w.map('array', 4, 8, 4, { map_extra: 1 });
  w.map('bloom_filter', 0, 8, 4, { map_extra: 3 });
  w.map('bloom_filter', 0, 8, 4, { map_extra: 15 });
  w.map('bloom_filter', 0, 8, 4, { map_extra: 16 });
  w.map('array', 4, 8, 4, { numa_node: 0, map_flags: 4 });
  w.map('array', 4, 8, 4, { numa_node: 1, map_flags: 4 });
  w.map('array', 4, 8, 4, { numa_node: -1, map_flags: 4 });
  w.map('array', 4, 8, 4, { numa_node: 1 });
  w.map('hash', 4, 8, 4, { map_ifindex: 1 });
  w.map('array', 4, 8, 4, { map_ifindex: 7 });
  const inner = w.map('array');
  const prog = w.prog('socket_filter');
  for (const type of ['array_of_maps', 'hash_of_maps'] as const) {
    w.map(type, 4, 4, 4);
    w.map(type, 4, 4, 4, { inner_map_fd: inner });
    w.map(type, 4, 8, 4, { inner_map_fd: inner });
    w.map(type, 4, 4, 4, { inner_map_fd: prog });
    w.map(type, 4, 4, 4, { inner_map_fd: 99 });
    const nested = w.map(type, 4, 4, 4, { inner_map_fd: inner });
    w.map(type, 4, 4, 4, { inner_map_fd: nested });
    for (const other of MAP_TYPES) {
      if (
        [
          'hash',
          'lru_hash',
          'percpu_array',
          'prog_array',
          'perf_event_array',
          'queue',
          'ringbuf',
          'devmap',
          'cgroup_array',
          'stack_trace',
        ].includes(other)
      ) {
        const noKey = other === 'queue' || other === 'ringbuf';
        const value =
          other === 'ringbuf'
            ? 0
            : /_array$|devmap/.test(other) && other !== 'percpu_array'
              ? 4
              : 8;
        const fd = w.map(other, noKey ? 0 : 4, value, other === 'ringbuf' ? 4096 : 4);
        w.map(type, 4, 4, 4, { inner_map_fd: fd });
      }
    }
  }
});

for (const type of [
  'array',
  'hash',
  'lru_hash',
  'percpu_array',
  'percpu_hash',
  'lru_percpu_hash',
] as const) {
  script(`elements of ${type}`, (w) => {
    const percpu = type.includes('percpu');
    const bytes = percpu ? 16 : 8;
    const fd = w.map(type, 4, 8, 3, { map_flags: type.endsWith('hash') ? 0x40 : 0 });
    const keys = [0, 1, 2, 3, 9].map((key) => w.buf(word(key)));
    const value = w.buf((quad(0x1122) + quad(0x3344)).slice(0, bytes * 2));
    for (const flags of [0, 1, 2, 3, 4, 5, 8]) w.update(fd, keys[1]!, value, flags);
    w.lookup(fd, keys[1]!, bytes);
    w.lookup(fd, keys[4]!, bytes);
    for (const flags of [1, 2, 4]) w.lookup(fd, keys[1]!, bytes, flags);
    for (const key of keys) w.update(fd, key, value);
    w.update(fd, keys[4]!, value, 2);
    w.next(fd, 0, 4);
    for (const key of keys) w.next(fd, key, 4);
    const out = w.buf(bytes);
    for (const key of keys.slice(1, 3)) {
      w.call('map_lookup_and_delete_elem', { map_fd: fd, key, value: out });
      w.dump(out);
      w.call('map_lookup_and_delete_elem', { map_fd: fd, key, value: out });
    }
    w.call('map_lookup_and_delete_elem', { map_fd: fd, key: keys[0]!, value: out, flags: 4 });
    w.call('map_lookup_and_delete_elem', { map_fd: fd, key: keys[0]!, value: out, flags: 1 });
    for (const key of keys) w.remove(fd, key);
    w.next(fd, 0, 4);
    // Bad pointers and descriptors.
    w.call('map_update_elem', { map_fd: fd, key: 0, value });
    w.call('map_update_elem', { map_fd: fd, key: keys[0]!, value: 0 });
    w.call('map_update_elem', { map_fd: fd, key: 8, value });
    w.call('map_lookup_elem', { map_fd: fd, key: keys[0]!, value: 0 });
    w.call('map_get_next_key', { map_fd: fd, key: 0, next_key: 0 });
    for (const command of [
      'map_update_elem',
      'map_lookup_elem',
      'map_delete_elem',
      'map_get_next_key',
      'map_lookup_and_delete_elem',
    ] as const) {
      w.call(command, { map_fd: 99, key: keys[0]! });
      w.call(command, { map_fd: 1, key: keys[0]! });
      w.call(command, { map_fd: fd, key: keys[0]! });
    }
  });
}

for (const type of ['queue', 'stack'] as const) {
  script(`elements of ${type}`, (w) => {
    const fd = w.map(type, 0, 4, 2);
    const key = w.buf(word(0));
    for (const [value, flags] of [
      [1, 0],
      [2, 1],
      [3, 2],
      [4, 3],
    ] as const)
      w.update(fd, 0, w.buf(word(value)), flags);
    w.update(fd, 0, w.buf(word(5)), 0);
    w.update(fd, 0, w.buf(word(6)), 2);
    w.update(fd, key, w.buf(word(7)), 0);
    w.lookup(fd, 0, 4);
    w.lookup(fd, key, 4);
    w.next(fd, 0, 4);
    w.remove(fd, 0);
    const out = w.buf(4);
    for (let i = 0; i < 3; i++) {
      w.call('map_lookup_and_delete_elem', { map_fd: fd, key: 0, value: out });
      w.dump(out);
    }
    w.call('map_lookup_and_delete_elem', { map_fd: fd, key: 0, value: out, flags: 1 });
    w.call('map_lookup_and_delete_elem', { map_fd: fd, key, value: out });
    w.lookup(fd, 0, 4);
  });
}

script('elements of bloom filters and ring buffers', (w) => {
  const bloom = w.map('bloom_filter', 0, 4, 100);
  const value = w.buf(word(77));
  const other = w.buf(word(78));
  w.call('map_lookup_elem', { map_fd: bloom, key: 0, value });
  for (const flags of [0, 1, 2]) w.update(bloom, 0, value, flags);
  w.call('map_lookup_elem', { map_fd: bloom, key: 0, value });
  w.call('map_lookup_elem', { map_fd: bloom, key: 0, value: other });
  w.remove(bloom, 0);
  w.next(bloom, 0, 4);
  w.call('map_lookup_and_delete_elem', { map_fd: bloom, key: 0, value });
  for (const type of ['ringbuf', 'user_ringbuf'] as const) {
    const ring = w.map(type, 0, 0, 4096);
    w.lookup(ring, 0, 8);
    w.update(ring, 0, value);
    w.remove(ring, 0);
    w.next(ring, 0, 4);
    w.call('map_lookup_and_delete_elem', { map_fd: ring, key: 0, value });
  }
});

script('elements of lpm_trie', (w) => {
  const fd = w.map('lpm_trie', 8, 4, 4, { map_flags: 1 });
  const key = (prefix: number, hex: string) => w.buf(word(prefix) + hex);
  const [a, b, c, d, e] = [
    key(8, '0a000000'),
    key(16, '0a010000'),
    key(24, '0a010200'),
    key(0, '00000000'),
    key(33, '0a000000'),
  ] as const;
  for (const [k, v] of [
    [a, 1],
    [b, 2],
    [c, 3],
    [d, 4],
    [e, 5],
  ] as const)
    w.update(fd, k, w.buf(word(v)));
  w.update(fd, key(32, '01020304'), w.buf(word(6)));
  for (const flags of [1, 2, 3, 4]) w.update(fd, a, w.buf(word(7)), flags);
  for (const k of [
    key(32, '0a010203'),
    key(32, '0a010303'),
    key(32, '0b000000'),
    key(8, '0a000000'),
    e,
  ])
    w.lookup(fd, k, 4);
  w.next(fd, 0, 8);
  for (const k of [a, b, c, d]) w.next(fd, k, 8);
  w.remove(fd, b);
  w.remove(fd, b);
  w.lookup(fd, key(32, '0a010303'), 4);
  w.call('map_lookup_and_delete_elem', { map_fd: fd, key: a, value: w.buf(4) });
});

script('maps of descriptors', (w) => {
  const progs = w.map('prog_array', 4, 4, 4);
  const [zero, two, nine] = [0, 2, 9].map((key) => w.buf(word(key))) as [string, string, string];
  const xdp = w.prog('xdp', 'r0 = 2\nexit');
  const filter = w.prog('socket_filter');
  const value = (fd: string) => w.buf(4, [[0, fd]]);
  w.update(progs, zero, value(xdp), 1);
  w.update(progs, zero, value(xdp), 2);
  w.update(progs, zero, value(xdp));
  w.update(progs, two, value(filter));
  w.update(progs, nine, value(xdp));
  w.update(progs, two, value(progs));
  w.update(progs, two, w.buf(word(99)));
  w.lookup(progs, two, 4);
  w.lookup(progs, nine, 4);
  w.next(progs, 0, 4);
  w.next(progs, two, 4);
  w.call('map_lookup_and_delete_elem', { map_fd: progs, key: zero, value: w.buf(4) });
  w.remove(progs, zero);
  w.remove(progs, zero);
  w.remove(progs, nine);
  w.call('map_freeze', { map_fd: progs });

  const inner = w.map('array');
  const same = w.map('array');
  const larger = w.map('array', 4, 8, 8);
  const hash = w.map('hash');
  for (const type of ['array_of_maps', 'hash_of_maps'] as const) {
    const outer = w.map(type, 4, 4, 2, {
      inner_map_fd: inner,
      map_flags: type === 'hash_of_maps' ? 0x40 : 0,
    });
    w.update(outer, zero, value(same));
    w.update(outer, zero, value(larger));
    w.update(outer, zero, value(hash));
    w.update(outer, zero, value(xdp));
    w.update(outer, zero, value(inner), 1);
    w.update(outer, zero, value(inner), 2);
    w.update(outer, nine, value(inner));
    w.lookup(outer, two, 4);
    w.next(outer, 0, 4);
    w.remove(outer, zero);
    w.remove(outer, zero);
    w.lookup(outer, zero, 4);
    w.call('map_lookup_and_delete_elem', { map_fd: outer, key: nine, value: w.buf(4) });
  }
  const events = w.map('perf_event_array', 4, 4, 2);
  const cgroups = w.map('cgroup_array', 4, 4, 2);
  for (const map of [events, cgroups]) {
    w.update(map, zero, value(xdp));
    w.update(map, zero, w.buf(word(99)));
    w.lookup(map, zero, 4);
    w.remove(map, zero);
    w.next(map, 0, 4);
  }
});

script('maps of devices, CPUs, sockets, stacks', (w) => {
  const [zero, one, nine] = [0, 1, 9].map((key) => w.buf(word(key))) as [string, string, string];
  for (const type of ['cpumap', 'sockmap', 'sockhash', 'reuseport_sockarray', 'xskmap'] as const) {
    const fd = w.map(type, 4, 4, 4);
    w.lookup(fd, zero, 4);
    w.update(fd, zero, w.buf(word(99)));
    w.update(fd, nine, w.buf(word(16)));
    w.update(fd, zero, w.buf(word(16)), 1);
    w.remove(fd, zero);
    w.remove(fd, nine);
    w.next(fd, 0, 4);
  }
  for (const type of ['devmap', 'devmap_hash'] as const) {
    const fd = w.map(type, 4, 4, 4);
    w.lookup(fd, zero, 4);
    w.update(fd, zero, w.buf(word(77)));
    w.update(fd, nine, w.buf(word(0)));
    w.update(fd, zero, w.buf(word(0)));
    w.remove(fd, zero);
    w.remove(fd, nine);
    w.next(fd, 0, 4);
    w.next(fd, one, 4);
  }
  const stacks = w.map('stack_trace', 4, 16, 4);
  w.lookup(stacks, zero, 16);
  w.update(stacks, zero, w.buf(16));
  w.remove(stacks, zero);
  w.next(stacks, 0, 4);
});

script('freeze and access flags', (w) => {
  const key = w.buf(word(0));
  const value = w.buf(quad(5));
  for (const flags of [0, 8, 16, 0x80, 0x100]) {
    const fd = w.map('array', 4, 8, 2, { map_flags: flags });
    w.update(fd, key, value);
    w.lookup(fd, key, 8);
    w.next(fd, 0, 4);
    w.remove(fd, key);
    w.call('map_freeze', { map_fd: fd });
    w.call('map_freeze', { map_fd: fd });
    w.update(fd, key, value);
    w.lookup(fd, key, 8);
    w.remove(fd, key);
    w.call('map_lookup_and_delete_elem', { map_fd: fd, key, value });
  }
  w.call('map_freeze', { map_fd: 99 });
  w.call('map_freeze', { map_fd: w.prog('socket_filter') });
});

for (const type of [
  'array',
  'hash',
  'lru_hash',
  'percpu_array',
  'percpu_hash',
  'lpm_trie',
  'queue',
  'hash_of_maps',
] as const) {
  script(`batches of ${type}`, (w) => {
    const inner = w.map('array');
    const keyBytes = type === 'lpm_trie' ? 8 : type === 'queue' ? 0 : 4;
    const percpu = type.includes('percpu');
    const valueBytes = percpu ? 16 : type === 'hash_of_maps' ? 4 : 8;
    const fd = w.map(type, keyBytes, type === 'hash_of_maps' ? 4 : 8, 5, {
      map_flags: type === 'lpm_trie' ? 1 : type.includes('hash') ? 0x40 : 0,
      ...(type === 'hash_of_maps' && { inner_map_fd: inner }),
    });
    const keyHex = (i: number) => (type === 'lpm_trie' ? word(32) + word(i) : word(i));
    const keys = w.buf([0, 1, 2, 3, 4, 5].map(keyHex).join(''));
    const values =
      type === 'hash_of_maps'
        ? w.buf(
            24,
            [0, 4, 8, 12, 16, 20].map((at) => [at, inner] as const),
          )
        : w.buf([0, 1, 2, 3, 4, 5].map((i) => quad(100 + i).repeat(valueBytes / 8)).join(''));
    const out = () => ({ keys: w.buf(48), values: w.buf(96), out_batch: w.buf(8) });
    const batch = (command: BpfCommand, attr: Readonly<Record<string, Value>>) =>
      w.call(command, { map_fd: fd, ...attr });
    batch('map_update_batch', { keys, values, count: 3 });
    batch('map_update_batch', { keys, values, count: 6 });
    batch('map_update_batch', { keys, values, count: 2, elem_flags: 1 });
    batch('map_update_batch', { keys, values, count: 2, elem_flags: 4 });
    batch('map_update_batch', { keys, values, count: 2, elem_flags: 2 });
    batch('map_update_batch', { keys, values, count: 2, flags: 1 });
    batch('map_update_batch', { keys, values, count: 0 });
    batch('map_update_batch', { keys: 0, values, count: 1 });
    batch('map_update_batch', { keys, values: 0, count: 1 });
    const show = ({ keys: k, values: v }: ReturnType<typeof out>) => {
      w.dump(k);
      if (type !== 'hash_of_maps') w.dump(v);
    };
    for (const command of ['map_lookup_batch', 'map_lookup_and_delete_batch'] as const) {
      const whole = out();
      batch(command, { ...whole, count: 10 });
      show(whole);
      batch('map_update_batch', { keys, values, count: 5 });
      batch(command, { ...out(), count: 0 });
      batch(command, { ...out(), count: 5, elem_flags: 1 });
      batch(command, { ...out(), count: 5, flags: 1 });
      batch(command, { ...out(), count: 5, keys: 0 });
      batch(command, { ...out(), count: 5, out_batch: 0 });
      batch(command, { ...out(), count: 5, in_batch: 8 });
      batch('map_update_batch', { keys, values, count: 5 });
    }
    batch('map_delete_batch', { keys, count: 2 });
    batch('map_delete_batch', { keys, count: 3 });
    batch('map_delete_batch', { keys, count: 0 });
    batch('map_delete_batch', { keys, count: 1, elem_flags: 1 });
    batch('map_delete_batch', { keys: 0, count: 1 });
    batch('map_lookup_batch', { ...out(), count: 10 });
    w.call('map_lookup_batch', { map_fd: 99, count: 1 });
  });
}

script('which types have batches', (w) => {
  const inner = w.map('array');
  for (const type of MAP_TYPES.slice(1)) {
    const noKey = ['queue', 'stack', 'bloom_filter', 'ringbuf', 'user_ringbuf'].includes(type);
    const ring = type.includes('ringbuf');
    const small = /_array$|_of_maps|devmap|sock|cpumap/.test(type) && type !== 'percpu_array';
    const key = type === 'lpm_trie' ? 8 : type.includes('cgroup_storage') ? 16 : 4;
    const entries = ring ? 4096 : type.includes('cgroup_storage') ? 0 : 4;
    const fd = w.map(type, noKey ? 0 : key, ring ? 0 : small ? 4 : 8, entries, {
      map_flags: type === 'lpm_trie' ? 1 : 0,
      ...(type.includes('of_maps') && { inner_map_fd: inner }),
    });
    for (const command of ['lookup', 'lookup_and_delete', 'update', 'delete'] as const) {
      w.call(`map_${command}_batch`, { map_fd: fd });
    }
  }
});

script('batches of a hash, in parts', (w) => {
  const fd = w.map('hash', 4, 8, 8, { map_flags: 0x40 });
  const keys = w.buf([0, 1, 2, 3, 4, 5, 6, 7].map(word).join(''));
  w.call('map_update_batch', { map_fd: fd, keys, values: w.buf(64), count: 8 });
  const [found, values, position] = [w.buf(32), w.buf(64), w.buf(4)];
  for (const count of [1, 2, 3, 4, 8, 9]) {
    w.call('map_lookup_batch', { map_fd: fd, keys: found, values, out_batch: position, count });
    w.dump(position);
    w.dump(found);
  }
  for (let i = 0; i < 5; i++) {
    w.call('map_lookup_and_delete_batch', {
      map_fd: fd,
      keys: found,
      values,
      out_batch: position,
      count: 3,
      ...(i > 0 && { in_batch: position }),
    });
    w.dump(position);
    w.dump(found);
  }
});

script('batches of an array, in parts', (w) => {
  const fd = w.map('array', 4, 8, 5);
  const [keys, values, position] = [w.buf(40), w.buf(80), w.buf(8)];
  w.call('map_lookup_batch', { map_fd: fd, keys, values, out_batch: position, count: 2 });
  for (let i = 0; i < 4; i++) {
    w.call('map_lookup_batch', {
      map_fd: fd,
      keys,
      values,
      in_batch: position,
      out_batch: position,
      count: 2,
    });
    w.dump(position);
    w.dump(keys);
  }
});

script('prog_load: what is checked before the verifier', (w) => {
  const ok = w.asm('r0 = 0\nexit');
  const gpl = w.text('GPL');
  const base = { prog_type: 1, insns: ok, insn_cnt: 2, license: gpl };
  const load = (more: Readonly<Record<string, Value>>) => w.call('prog_load', { ...base, ...more });
  load({});
  load({ insn_cnt: 0 });
  load({ insn_cnt: 1_000_001 });
  load({ insn_cnt: 1 });
  load({ insns: 0 });
  load({ license: 0 });
  load({ license: w.buf('41'.repeat(200)) });
  load({ prog_type: 0 });
  // Debian's kernel has no infrared remote controls.
  for (let type = 0; type <= 33; type++) if (type !== LIRC) load({ prog_type: type });
  for (let bit = 0; bit < 9; bit++) load({ prog_flags: 1 << bit });
  load({ prog_name: 'fine_name' });
  load({ prog_name: 'not fine' });
  load({ kern_version: 1 });
  load({ prog_ifindex: 1 });
  load({ prog_type: 6, prog_ifindex: 1 });
  load({ prog_type: 6, prog_ifindex: 77 });
  load({ attach_btf_id: 1 });
  load({ attach_prog_fd: 99 });
  load({ attach_prog_fd: 1 });
  load({ attach_btf_id: 1, attach_prog_fd: 99 });
  load({ prog_type: 26, attach_btf_id: 0x100000 });
  load({ prog_type: 26, expected_attach_type: 24 });
  load({ func_info_cnt: 1 });
  load({ func_info_cnt: 1, func_info_rec_size: 8 });
  load({ line_info_cnt: 1, line_info_rec_size: 16 });
  load({ prog_btf_fd: 99 });
  load({ prog_btf_fd: 99, func_info_cnt: 1, func_info_rec_size: 8 });
  load({ prog_btf_fd: 1, func_info_cnt: 1, func_info_rec_size: 8 });
  load({ core_relo_cnt: 1 });
  load({ core_relo_cnt: 1, core_relo_rec_size: 16 });
  load({ fd_array: 8 });
});

script('prog_load: logs', (w) => {
  const bad = w.asm('r0 = r1\nexit');
  const gpl = w.text('GPL');
  const log = w.buf(200);
  const load = (more: Readonly<Record<string, Value>>) =>
    w.call('prog_load', { prog_type: 1, insns: bad, insn_cnt: 2, license: gpl, ...more });
  load({ log_level: 1 });
  load({ log_level: 1, log_buf: log });
  load({ log_level: 1, log_size: 200 });
  load({ log_buf: log, log_size: 200 });
  load({ log_level: 8, log_buf: log, log_size: 200 });
  load({ log_level: 16, log_buf: log, log_size: 200 });
  for (const size of [1, 16, 127, 128, 129, 200]) {
    load({ log_level: 1, log_buf: log, log_size: size });
  }
  load({ log_level: 1, log_buf: 8, log_size: 200 });
  load({ log_level: 4, log_buf: log, log_size: 200 });
  load({ log_level: 1, log_buf: log, log_size: 0x7fffffff });
});

script('prog_load: attach types', (w) => {
  for (const type of PROG_TYPES) {
    if (['unspec', 'tracing', 'lsm', 'struct_ops', 'ext', 'syscall', 'lirc_mode2'].includes(type)) {
      continue;
    }
    const asm = type === 'sk_reuseport' || type === 'sk_lookup' ? 'r0 = 1\nexit' : 'r0 = 1\nexit';
    const insns = w.asm(asm);
    const gpl = w.text('GPL');
    for (let attach = 0; attach <= ATTACH_TYPES.length; attach++) {
      w.call('prog_load', {
        prog_type: PROG_TYPES.indexOf(type),
        insns,
        insn_cnt: 2,
        license: gpl,
        expected_attach_type: attach,
      });
    }
  }
});

script('ids and descriptors', (w) => {
  const map = w.map('array');
  w.prog('socket_filter');
  const commands = [
    'prog_get_next_id',
    'map_get_next_id',
    'btf_get_next_id',
    'link_get_next_id',
  ] as const;
  for (const command of commands) {
    w.call(command, { start_id: 0x7fffffff });
    w.call(command, { start_id: 0xffffffff });
    w.call(command, { start_id: 0x7ffffffe });
  }
  w.call('link_get_next_id', { start_id: 0 });
  w.call('prog_get_fd_by_id', { prog_id: 0 });
  w.call('map_get_fd_by_id', { map_id: 0 });
  w.call('btf_get_fd_by_id', { btf_id: 0 });
  w.call('link_get_fd_by_id', { link_id: 0 });
  w.call('prog_get_fd_by_id', { prog_id: 0x7fffffff });
  w.call('map_get_fd_by_id', { map_id: 0x7fffffff });
  w.call('map_get_fd_by_id', { map_id: 1, open_flags: 0x18 });
  w.call('map_get_fd_by_id', { map_id: 1, open_flags: 1 });
  w.call('obj_get_info_by_fd', { bpf_fd: map, info: 0, info_len: 0 });
  w.call('obj_get_info_by_fd', { bpf_fd: 99, info: 0, info_len: 0 });
  w.call('obj_get_info_by_fd', { bpf_fd: 1, info: 0, info_len: 0 });
  w.call('obj_get_info_by_fd', { bpf_fd: map, info: 8, info_len: 8 });
});

script('information about maps and programs', (w) => {
  const map = w.map('hash', 4, 8, 10, { map_name: 'things', map_flags: 0x41 });
  const prog = w.prog('xdp', 'r0 = 2\nexit', { prog_name: 'pass' });
  for (const length of [0, 4, 20, 64, 88, 100]) {
    const info = w.buf(104);
    w.call('obj_get_info_by_fd', { bpf_fd: map, info, info_len: length });
  }
  const dirty = w.buf('00'.repeat(100) + 'ff');
  w.call('obj_get_info_by_fd', { bpf_fd: map, info: dirty, info_len: 101 });
  w.call('obj_get_info_by_fd', { bpf_fd: map, info: dirty, info_len: 100 });
  for (const length of [0, 8, 100, 224, 228, 240]) {
    const info = w.buf(256);
    w.call('obj_get_info_by_fd', { bpf_fd: prog, info, info_len: length });
  }
  w.call('obj_get_info_by_fd', { bpf_fd: prog, info: w.buf(8000), info_len: 5000 });
});

script('what information there is', (w) => {
  const info = (fd: string, bytes: number, mask: readonly number[], ask = '') => {
    const at = w.buf(ask.padEnd(bytes * 2, '0'));
    w.call('obj_get_info_by_fd', { bpf_fd: fd, info: at, info_len: bytes });
    w.dump(at, mask);
  };
  const MAP_ID = 4;
  info(w.map('hash', 4, 8, 10, { map_name: 'things', map_flags: 0x41 }), 88, [MAP_ID]);
  info(w.map('array', 4, 12, 3, { map_flags: 0x408 }), 88, [MAP_ID]);
  info(w.map('lpm_trie', 8, 8, 10, { map_flags: 1 }), 88, [MAP_ID]);
  info(w.map('bloom_filter', 0, 8, 10, { map_extra: 3 }), 88, [MAP_ID]);
  info(w.map('ringbuf', 0, 0, 8192), 88, [MAP_ID]);
  info(w.map('devmap', 4, 4, 2), 88, [MAP_ID]);
  info(w.map('prog_array', 4, 4, 2), 88, [MAP_ID]);
  // Ids, size of the machine code, time of loading.
  const PROG = [4, 16, 40, 44];
  info(w.prog('xdp', 'r0 = 2\nexit', { prog_name: 'pass' }), 232, PROG);
  const map = w.map('array');
  const asm = 'r1 = map_fd(0)\nr2 = 0\nr0 = 0\nif r0 == 0 goto pc+1\nr0 = 7\nexit';
  const prog = w.prog('socket_filter', asm, { license: w.text('none') }, [[0, map]]);
  info(prog, 232, PROG);
});

script('pins', (w) => {
  const map = w.map('array');
  const prog = w.prog('socket_filter');
  const path = w.text('/sys/fs/bpf/one');
  const pin = (more: Readonly<Record<string, Value>>) =>
    w.call('obj_pin', { pathname: path, bpf_fd: map, ...more });
  pin({ file_flags: 8 });
  pin({ bpf_fd: 99 });
  pin({ bpf_fd: 1 });
  pin({ pathname: 0 });
  pin({});
  pin({});
  const get = (more: Readonly<Record<string, Value>> = {}) =>
    w.call('obj_get', { pathname: path, ...more });
  get();
  get({ file_flags: 8 });
  get({ file_flags: 0x10 });
  get({ file_flags: 0x18 });
  get({ file_flags: 1 });
  get({ bpf_fd: map });
  get({ pathname: 0 });
  get({ pathname: w.text('/sys/fs/bpf/none') });
  pin({ pathname: w.text('/sys/fs/bpf/prog'), bpf_fd: prog });
  get({ pathname: w.text('/sys/fs/bpf/prog') });
});

script('what is attached: errors', (w) => {
  const xdp = w.prog('xdp', 'r0 = 2\nexit');
  const filter = w.prog('socket_filter');
  for (const command of [
    'prog_attach',
    'prog_detach',
    'prog_query',
    'link_create',
    'link_update',
    'link_detach',
    'iter_create',
    'raw_tracepoint_open',
    'enable_stats',
    'prog_bind_map',
    'prog_test_run',
  ] as const) {
    w.call(command, {});
  }
  for (const attach of [0, 5, 37, 43, 99]) {
    w.call('prog_attach', { target_fd: 1, attach_bpf_fd: filter, attach_type: attach });
    w.call('prog_detach', { target_fd: 1, attach_type: attach });
    w.call('prog_query', { target_fd: 1, attach_type: attach });
    w.call('link_create', { prog_fd: filter, target_fd: 1, attach_type: attach });
  }
  w.call('link_create', { prog_fd: xdp, target_fd: 77, attach_type: 37 });
  w.call('link_create', { prog_fd: 99, attach_type: 37 });
  w.call('link_create', { prog_fd: w.map('array'), attach_type: 37 });
  w.call('link_update', { link_fd: xdp, new_prog_fd: xdp });
  w.call('link_update', { link_fd: xdp, flags: 8 });
  w.call('link_detach', { link_fd: xdp });
  w.call('iter_create', { link_fd: xdp });
  w.call('iter_create', { link_fd: xdp, flags: 1 });
  w.call('raw_tracepoint_open', { prog_fd: xdp });
  w.call('raw_tracepoint_open', { prog_fd: filter, name: w.text('sys_enter') });
  w.call('enable_stats', { type: 0 });
  w.call('enable_stats', { type: 1 });
  w.call('task_fd_query', { pid: 1, fd: 0, flags: 1 });
  w.call('prog_bind_map', { prog_fd: xdp, map_fd: w.map('array') });
  w.call('prog_bind_map', { prog_fd: xdp, map_fd: xdp });
  w.call('prog_bind_map', { prog_fd: xdp, map_fd: w.map('array'), flags: 1 });
});

script('btf_load', (w) => {
  const header = (types: number, strings: number) =>
    `9feb0100${word(24)}${word(0)}${word(types)}${word(types)}${word(strings)}`;
  const int = `${word(1)}${word(0x01000000)}${word(4)}${word(0x01000020)}`;
  const good = w.buf(`${header(16, 5)}${int}00696e7400`);
  const bytes = 24 + 16 + 5;
  const load = (more: Readonly<Record<string, Value>>) =>
    w.call('btf_load', { btf: good, btf_size: bytes, ...more });
  load({});
  load({ btf_size: 0 });
  load({ btf_size: 23 });
  load({ btf_size: bytes - 1 });
  load({ btf_size: 0x2000000 });
  load({ btf: 0 });
  load({ btf: w.buf(`9ceb0100${'00'.repeat(60)}`) });
  load({ btf_log_level: 1 });
  load({ btf_log_buf: w.buf(256), btf_log_size: 256 });
  load({ btf_log_level: 1, btf_log_buf: w.buf(256), btf_log_size: 256 });
  load({ btf_log_level: 1, btf_log_buf: w.buf(256), btf_log_size: 64 });
  const fd = load({});
  w.map('array', 4, 4, 1, { btf_fd: fd, btf_key_type_id: 1, btf_value_type_id: 1 });
  w.map('array', 4, 8, 1, { btf_fd: fd, btf_key_type_id: 1, btf_value_type_id: 1 });
  w.map('array', 4, 4, 1, { btf_fd: fd, btf_key_type_id: 2, btf_value_type_id: 1 });
  w.map('queue', 0, 4, 1, { btf_fd: fd, btf_value_type_id: 1 });
  w.map('sk_storage', 4, 4, 0, {
    btf_fd: fd,
    btf_key_type_id: 1,
    btf_value_type_id: 1,
    map_flags: 1,
  });
  w.map('inode_storage', 4, 4, 0, {
    btf_fd: fd,
    btf_key_type_id: 1,
    btf_value_type_id: 1,
    map_flags: 1,
  });
  w.map('task_storage', 4, 4, 0, {
    btf_fd: fd,
    btf_key_type_id: 1,
    btf_value_type_id: 1,
    map_flags: 1,
  });
  w.map('sk_storage', 4, 4, 0, { btf_fd: fd, btf_key_type_id: 1, btf_value_type_id: 1 });
  w.map('sk_storage', 4, 4, 1, {
    btf_fd: fd,
    btf_key_type_id: 1,
    btf_value_type_id: 1,
    map_flags: 1,
  });
});

/** A packet of that many bytes with the EtherType; its bytes count up. */
function packet(bytes: number, etherType = 0): string {
  const data = Buffer.from(Array.from({ length: bytes }, (_, i) => (i * 7 + (i >> 8)) & 0xff));
  if (bytes >= 14) data.writeUInt16BE(etherType, 12);
  return data.toString('hex');
}

type Run = Readonly<Record<string, Value>>;
const runner = (w: Writer, prog: string) => (attr: Run) =>
  w.call('prog_test_run', { prog_fd: prog, ...attr });

script('test runs of raw tracepoints', (w) => {
  const asm = 'r0 = *(u64 *)(r1 +8)\nexit';
  const run = runner(w, w.prog('raw_tracepoint', asm));
  const ctx = w.buf(quad(5) + quad(77) + '00'.repeat(96));
  const good = { ctx_in: ctx, ctx_size_in: 16 };
  run(good);
  for (const size of [0, 8, 96, 104]) run({ ctx_in: ctx, ctx_size_in: size });
  run({});
  run({ ...good, repeat: 1 });
  run({ ...good, data_in: ctx, data_size_in: 14 });
  run({ ...good, data_size_in: 14 });
  run({ ...good, data_out: ctx, data_size_out: 14 });
  run({ ...good, cpu: 1 });
  run({ ...good, cpu: 9, flags: 1 });
  run({ ...good, flags: 2 });
  run({ ...good, ctx_out: ctx, ctx_size_out: 16 });
  run({ ctx_in: 1, ctx_size_in: 16 });
  run({ ctx_size_in: 16 });
  run({ ...good, batch_size: 1 });
  run({ ...good, duration: 1 });
  const cpu = runner(w, w.prog('raw_tracepoint', 'call get_smp_processor_id#8\nexit'));
  cpu({ cpu: 1, flags: 1 });
  cpu({ cpu: 0, flags: 1 });
  const without = [
    'kprobe',
    'tracepoint',
    'perf_event',
    'cgroup_sock',
    'sock_ops',
    'sk_skb',
  ] as const;
  const others = ['sk_msg', 'cgroup_device', 'cgroup_sysctl', 'raw_tracepoint_writable'] as const;
  for (const type of [...without, ...others]) runner(w, w.prog(type, 'r0 = 1\nexit'))({});
});

script('test runs of syscall programs', (w) => {
  const asm = 'r6 = r1\nr0 = *(u32 *)(r1 +4)\nr0 += 1\n*(u32 *)(r6 +4) = r0\nexit';
  w.prog('syscall', asm);
  const run = runner(w, w.prog('syscall', asm, { prog_flags: 16 }));
  const ctx = w.buf(word(0) + word(9));
  const good = { ctx_in: ctx, ctx_size_in: 8 };
  run(good);
  w.dump(ctx);
  run({ ...good, ctx_size_in: 7 });
  run({});
  run({ ...good, repeat: 1 });
  run({ ...good, flags: 1 });
  run({ ...good, cpu: 1 });
  run({ ...good, data_in: ctx, data_size_in: 8 });
  run({ ...good, ctx_out: ctx, ctx_size_out: 8 });
  run({ ctx_in: 8, ctx_size_in: 8 });
  const nothing = runner(w, w.prog('syscall', 'r0 = 5\nexit', { prog_flags: 16 }));
  nothing({});
  const large = w.buf(65536);
  nothing({ ctx_in: large, ctx_size_in: 65535 });
  nothing({ ctx_in: large, ctx_size_in: 65536 });
});

script('test runs of socket look-ups', (w) => {
  const lookup = (family: number, more: readonly number[] = []) => {
    const words = new Uint32Array(18);
    words.set([0, 0, family, 6, 0x01020304], 0);
    if (family === 10) words.set([0x11, 0x22, 0x33, 0x44], 5);
    words.set([0x5000, 0x0a000001], 9);
    if (family === 10) words.set([0x55, 0x66, 0x77, 0x88], 11);
    words[15] = 8080;
    for (let i = 0; i < more.length; i += 2) words[more[i]!] = more[i + 1]!;
    return w.buf(Buffer.from(words.buffer).toString('hex'));
  };
  const attach = { expected_attach_type: ATTACH_TYPES.indexOf('sk_lookup') };
  const pass = runner(w, w.prog('sk_lookup', 'r0 = 1\nexit', attach));
  const drop = runner(w, w.prog('sk_lookup', 'r0 = 0\nexit', attach));
  const out = w.buf(72);
  const good = { ctx_in: lookup(2), ctx_size_in: 72 };
  pass({ ...good, ctx_out: out, ctx_size_out: 72 });
  w.dump(out);
  drop(good);
  pass({});
  pass({ ctx_out: out, ctx_size_out: 72 });
  pass({ ...good, ctx_size_in: 20 });
  pass({ ...good, repeat: 5 });
  pass({ ...good, data_in: out, data_size_in: 14 });
  pass({ ...good, flags: 1 });
  pass({ ...good, cpu: 1 });
  pass({ ...good, ctx_out: out, ctx_size_out: 16 });
  for (const wrong of [
    [15, 70000],
    [2, 1],
    [0, 1],
    [16, 1],
    [17, 1],
  ]) {
    pass({ ctx_in: lookup(2, wrong), ctx_size_in: 72 });
  }
  const map = w.map('array', 4, 8, 1);
  const key = w.buf(word(0));
  for (const [off, bits] of [
    [8, 32],
    [12, 32],
    [16, 32],
    [20, 32],
    [24, 32],
    [32, 32],
    [36, 32],
    [36, 16],
    [37, 8],
    [38, 16],
    [40, 32],
    [44, 32],
    [56, 32],
    [60, 32],
    [60, 16],
    [64, 32],
  ]) {
    const asm = `r6 = *(u${bits} *)(r1 +${off})
*(u32 *)(r10 -4) = 0
r1 = map_fd(0)
r2 = r10
r2 += -4
call map_lookup_elem#1
if r0 == 0 goto pc+1
*(u64 *)(r0 +0) = r6
r0 = 1
exit`;
    const run = runner(w, w.prog('sk_lookup', asm, attach, [[2, map]]));
    for (const family of [2, 10]) {
      run({ ctx_in: lookup(family), ctx_size_in: 72 });
      w.lookup(map, key, 8);
    }
  }
  const none = 'r2 = 0\nr3 = 0\ncall sk_assign#124\nr0 += 1\nexit';
  runner(w, w.prog('sk_lookup', none, attach))(good);
});

script('test runs of flow dissectors', (w) => {
  const attach = { expected_attach_type: ATTACH_TYPES.indexOf('flow_dissector') };
  const asm = `r2 = *(u64 *)(r1 +144)
*(u16 *)(r2 +0) = 200
*(u16 *)(r2 +2) = 3
r3 = *(u32 *)(r2 +48)
*(u32 *)(r2 +52) = r3
r0 = 0
exit`;
  const run = runner(w, w.prog('flow_dissector', asm, attach));
  const data = w.buf(packet(4200, 0x0800));
  const out = w.buf(64);
  const show = (attr: Run) => {
    run({ data_in: data, data_out: out, data_size_out: 64, ...attr });
    w.dump(out);
  };
  for (const size of [0, 13, 14, 64, 4096, 4097]) show({ data_size_in: size });
  const keys = (at: number) => w.buf('00'.repeat(at) + word(5) + '00'.repeat(52 - at));
  show({ data_size_in: 64, ctx_in: keys(48), ctx_size_in: 56 });
  show({ data_size_in: 64, ctx_in: keys(0), ctx_size_in: 56 });
  show({ data_size_in: 64, ctx_in: keys(52), ctx_size_in: 56 });
  run({ data_in: data, data_size_in: 64, flags: 1 });
  run({ data_in: data, data_size_in: 64, data_out: out, data_size_out: 10 });
  run({});
  const load = 'r2 = 0\nr3 = r10\nr3 += -8\nr4 = 8\ncall skb_load_bytes#26\nexit';
  runner(w, w.prog('flow_dissector', load, attach))({ data_in: data, data_size_in: 64 });
  const direct = `r2 = *(u32 *)(r1 +76)
r3 = *(u32 *)(r1 +80)
r4 = r2
r4 += 34
r0 = 1
if r4 > r3 goto pc+1
r0 = *(u8 *)(r2 +20)
exit`;
  const inside = runner(w, w.prog('flow_dissector', direct, attach));
  for (const size of [33, 34, 64]) inside({ data_in: data, data_size_in: size });
});

script('test runs of packets: sizes and arguments', (w) => {
  const skb = runner(w, w.prog('sched_cls', 'r0 = *(u32 *)(r1 +0)\nexit'));
  const xdp = runner(w, w.prog('xdp', 'r0 = 2\nexit'));
  const frags = runner(w, w.prog('xdp', 'call xdp_get_buff_len#188\nexit', { prog_flags: 32 }));
  const out = w.buf(9000);
  for (const etherType of [0, 0x0800, 0x86dd, 0x0806]) {
    const data = w.buf(packet(64, etherType));
    for (const size of [0, 13, 14, 33, 34, 53, 54, 64]) skb({ data_in: data, data_size_in: size });
  }
  const data = w.buf(packet(80000));
  for (const size of [3712, 3713, 4096]) skb({ data_in: data, data_size_in: size });
  for (const size of [0, 13, 14, 3520, 3521, 5000, 73152, 73153]) {
    xdp({ data_in: data, data_size_in: size });
    frags({ data_in: data, data_size_in: size, data_out: out, data_size_out: 9000 });
  }
  for (const run of [skb, xdp]) {
    const good = { data_in: data, data_size_in: 64 };
    run({ ...good, cpu: 1 });
    run({ ...good, flags: 1 });
    run({ ...good, batch_size: 1 });
    run({ ...good, repeat: 3 });
    run({ ...good, ctx_size_in: 4 });
    run({ ...good, ctx_out: out });
    run({ ...good, data_out: out, data_size_out: 10 });
    w.dump(out);
    run({ data_in: 8, data_size_in: 64 });
  }
  for (const size of [100, 1480, 4000]) {
    frags({ data_in: data, data_size_in: 5000, data_out: out, data_size_out: size });
    w.dump(out);
  }
});

script('test runs of packets: contexts', (w) => {
  const xdp = runner(w, w.prog('xdp', 'r0 = *(u32 *)(r1 +12)\nexit', { prog_flags: 32 }));
  const data = w.buf(packet(6000));
  const out = w.buf(24);
  const md = (...words: number[]) =>
    w.buf([...words, 0, 0, 0, 0, 0, 0].slice(0, 6).map(word).join(''));
  const run = (size: number, ...words: number[]) => {
    const ctx = { ctx_in: md(...words), ctx_size_in: 24, ctx_out: out, ctx_size_out: 24 };
    xdp({ data_in: data, data_size_in: size, ...ctx });
    w.dump(out);
  };
  run(64, 0, 64);
  run(64, 0, 63);
  run(64, 8, 64);
  run(64, 3, 64);
  run(64, 36, 64);
  run(64, 0, 64, 1);
  run(64, 0, 64, 0, 1);
  run(64, 0, 64, 0, 1, 1);
  run(64, 0, 64, 0, 77);
  run(64, 0, 64, 0, 0, 1);
  run(64, 0, 64, 0, 0, 0, 1);
  for (const end of [0, 13, 14, 3000, 4000]) run(5000, 0, end);
  run(64, 8, 7);
  run(64, 8, 22);
  run(5000, 0, 5000);
  run(5000, 8, 5000);
  xdp({ data_in: data, data_size_in: 64, ctx_in: md(0, 64), ctx_size_in: 8 });
  xdp({ data_in: data, data_size_in: 64, ctx_in: w.buf(28), ctx_size_in: 28 });
  xdp({
    data_in: data,
    data_size_in: 64,
    ctx_in: w.buf('00'.repeat(4) + word(64) + '00'.repeat(19) + '01'),
    ctx_size_in: 28,
  });

  const skb = runner(w, w.prog('sched_cls', 'r0 = *(u32 *)(r1 +8)\nexit'));
  const skbOut = w.buf(192);
  const sk = (at: number, value: number) => {
    const ctx = w.buf('00'.repeat(at) + word(value) + '00'.repeat(188 - at));
    skb({
      data_in: data,
      data_size_in: 64,
      ctx_in: ctx,
      ctx_size_in: 192,
      ctx_out: skbOut,
      ctx_size_out: 192,
    });
    w.dump(skbOut);
  };
  for (let at = 0; at < 192; at += 4) sk(at, 1);
  sk(160, 100);
  sk(160, 70000);
});

script('live test runs', (w) => {
  const run = runner(w, w.prog('xdp', 'r0 = 1\nexit'));
  const data = w.buf(packet(4000));
  const out = w.buf(64);
  const live = (attr: Run) => run({ data_in: data, data_size_in: 64, flags: 2, ...attr });
  live({});
  live({ repeat: 3, batch_size: 2 });
  live({ batch_size: 256 });
  live({ batch_size: 257 });
  live({ data_out: out, data_size_out: 64 });
  live({ data_size_out: 64 });
  live({ flags: 6 });
  live({ flags: 3 });
  const md = w.buf(word(0) + word(64) + '00'.repeat(16));
  live({ ctx_in: md, ctx_size_in: 24 });
  live({ ctx_in: md, ctx_size_in: 24, ctx_out: out, ctx_size_out: 24 });
  for (const size of [0, 13, 14, 3360, 3366, 3367, 3368, 3369, 3400, 3520])
    live({ data_size_in: size });
});

for (const caps of ['none', 'bpf', 'bpf+perfmon', 'bpf+net_admin', 'sys_admin'] as const) {
  script(`with capabilities: ${caps}`, (w) => {
    const map = w.map('array');
    const prog = w.prog('socket_filter');
    const path = w.text(`/sys/fs/bpf/caps_${caps.replace('+', '_')}`);
    w.caps(caps);
    for (let type = 1; type < MAP_TYPES.length; type++) {
      const name = MAP_TYPES[type]!;
      const noKey = ['queue', 'stack', 'bloom_filter', 'ringbuf', 'user_ringbuf'].includes(name);
      const value =
        /_array$|_of_maps|devmap|sock/.test(name) && name !== 'percpu_array'
          ? 4
          : name.includes('ringbuf')
            ? 0
            : 8;
      w.map(
        name,
        noKey ? 0 : name === 'lpm_trie' ? 8 : name.includes('cgroup_storage') ? 16 : 4,
        value,
        name.includes('ringbuf') ? 4096 : name.includes('cgroup_storage') ? 0 : 4,
        {
          map_flags: name === 'lpm_trie' ? 1 : 0,
          ...(name.includes('of_maps') && { inner_map_fd: map }),
        },
      );
    }
    w.map('hash', 4, 8, 4, { map_flags: 0x40 });
    for (const type of PROG_TYPES.slice(1)) {
      if (type !== 'lirc_mode2') w.prog(type, 'r0 = 1\nexit');
    }
    w.prog('cgroup_skb', 'r0 = 1\nexit', { expected_attach_type: 1 });
    const long = Array.from({ length: 5000 }, () => 'r0 = 0').join('\n');
    w.prog('socket_filter', `${long}\nexit`);
    const key = w.buf(word(0));
    const value = w.buf(quad(1));
    w.update(map, key, value);
    w.lookup(map, key, 8);
    w.remove(map, key);
    w.next(map, 0, 4);
    w.call('map_freeze', { map_fd: map });
    w.call('prog_test_run', { prog_fd: prog, data_in: w.buf('00'.repeat(64)), data_size_in: 64 });
    w.call('prog_get_next_id', { start_id: 0x7ffffffe });
    w.call('map_get_next_id', { start_id: 0x7ffffffe });
    w.call('btf_get_next_id', { start_id: 0x7ffffffe });
    w.call('link_get_next_id', { start_id: 0x7ffffffe });
    w.call('prog_get_fd_by_id', { prog_id: 0x7fffffff });
    w.call('map_get_fd_by_id', { map_id: 0x7fffffff });
    w.call('btf_get_fd_by_id', { btf_id: 0x7fffffff });
    w.call('link_get_fd_by_id', { link_id: 0x7fffffff });
    w.call('obj_get_info_by_fd', { bpf_fd: map, info: w.buf(88), info_len: 88 });
    w.call('obj_pin', { pathname: path, bpf_fd: map });
    w.call('btf_load', { btf: w.buf(24), btf_size: 24 });
    w.call('prog_query', { attach_type: 0 });
    w.call('prog_attach', { attach_bpf_fd: prog, attach_type: 1 });
    w.call('prog_detach', { attach_type: 1 });
    w.call('raw_tracepoint_open', { prog_fd: prog, name: w.text('sys_enter') });
    w.call('link_create', { prog_fd: prog, attach_type: 37 });
    w.call('enable_stats', {});
    w.call('iter_create', { link_fd: map });
    w.call('map_lookup_batch', { map_fd: map, count: 0 });
    w.call('prog_bind_map', { prog_fd: prog, map_fd: map });
  });
}

/** Those that need bpf(2) only come first. */
export const allScripts: readonly Script[] = [...scripts, ...machineScripts];
