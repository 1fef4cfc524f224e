/** bpftool map create. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { errno } from '../../kernel/types/errno.ts';
import { mapCreate as createMap } from '../../bpf/loader/commands.ts';
import { MAP_TYPES, mapTypeNumber } from '../../bpf/uapi.ts';
import { close } from '../libc/files.ts';
import { strerror } from '../libc/strerror.ts';
import { interfaceIndex } from './device.ts';
import { mapFd } from './object-words.ts';
import { pinFd } from './pin.ts';
import { type Bpftool, FAILED } from './tool.ts';
import { parseUnsigned } from './words.ts';

const NUMBERS = [
  ['key', 'key_size', 'key size'],
  ['value', 'value_size', 'value size'],
  ['entries', 'max_entries', 'max entries'],
  ['flags', 'map_flags', 'flags'],
] as const;

export function* mapCreate(t: Bpftool): UserFlow<number> {
  if (!(yield* t.needs(7))) return FAILED;
  const { words } = t;
  const path = words.next();
  const attr = {
    map_type: 0,
    key_size: 0,
    value_size: 0,
    max_entries: 0,
    map_flags: 0,
    map_ifindex: 0,
    inner_map_fd: 0,
    map_name: '',
  };
  while (words.left > 0) {
    if (!(yield* t.needs(2))) return FAILED;
    const row = NUMBERS.find(([word]) => words.is(word));
    if (words.accept('type')) {
      if (attr.map_type !== 0) return yield* t.fail('map type already specified');
      const name = words.next();
      const type = [...MAP_TYPES, 'tcam' as const].find((known) => known === name);
      if (!type) return yield* t.fail(`unrecognized map type: ${name}`);
      attr.map_type = mapTypeNumber(type);
    } else if (words.accept('name')) attr.map_name = words.next();
    else if (row) {
      const [, field, what] = row;
      words.skip(1);
      if (attr[field] !== 0) return yield* t.fail(`${what} already specified`);
      const text = words.next();
      const value = parseUnsigned(text);
      if (value === undefined) return yield* t.fail(`can't parse ${text} as ${what}`);
      attr[field] = value;
    } else if (words.accept('dev')) {
      if (attr.map_ifindex !== 0) return yield* t.fail('offload device already specified');
      const name = words.next();
      attr.map_ifindex = yield* interfaceIndex(t.p, name);
      if (attr.map_ifindex === 0) {
        return yield* t.fail(`unrecognized netdevice '${name}': ${strerror(errno.ENODEV)}`);
      }
    } else if (words.accept('inner_map')) {
      const fd = yield* mapFd(t);
      if (fd === undefined) return FAILED;
      attr.inner_map_fd = fd;
    } else return yield* t.fail(`unknown arg ${words.peek()}`);
  }
  if (attr.map_name === '') return yield* t.fail('map name not specified');
  const fd = yield* createMap(t.user, { ...attr, map_name: attr.map_name.slice(0, 15) });
  yield* t.user.release();
  if (attr.inner_map_fd > 0) yield* close(attr.inner_map_fd);
  if (fd < 0) return yield* t.fail(`map create failed: ${strerror(fd)}`);
  const status = yield* pinFd(t, fd, path);
  yield* close(fd);
  return status < 0 ? status : yield* t.done();
}
