/**
 * How far the verifier agrees with a real Linux 6.1 on recorded programs: one `{request, linux}` a
 * line (the protocol of DESIGN's Oracle), gzip or plain. Maps are made from their description only;
 * nothing is run.
 *
 *   npx tsx test/conformance/run.ts FILE [--show KIND] [--id ID]   KIND: verdict errno message count
 *   compareAll(lines)                                              the numbers, for tests
 */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { parseBtf, type Btf } from '../../bpf/btf/btf.ts';
import { decodeInsns } from '../../bpf/isa/codec.ts';
import type { BpfMap } from '../../bpf/maps/map.ts';
import type { ProgramSpec, Verdict } from '../../bpf/program.ts';
import { ATTACH_TYPES, MAP_TYPES, PROG_TYPES } from '../../bpf/uapi.ts';
import { verify, type VerifierEnv } from '../../bpf/verifier/verify.ts';
import { progTypeOps } from '../../hooks/prog-types.ts';
import { errnoName } from '../../kernel/types/errno.ts';
import { kernelBtf } from '../../kernel/bpf/kernel-btf.ts';

export interface MapRequest {
  readonly type: string | number;
  readonly key_size: number;
  readonly value_size: number;
  readonly max_entries: number;
  readonly map_flags?: number;
  readonly btf?: string;
  readonly btf_key_type_id?: number;
  readonly btf_value_type_id?: number;
  readonly inner?: number;
}

export interface Request {
  readonly id: string;
  readonly prog_type: string | number;
  readonly expected_attach_type?: string | number;
  readonly insns: string;
  readonly license: string;
  readonly prog_flags?: number;
  readonly unpriv?: boolean;
  readonly maps?: readonly MapRequest[];
  readonly fixups?: readonly { readonly insn: number; readonly map: number }[];
  readonly btf?: string;
  readonly func_info?: string;
  readonly line_info?: string;
  readonly log_level?: number;
  readonly descr?: string;
}

export interface Line {
  readonly request: Request;
  readonly linux: {
    readonly ok: boolean;
    readonly errno?: string | null;
    readonly log: string;
    readonly verified_insns: number;
  };
}

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));
const named = <T extends string>(names: readonly T[], value: string | number): T =>
  typeof value === 'number' ? names[value]! : (value as T);

export function readLines(path: string): Line[] {
  const bytes = readFileSync(path);
  const text = path.endsWith('.gz') ? gunzipSync(bytes).toString() : bytes.toString();
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);
}

/** A map without memory: the verifier only looks at what it is. */
function describedMap(request: MapRequest, index: number, others: readonly BpfMap[]): BpfMap {
  const unused = (): never => {
    throw new Error('this map has no content');
  };
  const type = named(MAP_TYPES, request.type);
  const btf: Btf | undefined = request.btf ? parseBtf(hex(request.btf)) : undefined;
  return {
    spec: {
      type,
      keyBytes: request.key_size,
      valueBytes: request.value_size,
      maxEntries: request.max_entries,
      flags: request.map_flags ?? 0,
      name: '',
      ...(request.inner !== undefined && { innerMap: others[request.inner]! }),
      ...(btf && { btf }),
      ...(btf && { btfKeyTypeId: request.btf_key_type_id ?? 0 }),
      ...(btf && { btfValueTypeId: request.btf_value_type_id ?? 0 }),
    },
    id: index + 1,
    offset: (0x100000 + index * 0x400) as BpfMap['offset'],
    frozen: false,
    userValueBytes: request.value_size,
    memoryBytes: 0,
    elementBytes: request.value_size,
    setUsers: unused,
    lookup: unused,
    update: unused,
    delete: unused,
    copyValue: unused,
    updateFromUser: unused,
    nextKey: unused,
    free: unused,
  } as BpfMap;
}

const FIRST_FD = 100;
const KERNEL_TYPES = kernelBtf([]);

export function runRequest(request: Request): Verdict {
  const { spec, env } = programOf(request);
  return verify(spec, env);
}

/** A request's program, and what it is verified under. */
export function programOf(request: Request): {
  readonly spec: ProgramSpec;
  readonly env: VerifierEnv;
} {
  const maps: BpfMap[] = [];
  (request.maps ?? []).forEach((map, index) => maps.push(describedMap(map, index, maps)));
  const insns = decodeInsns(hex(request.insns));
  for (const { insn, map } of request.fixups ?? []) {
    insns[insn] = { ...insns[insn]!, imm: FIRST_FD + map };
  }
  const type = named(PROG_TYPES, request.prog_type);
  let attach = named(ATTACH_TYPES, request.expected_attach_type ?? 0);
  if (type === 'cgroup_sock' && attach === 'cgroup_inet_ingress')
    attach = 'cgroup_inet_sock_create';
  if (type === 'sk_reuseport' && attach === 'cgroup_inet_ingress') attach = 'sk_reuseport_select';
  const spec: ProgramSpec = {
    type,
    expectedAttachType: attach,
    name: '',
    license: request.license,
    insns,
    // As in any process, the lowest descriptors are of files.
    mapByFd: (fd) => (fd >= 0 && fd < 3 ? null : maps[fd - FIRST_FD]),
    flags: request.prog_flags ?? 0,
    ...(request.btf && { btf: parseBtf(hex(request.btf)) }),
    ...(request.func_info && { funcInfo: { recordBytes: 8, records: hex(request.func_info) } }),
    ...(request.line_info && { lineInfo: { recordBytes: 16, records: hex(request.line_info) } }),
  };
  const all = request.unpriv !== true;
  const env: VerifierEnv = {
    ops: progTypeOps(type)!,
    caps: { bpf: all, perfmon: all, netAdmin: all, sysAdmin: all },
    level: '6.1',
    logLevel: request.log_level ?? 1,
    checkOnly: true,
    kernelBtf: KERNEL_TYPES,
    mapAddress: (map) => 0xffff_8880_0000_0000n + BigInt(map.offset),
  };
  return { spec, env };
}

