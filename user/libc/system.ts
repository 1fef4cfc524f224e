/** What the system tells about itself: uname, sysinfo, the kernel log, users. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { syscall, readTextFile } from './files.ts';
import { layout } from './layout.ts';
import { NR } from './nr.ts';
import type { Process } from './process.ts';
import { decodeCString, decodeText } from './text.ts';

/** struct new_utsname: six fields of 65 bytes. */
const UTSNAME_FIELD = 65;

export interface Utsname {
  readonly sysname: string;
  readonly nodename: string;
  readonly release: string;
  readonly version: string;
  readonly machine: string;
}

export function* uname(p: Process): UserFlow<Utsname> {
  const mark = p.mark();
  const address = yield* p.take(UTSNAME_FIELD * 6);
  yield* syscall(NR.uname, address);
  const bytes = p.memory.read(address, UTSNAME_FIELD * 6).slice();
  p.release(mark);
  const field = (index: number): string =>
    decodeCString(bytes.subarray(index * UTSNAME_FIELD, (index + 1) * UTSNAME_FIELD));
  return {
    sysname: field(0),
    nodename: field(1),
    release: field(2),
    version: field(3),
    machine: field(4),
  };
}

export function* sethostname(p: Process, name: string): UserFlow<number> {
  const mark = p.mark();
  const address = yield* p.takeString(name);
  const result = yield* syscall(NR.sethostname, address, name.length);
  p.release(mark);
  return result;
}

/** struct sysinfo (UAPI linux/sysinfo.h). */
const Sysinfo = layout({
  uptime: 'n64',
  load1: 'n64',
  load5: 'n64',
  load15: 'n64',
  totalram: 'n64',
  freeram: 'n64',
  sharedram: 'n64',
  bufferram: 'n64',
  totalswap: 'n64',
  freeswap: 'n64',
  procs: 'u16',
  pad: 'u16',
  pad2: 'u32',
  totalhigh: 'n64',
  freehigh: 'n64',
  memUnit: 'u32',
});

export function* sysinfo(p: Process): UserFlow<ReturnType<typeof Sysinfo.decode>> {
  const mark = p.mark();
  const address = yield* p.takeBytes(new Uint8Array(Sysinfo.size));
  yield* syscall(NR.sysinfo, address);
  const info = Sysinfo.decode(p.memory.read(address, Sysinfo.size));
  p.release(mark);
  return info;
}

export const SYSLOG_ACTION_READ_ALL = 3;
export const SYSLOG_ACTION_READ_CLEAR = 4;
export const SYSLOG_ACTION_CLEAR = 5;
export const SYSLOG_ACTION_CONSOLE_LEVEL = 8;
export const SYSLOG_ACTION_SIZE_BUFFER = 10;

/** klogctl(3) for the actions that read; text or errno. */
export function* syslogRead(p: Process, action: number): UserFlow<string | number> {
  const size = yield* syscall(NR.syslog, SYSLOG_ACTION_SIZE_BUFFER, 0, 0);
  if (size < 0) return size;
  const address = yield* p.heap.malloc(size);
  const got = yield* syscall(NR.syslog, action, address, size);
  const text = got < 0 ? got : decodeText(p.memory.read(address, got).slice());
  p.heap.free(address);
  return text;
}

export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  readonly shell: string;
}

export function* accounts(p: Process): UserFlow<Account[]> {
  const text = yield* readTextFile(p, '/etc/passwd');
  if (typeof text === 'number') return [];
  return text
    .split('\n')
    .map((line) => line.split(':'))
    .filter((fields) => fields.length >= 7)
    .map(([name, , uid, gid, , home, shell]) => ({
      name: name!,
      uid: Number(uid),
      gid: Number(gid),
      home: home!,
      shell: shell!,
    }));
}

/** Group names by id. */
export function* groups(p: Process): UserFlow<Map<number, string>> {
  const text = yield* readTextFile(p, '/etc/group');
  const out = new Map<number, string>();
  if (typeof text === 'number') return out;
  for (const line of text.split('\n')) {
    const [name, , gid] = line.split(':');
    if (gid !== undefined) out.set(Number(gid), name!);
  }
  return out;
}

/** User names by id. */
export function* userNames(p: Process): UserFlow<Map<number, string>> {
  return new Map((yield* accounts(p)).map((account) => [account.uid, account.name]));
}

export const getuid = (): UserFlow<number> => syscall(NR.getuid);
export const getgid = (): UserFlow<number> => syscall(NR.getgid);
export const geteuid = (): UserFlow<number> => syscall(NR.geteuid);
export const getegid = (): UserFlow<number> => syscall(NR.getegid);
