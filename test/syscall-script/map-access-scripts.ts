/** Freezing, access flags and batches. */
import { MAP_TYPES } from '../../bpf/uapi.ts';
import type { BpfCommand } from '../../bpf/uapi.ts';
import type { Value } from './script.ts';
import { quad, scriptList, word } from './writer.ts';

const { scripts, script } = scriptList(false);

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

export const mapAccessScripts = scripts;
