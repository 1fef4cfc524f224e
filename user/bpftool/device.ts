/** `offloaded_to` of programs and maps, and interface names by index. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import type { JsonTree } from '../../bpf/btf/format.ts';
import { listNames } from '../libc/directory.ts';
import { readlink, readTextFile } from '../libc/files.ts';
import type { Process } from '../libc/process.ts';
import { number, object, string } from './json.ts';

interface OnDevice {
  readonly ifindex: number;
  readonly netns_dev: bigint;
  readonly netns_ino: bigint;
}

/** Index of an interface, from /sys/class/net; 0 where there is none of that name. */
export function* interfaceIndex(p: Process, name: string): UserFlow<number> {
  const text = yield* readTextFile(p, `/sys/class/net/${name}/ifindex`);
  return typeof text === 'number' ? 0 : Number(text);
}

export function* interfaceName(p: Process, index: number): UserFlow<string | undefined> {
  const names = yield* listNames(p, '/sys/class/net');
  for (const name of typeof names === 'number' ? [] : names) {
    if ((yield* interfaceIndex(p, name)) === index) return name;
  }
  return undefined;
}

/**
 * An offloaded program as its driver lists it; undefined where none does.
 * differs: bpftool has libbfd or LLVM disassemble it, which know no device of ours.
 */
export function* deviceListing(
  p: Process,
  { id, ifindex }: { readonly id: number; readonly ifindex: number },
): UserFlow<string | undefined> {
  if (ifindex === 0) return undefined;
  const name = yield* interfaceName(p, ifindex);
  const device = name && (yield* readlink(p, `/sys/class/net/${name}/device`));
  if (typeof device !== 'string') return undefined;
  const address = device.slice(device.lastIndexOf('/') + 1);
  const path = `/sys/kernel/debug/skepnic/${address}/bpf_bound_progs/${id}/listing`;
  const text = yield* readTextFile(p, path);
  return typeof text === 'string' ? text : undefined;
}

export function* deviceText(p: Process, info: OnDevice): UserFlow<string> {
  if (info.ifindex === 0) return '';
  const name = yield* interfaceName(p, info.ifindex);
  const place = `ifindex ${info.ifindex} ns_dev ${info.netns_dev} ns_ino ${info.netns_ino}`;
  return `  offloaded_to ${name ?? place}`;
}

export function* deviceJson(
  p: Process,
  info: OnDevice,
): UserFlow<readonly [string, JsonTree] | undefined> {
  if (info.ifindex === 0) return undefined;
  const name = yield* interfaceName(p, info.ifindex);
  return [
    'dev',
    object(
      ['ifindex', number(info.ifindex)],
      ['ns_dev', number(info.netns_dev)],
      ['ns_inode', number(info.netns_ino)],
      name !== undefined && ['ifname', string(name)],
    ),
  ];
}
