/**
 * One program brought into the kernel: CO-RE, relocation, BPF_PROG_LOAD; on refusal again with a
 * log, in a buffer that grows until the log fits.
 */
import { errno } from '../../kernel/types/errno.ts';
import type { Btf } from '../btf/btf.ts';
import type { CoreRelocator, PoisonedRelo } from '../btf/core-relo.ts';
import { CORE_POISON } from '../btf/core-relo.ts';
import { BtfError } from '../btf/types.ts';
import type { ObjectProgram, ObjectSpec } from '../elf/object-spec.ts';
import { encodeInsns } from '../isa/codec.ts';
import type { Insn } from '../isa/insn.ts';
import type { AttachType, ProgType } from '../uapi.ts';
import { ATTACH_TYPES, PROG_TYPES } from '../uapi.ts';
import type { Logged, ProgramInput } from './commands.ts';
import { progBindMap, progLoad } from './commands.ts';
import { LoadError } from './failure.ts';
import type { CreatedMap } from './maps.ts';
import { relocateProgram } from './relocate.ts';
import type { ResolvedExtern } from './resolve.ts';
import type { BpfFlow, BpfUser } from './user.ts';

export interface ProgramContext {
  readonly spec: ObjectSpec;
  readonly btfFd: number;
  readonly kernelBtf: Btf | undefined;
  readonly relocator: CoreRelocator | undefined;
  readonly maps: ReadonlyMap<string, CreatedMap>;
  readonly externs: ReadonlyMap<string, ResolvedExtern>;
  readonly ifindex: number;
  readonly logLevel: number;
  readonly strerror: (errno: number) => string;
  readonly say: (message: string) => void;
  /** The BPF program that freplace, fentry and fexit programs are for, in place of the kernel. */
  readonly replaces: { readonly progFd: number; readonly btf: Btf } | undefined;
  /** bpf_program__set_attach_target: another function than the section names, or in a program. */
  readonly attachTo: ((program: ObjectProgram) => AttachTo | undefined) | undefined;
  /** Programs of tables of functions: the kernel's struct and the member that they are for. */
  readonly structOps: ReadonlyMap<
    string,
    { readonly structTypeId: number; readonly memberIndex: number }
  >;
}

export interface AttachTo {
  readonly func: string;
  /** The BPF program that has it, and that one's BTF; absent: the kernel. */
  readonly program?: { readonly progFd: number; readonly btf: Btf };
}

export interface ProgramKind {
  readonly type: ProgType;
  readonly attachType: AttachType | undefined;
}

export interface LoadedCode {
  readonly fd: number;
  /** The verifier's log, if one was asked for. */
  readonly log: string;
}

/** First size of the log buffer. differs: libbpf starts with 16 MiB of address space. */
const LOG_BYTES = 64 * 1024;
/** The kernel takes no more (kernel/bpf/verifier.c: UINT_MAX >> 2). */
const MAX_LOG_BYTES = 0x3fff_ffff;
/** A log that long is cut off rather than asked for again. */
const LOG_PATIENCE_BYTES = 64 * 1024 * 1024;

export function* loadProgram<Y>(
  user: BpfUser<Y>,
  program: ObjectProgram,
  kind: ProgramKind,
  context: ProgramContext,
): BpfFlow<Y, LoadedCode> {
  const { name } = program;
  if (kind.type === 'unspec') {
    throw refused(program, errno.EINVAL, [
      `libbpf: prog '${name}': missing BPF prog type, check ELF section name '${program.section}'`,
    ]);
  }
  const { insns, poisoned } = relocateCore(program, context);
  const linked = relocateProgram(program, insns, context.maps, context.externs);
  const input = programInput(program, kind, linked, context);
  let { result, log } = yield* attempt(user, input, context.logLevel, LOG_BYTES);
  if (result < 0 && context.logLevel === 0) {
    ({ result, log } = yield* attempt(user, input, 1, LOG_BYTES));
  }
  for (
    let size = LOG_BYTES * 2;
    result === -errno.ENOSPC && size <= LOG_PATIENCE_BYTES;
    size *= 2
  ) {
    const level = context.logLevel || 1;
    ({ result, log } = yield* attempt(user, input, level, Math.min(size, MAX_LOG_BYTES)));
  }
  if (result >= 0) {
    yield* bindConstants(user, name, result, context);
    return { fd: result, log };
  }
  const text = tellCoreFailures(log, poisoned);
  throw refused(
    program,
    -result,
    [
      `libbpf: prog '${name}': BPF program load failed: ${context.strerror(-result)}`,
      ...(text === ''
        ? []
        : [`libbpf: prog '${name}': -- BEGIN PROG LOAD LOG --\n${text}-- END PROG LOAD LOG --`]),
    ],
    text,
  );
}

/** A program keeps its object's constants, whether it reads them or not (metadata, for one). */
function* bindConstants<Y>(
  user: BpfUser<Y>,
  name: string,
  progFd: number,
  { maps, strerror, say }: ProgramContext,
): BpfFlow<Y, void> {
  for (const { map, fd } of maps.values()) {
    if (map.data === undefined || !/^\.rodata(\.|$)/.test(map.name)) continue;
    const result = yield* progBindMap(user, progFd, fd);
    if (result >= 0) continue;
    say(`libbpf: prog '${name}': failed to bind map '${map.name}': ${strerror(-result)}`);
  }
  yield* user.release();
}

function refused(
  { name }: ObjectProgram,
  code: number,
  messages: readonly string[],
  log?: string,
): LoadError {
  const failed = `libbpf: prog '${name}': failed to load: -${code}`;
  return new LoadError(code, [...messages, failed], {
    program: name,
    ...(log !== undefined && { log }),
  });
}

