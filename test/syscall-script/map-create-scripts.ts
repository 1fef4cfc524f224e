/** Making maps, and what each type holds. */
import { MAP_TYPES } from '../../bpf/uapi.ts';
import { quad, scriptList, word } from './writer.ts';

const { scripts, script } = scriptList(false);

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

export const mapCreateScripts = scripts;