/** The log's last line before the counts; addresses and descriptors are each kernel's own. */
export function lastMessage(log: string): string {
  const lines = log.trimEnd().split('\n');
  if (lines[lines.length - 1]?.startsWith('processed ')) lines.pop();
  const last = lines[lines.length - 1] ?? '';
  return last.replace(/^fd \d+ is/, 'fd N is').replace(/= 0xffff[0-9a-f]{12}\b/g, '= 0xADDRESS');
}

const processedIn = (log: string): string | undefined =>
  /^processed (\d+) insns/m.exec(log.slice(log.lastIndexOf('processed ')))?.[1];

export interface Comparison {
  readonly line: Line;
  readonly verdict: Verdict | undefined;
  readonly crash?: unknown;
  readonly sameVerdict: boolean;
  readonly sameErrno: boolean;
  readonly sameMessage: boolean;
  readonly sameCount: boolean;
}

export function compare(line: Line): Comparison {
  const { linux } = line;
  let verdict: Verdict;
  try {
    verdict = runRequest(line.request);
  } catch (crash) {
    const no = { sameVerdict: false, sameErrno: false, sameMessage: false, sameCount: false };
    return { line, verdict: undefined, crash, ...no };
  }
  const accepted = verdict.kind === 'accepted';
  const sameVerdict = accepted === linux.ok;
  const refusedBoth = !accepted && !linux.ok;
  const ours = verdict.kind === 'rejected' ? errnoName(verdict.errno) : null;
  const sameErrno = refusedBoth ? ours === linux.errno : sameVerdict;
  const sameMessage = refusedBoth
    ? lastMessage(verdict.log) === lastMessage(linux.log)
    : sameVerdict;
  const count = processedIn(verdict.log);
  return {
    line,
    verdict,
    sameVerdict,
    sameErrno,
    sameMessage,
    sameCount: count === processedIn(linux.log),
  };
}

export interface Agreement {
  readonly total: number;
  readonly verdict: number;
  readonly errno: number;
  readonly refusedByLinux: number;
  readonly message: number;
  readonly acceptedByLinux: number;
  readonly count: number;
  /** Accepted here, refused by Linux: what must not be. */
  readonly unsound: readonly string[];
}

export function compareAll(lines: readonly Line[]): Agreement {
  const results = lines.map(compare);
  const refused = results.filter(({ line }) => !line.linux.ok);
  const accepted = results.filter(({ line }) => line.linux.ok);
  return {
    total: results.length,
    verdict: results.filter((one) => one.sameVerdict).length,
    errno: results.filter((one) => one.sameErrno).length,
    refusedByLinux: refused.length,
    message: refused.filter((one) => one.sameMessage).length,
    acceptedByLinux: accepted.length,
    count: accepted.filter((one) => one.sameCount).length,
    unsound: refused
      .filter(({ verdict }) => verdict?.kind === 'accepted')
      .map(({ line }) => line.request.id),
  };
}

const isDifferent = (one: Comparison, kind: string): boolean => {
  switch (kind) {
    case 'verdict':
      return !one.sameVerdict;
    case 'errno':
      return !one.sameErrno;
    case 'message':
      return !one.line.linux.ok && !one.sameMessage;
    case 'count':
      return one.line.linux.ok && !one.sameCount;
    default:
      return true;
  }
};

function show(one: Comparison): void {
  const { request, linux } = one.line;
  console.log(`--- ${request.id}: ${request.descr ?? ''}${request.unpriv ? ' (unpriv)' : ''}`);
  console.log(`Linux (${linux.ok ? 'ok' : linux.errno}):\n${linux.log.trimEnd()}`);
  const { verdict } = one;
  if (!verdict) {
    console.log('skep:', one.crash);
    return;
  }
  const result = verdict.kind === 'accepted' ? 'ok' : errnoName(verdict.errno);
  console.log(`skep (${result}):\n${verdict.log.trimEnd()}`);
}

function main(args: readonly string[]): void {
  const path = args[0];
  if (path === undefined) {
    console.error('usage: run.ts FILE [--show verdict|errno|message|count] [--id ID]');
    process.exitCode = 2;
    return;
  }
  const lines = readLines(path);
  const option = (name: string) => {
    const at = args.indexOf(name);
    return at < 0 ? undefined : args[at + 1];
  };
  const kind = option('--show');
  const id = option('--id');
  if (id !== undefined) {
    lines.filter((line) => line.request.id === id).forEach((line) => show(compare(line)));
  } else if (kind !== undefined) {
    const different = lines.map(compare).filter((one) => isDifferent(one, kind));
    different.forEach(show);
    console.log(`${different.length} differ`);
  } else {
    console.log(JSON.stringify(compareAll(lines), undefined, 1));
  }
}

if (process.argv[1]?.endsWith('conformance/run.ts')) main(process.argv.slice(2));