/** What the kernel would have been asked for cannot be put together. */
function unprepared(program: ObjectProgram, code: number, why: string): LoadError {
  const head = `libbpf: prog '${program.name}': `;
  return refused(program, code, [
    `${head}${why}`,
    `${head}failed to prepare load attributes: -${code}`,
  ]);
}

function* attempt<Y>(
  user: BpfUser<Y>,
  input: ProgramInput,
  level: number,
  sizeBytes: number,
): BpfFlow<Y, Logged> {
  const outcome = yield* progLoad(user, input, level > 0 ? { level, sizeBytes } : undefined);
  yield* user.release();
  return outcome;
}

function relocateCore(
  program: ObjectProgram,
  { relocator, spec }: ProgramContext,
): { insns: readonly Insn[]; poisoned: readonly PoisonedRelo[] } {
  if (program.coreRelos.length === 0) return { insns: program.insns, poisoned: [] };
  if (relocator === undefined) {
    throw refused(program, errno.ESRCH, [
      `libbpf: failed to get target BTF: ${-errno.ESRCH}`,
      `libbpf: failed to perform CO-RE relocations: ${-errno.ESRCH}`,
    ]);
  }
  try {
    return relocator.relocate(program.insns, program.coreRelos);
  } catch (error) {
    if (!(error instanceof BtfError)) throw error;
    throw refused(program, error.errno, [
      `libbpf: prog '${program.name}': ${error.message}`,
      `libbpf: ${spec.file}: failed to perform CO-RE relocations: -${error.errno}`,
    ]);
  }
}

function programInput(
  program: ObjectProgram,
  kind: ProgramKind,
  insns: readonly Insn[],
  context: ProgramContext,
): ProgramInput {
  const { spec, btfFd } = context;
  const { funcInfo, lineInfo } = program;
  const typed = btfFd > 0;
  const attachType = kind.attachType;
  return {
    insns: encodeInsns(insns),
    license: spec.license,
    funcInfo: typed ? funcInfo?.records : undefined,
    lineInfo: typed ? lineInfo?.records : undefined,
    values: {
      prog_type: PROG_TYPES.indexOf(kind.type),
      prog_name: program.name.slice(0, 15),
      prog_flags: program.flags,
      prog_ifindex: context.ifindex,
      kern_version: spec.version,
      expected_attach_type: attachType === undefined ? 0 : ATTACH_TYPES.indexOf(attachType),
      ...(typed && { prog_btf_fd: btfFd }),
      ...(typed &&
        funcInfo && {
          func_info_rec_size: funcInfo.recordBytes,
          func_info_cnt: funcInfo.records.length / funcInfo.recordBytes,
        }),
      ...(typed &&
        lineInfo && {
          line_info_rec_size: lineInfo.recordBytes,
          line_info_cnt: lineInfo.records.length / lineInfo.recordBytes,
        }),
      ...attachTarget(program, kind, context),
    },
  };
}

interface AttachTarget {
  readonly attach_btf_id?: number;
  readonly attach_prog_fd?: number;
  readonly expected_attach_type?: number;
}

/** attach_btf_id: the kernel's function or type that the section's name points at. */
function attachTarget(
  program: ObjectProgram,
  { type }: ProgramKind,
  { kernelBtf, structOps, attachTo, ...context }: ProgramContext,
): AttachTarget {
  const member = structOps.get(program.name);
  if (member !== undefined) {
    return { attach_btf_id: member.structTypeId, expected_attach_type: member.memberIndex };
  }
  const to = attachTo?.(program);
  const replaces = to ? to.program : context.replaces;
  const target = to?.func ?? program.target;
  // A section of another kind says nothing of where its programs belong.
  const prefix = program.def?.btfPrefix ?? (type === 'ext' ? '' : undefined);
  if (prefix === undefined) return {};
  if (target === '') {
    throw unprepared(
      program,
      errno.EINVAL,
      'no BTF-based attach target is specified, use bpf_program__set_attach_target()',
    );
  }
  const name = prefix + target;
  const kind = prefix === 'btf_trace_' ? 'typedef' : 'func';
  if (type === 'ext' && replaces === undefined) {
    throw unprepared(program, errno.EINVAL, 'attach program FD is not set');
  }
  if (replaces !== undefined && prefix === '') {
    const id = replaces.btf.find(name, kind);
    if (id !== undefined) return { attach_btf_id: id, attach_prog_fd: replaces.progFd };
    const wanted = `BPF program (FD ${replaces.progFd}) BTF ID of '${name}'`;
    throw unprepared(program, errno.ENOENT, `failed to find ${wanted}: ${-errno.ENOENT}`);
  }
  const id = kernelBtf?.find(name, kind);
  if (id === undefined) {
    throw unprepared(
      program,
      errno.ESRCH,
      `failed to find kernel BTF type ID of '${target}': ${-errno.ESRCH}`,
    );
  }
  return { attach_btf_id: id };
}

/** Says in the log which relocation failed, where the verifier saw only a call of nothing. */
function tellCoreFailures(log: string, poisoned: readonly PoisonedRelo[]): string {
  const call = `call unknown#${CORE_POISON}`;
  if (poisoned.length === 0 || !log.includes(call)) return log;
  const lines = log.split('\n').filter((line) => line !== `invalid func unknown#${CORE_POISON}`);
  return lines
    .map((line) => {
      const at = /^(\d+): .*/.exec(line);
      if (at === null || !line.includes(call)) return line;
      // A two-slot load is poisoned in both slots; the relocation is that of the first.
      const slot = Number(at[1]);
      const relo = poisoned.find(({ insn }) => insn === slot || insn === slot - 1);
      return `${slot}: <invalid CO-RE relocation>\nfailed to resolve CO-RE relocation ${relo?.what}`;
    })
    .join('\n');
}
