/**
 * A new program's stack as execve leaves it: argc, argv, envp and the auxiliary vector, with the
 * strings above them (System V ABI AMD64, figure 3.9; fs/binfmt_elf.c decides the rest).
 */
import type { Credentials } from '../sched/credentials.ts';
import { errno } from '../types/errno.ts';
import type { Random } from '../time/random.ts';
import type { AddressSpace } from './address-space.ts';
import { anonymous } from './address-space.ts';
import { MAP_GROWSDOWN } from './vma.ts';
import { encodeText } from '../types/text.ts';

/** STACK_TOP of x86-64, one page below the end of user space. */
const STACK_TOP = 0x7fff_ffff_f000;
/** Room below the arguments (stack_expand in setup_arg_pages is 128 KiB). */
const STACK_ROOM = 0x20000;
/** A quarter of the stack's limit of 8 MiB. */
const ARG_MAX_BYTES = 2 * 1024 * 1024;

/** UAPI linux/auxvec.h */
const AT_NULL = 0;
const AT_PAGESZ = 6;
const AT_UID = 11;
const AT_EUID = 12;
const AT_GID = 13;
const AT_EGID = 14;
const AT_CLKTCK = 17;
const AT_SECURE = 23;
const AT_RANDOM = 25;
const AT_EXECFN = 31;

/** 0, or -E2BIG. */
export function buildStack(
  mm: AddressSpace,
  machine: { readonly random: Random },
  argv: readonly string[],
  envp: readonly string[],
  fileName: string,
  cred: Credentials,
): number {
  const encode = (text: string) => encodeText(`${text}\0`);
  const args = argv.map(encode);
  const env = envp.map(encode);
  const name = encode(fileName);
  const random = machine.random.bytes(16);
  const auxiliary: [number, number][] = [
    [AT_PAGESZ, 4096],
    [AT_CLKTCK, 100],
    [AT_UID, cred.uid],
    [AT_EUID, cred.euid],
    [AT_GID, cred.gid],
    [AT_EGID, cred.egid],
    [AT_SECURE, 0],
  ];
  const sum = (list: readonly Uint8Array[]) => list.reduce((n, bytes) => n + bytes.length, 0);
  const argBytes = sum(args);
  const envBytes = sum(env);
  const vectorBytes = 8 * (1 + args.length + 1 + env.length + 1) + 16 * (auxiliary.length + 3);
  const total = argBytes + envBytes + name.length + random.length + vectorBytes + 64;
  if (total > ARG_MAX_BYTES) return -errno.E2BIG;

  const bottom = Math.floor((STACK_TOP - total - STACK_ROOM) / 4096) * 4096;
  const area = anonymous(bottom, STACK_TOP, '[stack]');
  mm.map({ ...area, flags: area.flags | MAP_GROWSDOWN });

  // From the top down: the name, environment strings, argument strings, random bytes, vectors.
  const nameAt = STACK_TOP - 8 - name.length;
  const envAt = nameAt - envBytes;
  const argAt = envAt - argBytes;
  const randomAt = Math.floor((argAt - random.length) / 16) * 16;
  const sp = Math.floor((randomAt - vectorBytes) / 16) * 16;
  auxiliary.push([AT_RANDOM, randomAt], [AT_EXECFN, nameAt], [AT_NULL, 0]);

  const vector = new DataView(new ArrayBuffer(vectorBytes));
  let at = 0;
  const push = (value: number) => {
    vector.setBigUint64(at, BigInt(value), true);
    at += 8;
  };
  const pushPointers = (list: readonly Uint8Array[], start: number) => {
    let address = start;
    for (const bytes of list) {
      push(address);
      address += bytes.length;
    }
    push(0);
  };
  push(args.length);
  pushPointers(args, argAt);
  pushPointers(env, envAt);
  for (const [type, value] of auxiliary) {
    push(type);
    push(value);
  }
  const strings = new Uint8Array(argBytes + envBytes + name.length);
  let offset = 0;
  for (const bytes of [...args, ...env, name]) {
    strings.set(bytes, offset);
    offset += bytes.length;
  }
  mm.copyOut(argAt, strings);
  mm.copyOut(randomAt, random);
  mm.copyOut(sp, new Uint8Array(vector.buffer));
  mm.argStart = argAt;
  mm.argEnd = envAt;
  mm.envStart = envAt;
  mm.envEnd = nameAt;
  mm.startStack = sp;
  mm.publish();
  return 0;
}
