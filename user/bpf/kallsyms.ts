/** /proc/kallsyms: symbols by address and by name. Without privilege all addresses read as 0. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { readTextFile } from '../libc/files.ts';
import type { Process } from '../libc/process.ts';

export interface Kallsyms {
  /** The symbol that is exactly at `address`. */
  at(address: bigint): string | undefined;
  byName(name: string): bigint | undefined;
}

export function* kallsyms(p: Process): UserFlow<Kallsyms> {
  const text = yield* readTextFile(p, '/proc/kallsyms');
  const names = new Map<bigint, string>();
  const addresses = new Map<string, bigint>();
  for (const line of typeof text === 'number' ? [] : text.split('\n')) {
    const match = /^([0-9a-f]+) \S (\S+)/.exec(line);
    if (!match) continue;
    const address = BigInt(`0x${match[1]}`);
    if (address === 0n) continue;
    if (!names.has(address)) names.set(address, match[2]!);
    if (!addresses.has(match[2]!)) addresses.set(match[2]!, address);
  }
  return { at: (address) => names.get(address), byName: (name) => addresses.get(name) };
}
