/** bpftool prog dump xlated | jited. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import type { Btf } from '../../bpf/btf/btf.ts';
import type { JsonTree } from '../../bpf/btf/format.ts';
import { helperName } from '../../bpf/helpers/table.ts';
import { decodeInsns } from '../../bpf/isa/codec.ts';
import { disasmInsn, type DisasmNames } from '../../bpf/isa/disasm.ts';
import type { Insn } from '../../bpf/isa/insn.ts';
import { rowOf } from '../../bpf/isa/table.ts';
import { uapi } from '../../bpf/uapi.ts';
import { close, O_CREAT, O_TRUNC, O_WRONLY, open, writeAll } from '../libc/files.ts';
import { strerror } from '../libc/strerror.ts';
import { kallsyms, type Kallsyms } from '../bpf/kallsyms.ts';
import { progDetails, type ProgDetails } from '../bpf/prog-details.ts';
import { deviceListing } from './device.ts';
import { hexText } from './hex.ts';
import { jitedJson, jitedText } from './jited.ts';
import { array, hexData, object, string } from './json.ts';
import { lineJson, lineText, linesBySlot } from './line-info.ts';
import { graphText } from './prog-graph.ts';
import { progFds } from './object-words.ts';
import { btfOf } from './program-name.ts';
import { headerJson, headerText } from './prog-show.ts';
import { signature } from './signature.ts';
import { type Bpftool, FAILED } from './tool.ts';
import { usage } from './usage.ts';

export interface DumpOptions {
  readonly opcodes: boolean;
  readonly linum: boolean;
  /** A graph for dot(1). */
  readonly visual?: boolean;
}

type Mode = 'xlated' | 'jited';

export function* progDump(t: Bpftool): UserFlow<number> {
  const { words } = t;
  let mode: Mode;
  if (words.accept('jited')) mode = 'jited';
  else if (words.accept('xlated')) mode = 'xlated';
  else return yield* t.fail(`expected 'xlated' or 'jited', got: ${words.peek()}`);
  if (words.left < 2) return yield* usage(t, 'prog');
  const fds = yield* progFds(t);
  if (!fds || fds.length === 0) return FAILED;
  let file: string | undefined;
  const options = { opcodes: false, linum: false, visual: false };
  if (words.accept('file')) {
    if (words.left === 0) return yield* t.fail('expected file path');
    if (fds.length > 1) return yield* t.fail('several programs matched');
    file = words.next();
  } else if (words.accept('visual')) options.visual = true;
  else if (words.accept('opcodes')) options.opcodes = true;
  else if (words.accept('linum')) options.linum = true;
  if (words.left > 0) return yield* usage(t, 'prog');
  const trees: JsonTree[] = [];
  for (const [index, fd] of fds.entries()) {
    const details = yield* progDetails(t.user, fd, {
      xlated: mode === 'xlated',
      jited: mode === 'jited',
      funcInfo: true,
      lineInfo: true,
    });
    if (typeof details === 'number') {
      return yield* t.fail(`can't get prog info: ${strerror(details)}`);
    }
    if (fds.length > 1 && !t.json) yield* t.print(yield* headerText(t, fd, details.info));
    const dumped = yield* dumpOne(t, mode, details, { ...options, file });
    if (typeof dumped === 'number') return dumped;
    if (dumped && fds.length > 1) {
      trees.push(object(...(yield* headerJson(t, fd, details.info)), ['insns', dumped]));
    } else if (dumped) trees.push(dumped);
    if (!t.json && fds.length > 1 && index < fds.length - 1) yield* t.println();
    yield* close(fd);
  }
  if (t.json) yield* t.emit(fds.length > 1 ? array(trees) : (trees[0] ?? array([])));
  return 0;
}

/** Its JSON, undefined after text, or a status after a complaint. */
function* dumpOne(
  t: Bpftool,
  mode: Mode,
  details: ProgDetails,
  options: DumpOptions & { file: string | undefined },
): UserFlow<JsonTree | undefined | number> {
  const bytes = mode === 'jited' ? details.jited : details.xlated;
  if (bytes.length === 0) {
    if (mode === 'xlated') {
      return yield* t.fail('error retrieving insn dump: kernel.kptr_restrict set?');
    }
    yield* t.info('no instructions returned');
    return FAILED;
  }
  if (options.file !== undefined) return yield* toFile(t, options.file, bytes);
  const { btf_id: btfId } = details.info;
  const btf = btfId === 0 ? undefined : yield* btfOf(t.user, btfId);
  if (btfId !== 0 && !btf) return yield* t.fail('failed to get btf');
  const symbols = yield* kallsyms(t.p);
  const listing = mode === 'jited' ? yield* deviceListing(t.p, details.info) : undefined;
  if (listing !== undefined) {
    if (t.json) return string(listing);
    yield* t.print(listing);
    return undefined;
  }
  if (mode === 'jited') {
    if (t.json) return jitedJson(details, btf, symbols, options);
    yield* t.print(jitedText(details, btf, symbols, options));
    return undefined;
  }
  const insns = decodeInsns(details.xlated);
  const names = xlatedNames(insns, details, symbols);
  if (options.visual) {
    // Callees have no names here, and JSON no graph.
    if (t.json) return { kind: 'raw', text: 'null' };
    yield* t.print(graphText(insns, xlatedNames(insns, { ...details, ksyms: [] }, symbols)));
    return undefined;
  }
  if (t.json) return xlatedJson(insns, details, btf, names, options);
  yield* t.print(xlatedText(insns, details, btf, names, options));
  return undefined;
}

function* toFile(t: Bpftool, path: string, bytes: Uint8Array): UserFlow<number | JsonTree> {
  const fd = yield* open(t.p, path, O_WRONLY | O_CREAT | O_TRUNC, 0o600);
  if (fd < 0) return yield* t.fail(`can't open file ${path}: ${strerror(fd)}`);
  const failed = yield* writeAll(t.p, fd, bytes);
  yield* close(fd);
  if (failed < 0) return yield* t.fail(`error writing output file: ${strerror(failed)}`);
  return { kind: 'raw', text: 'null' };
}

/** What calls and addresses are called, from kallsyms and from what the kernel put into them. */
export function xlatedNames(
  insns: readonly Insn[],
  details: ProgDetails,
  symbols: Kallsyms,
): DisasmNames {
  const base = symbols.byName('__bpf_call_base') ?? 0n;
  const { ksyms } = details;
  return {
    level: 'latest',
    subprog: (insn) => {
      const off = insn.off < 0 ? `${insn.off}` : `+${insn.off}`;
      if (ksyms.length === 0) return off;
      const address = ksyms[insn.imm] ?? base + BigInt(insn.imm);
      return `${off}#${symbols.at(address) ?? `0x${address.toString(16)}`}`;
    },
    imm64: (value, insn, slot) => {
      switch (insn.src) {
        case uapi.BPF_PSEUDO_MAP_FD:
          return `map[id:${insn.imm >>> 0}]`;
        case uapi.BPF_PSEUDO_MAP_VALUE:
          return `map[id:${insn.imm >>> 0}][0]+${(insns[slot + 1]?.imm ?? 0) >>> 0}`;
        case uapi.BPF_PSEUDO_MAP_IDX_VALUE:
          return `map[idx:${insn.imm >>> 0}]+${(insns[slot + 1]?.imm ?? 0) >>> 0}`;
        case uapi.BPF_PSEUDO_FUNC:
          return `subprog[${insn.imm < 0 ? '' : '+'}${insn.imm}]`;
        default:
          return `0x${value.toString(16)}`;
      }
    },
    kfunc: ({ imm }) => {
      const address = base + BigInt(imm);
      return symbols.at(address) ?? `0x${BigInt.asUintN(64, address).toString(16)}`;
    },
    helper: (id) => {
      const near = id > 0 ? helperName(id) : undefined;
      if (near !== undefined) return `bpf_${near}`;
      const address = base + BigInt(id);
      return symbols.at(address) ?? `0x${BigInt.asUintN(64, address).toString(16)}`;
    },
  };
}

function slotBytes(details: ProgDetails, slot: number, count = 1): Uint8Array {
  return details.xlated.subarray(slot * 8, (slot + count) * 8);
}

function xlatedText(
  insns: readonly Insn[],
  details: ProgDetails,
  btf: Btf | undefined,
  names: DisasmNames,
  { opcodes, linum }: DumpOptions,
): string {
  const funcs = new Map(details.funcs.map((func) => [func.insn_off, func.type_id]));
  const lines = linesBySlot(details.lines);
  let out = '';
  for (let slot = 0; slot < insns.length; slot++) {
    const func = btf && funcs.has(slot) ? signature(btf, funcs.get(slot)!) : '';
    if (func !== '') out += `${func}:\n`;
    const line = btf && lines.get(slot);
    if (line) out += lineText(btf, line, linum);
    const isWide = rowOf(insns[slot]!)?.slots === 2;
    out += `${String(slot).padStart(4)}: ${disasmInsn(insns, slot, names)}\n`;
    if (opcodes) {
      out += `       ${hexText(slotBytes(details, slot))}`;
      if (isWide) out += ` ${hexText(slotBytes(details, slot + 1))}`;
      out += '\n';
    }
    if (isWide) slot++;
  }
  return out;
}

function xlatedJson(
  insns: readonly Insn[],
  details: ProgDetails,
  btf: Btf | undefined,
  names: DisasmNames,
  { opcodes, linum }: DumpOptions,
): JsonTree {
  const funcs = new Map(details.funcs.map((func) => [func.insn_off, func.type_id]));
  const lines = linesBySlot(details.lines);
  const items: JsonTree[] = [];
  for (let slot = 0; slot < insns.length; slot++) {
    const func = btf && funcs.has(slot) ? signature(btf, funcs.get(slot)!) : '';
    const line = btf && lines.get(slot);
    const isWide = rowOf(insns[slot]!)?.slots === 2;
    items.push(
      object(
        func !== '' && ['proto', string(func)],
        ...(line ? lineJson(btf, line, linum) : []),
        ['disasm', string(disasmInsn(insns, slot, names))],
        opcodes && ['opcodes', opcodesJson(insns[slot]!, slotBytes(details, slot, isWide ? 2 : 1))],
      ),
    );
    if (isWide) slot++;
  }
  return array(items);
}

/** The fields of the instruction, each as the bytes it has. */
function opcodesJson(insn: Insn, bytes: Uint8Array): JsonTree {
  const { code, dst, src } = insn;
  return object(
    ['code', string(`0x${code.toString(16).padStart(2, '0')}`)],
    ['src_reg', string(`0x${src.toString(16)}`)],
    ['dst_reg', string(`0x${dst.toString(16)}`)],
    ['off', hexData(bytes.subarray(2, 4))],
    ['imm', hexData(bytes.subarray(4))],
  );
}
