/**
 * Calls of helpers whose answers a real Linux gives as well (record-helpers.ts keeps them): programs
 * in the assembler's syntax that put results into the one value of a map.
 *
 *   helperCases            the cases
 *   caseMachine()          skep with the types that they ask about
 *   requestOf(case)        as the batch command and the oracle take it
 *   resultOf(answer)       what of an answer is compared
 *
 * In a body r6 is the context and r9 the map's value. `save` stores r0 there, `save BYTES from OFF`
 * that many bytes of the stack from r10 + OFF on, each after what was stored before; `set OFF HEX`
 * puts bytes on the stack.
 */
import { assemble } from '../../bpf/asm/assemble.ts';
import { type BatchAnswer, BatchMachine } from '../../ui/cli/batch/answer.ts';
import { readFileSync } from 'node:fs';
import { parseBtf } from '../../bpf/btf/btf.ts';
import { coreModule } from '../support/assets.ts';
import { btfCases } from './helper-cases/btf.ts';
import { callCases } from './helper-cases/calls.ts';
import { cgroupCases } from './helper-cases/cgroups.ts';
import { fibCases } from './helper-cases/fib.ts';
import { lwtCases } from './helper-cases/lwt.ts';
import { sockCases } from './helper-cases/sockets.ts';
import { syncookieCases } from './helper-cases/syncookies.ts';
import { tunnelCases } from './helper-cases/tunnels.ts';
import { hexOfInsns, type MapJson, type RequestJson } from '../oracle/request.ts';

export interface HelperCase {
  readonly id: string;
  readonly type: string;
  readonly attach?: string;
  readonly sleepable?: true;
  readonly body: string;
  /** After the map of results, which is map 0. */
  readonly maps?: readonly MapJson[];
  /** Of the packet; none for types that have none. */
  readonly data?: string;
  readonly context?: string;
}

/** src_reg of a ld_imm64 that loads a map. */
const BPF_PSEUDO_MAP_FD = 1;
const LD_IMM64 = 0x18;
const RESULT_BYTES = 1024;
/** prog_flags */
const BPF_F_SLEEPABLE = 0x10;
const results: MapJson = { type: 'array', key_size: 4, value_size: RESULT_BYTES, max_entries: 1 };

export const helperCases: readonly HelperCase[] = [
  ...tunnelCases,
  ...syncookieCases,
  ...sockCases,
  ...cgroupCases,
  ...fibCases,
  ...lwtCases,
  ...callCases,
  ...btfCases,
];

const PROLOGUE = `
  r6 = r1
  *(u32 *)(r10 -4) = 0
  r2 = r10
  r2 += -4
  r1 = map_fd(0)
  call map_lookup_elem#1
  if r0 != 0 goto found
  r0 = 1
  exit
found:
  r9 = r0
`;

/** The lines that `save` and `set` stand for. */
function expand(body: string): string {
  let at = 0;
  const lines = body.split('\n').flatMap((text) => {
    const line = text.trim();
    if (line === 'save') {
      at += 8;
      return [`*(u64 *)(r9 +${at - 8}) = r0`];
    }
    const copy = /^save (\d+) from (-\d+)$/.exec(line);
    if (copy) {
      const [bytes, from] = [Number(copy[1]), Number(copy[2])];
      return Array.from({ length: bytes / 4 }, (_, i) => {
        at += 4;
        return [`r0 = *(u32 *)(r10 ${from + i * 4})`, `*(u32 *)(r9 +${at - 4}) = r0`];
      }).flat();
    }
    const set = /^set (-\d+) ([0-9a-f ]+)$/.exec(line);
    if (set) {
      const bytes = Buffer.from(set[2]!.replaceAll(' ', ''), 'hex');
      return Array.from({ length: bytes.length / 4 }, (_, i) => {
        return `*(u32 *)(r10 ${Number(set[1]) + i * 4}) = ${bytes.readInt32LE(i * 4)}`;
      });
    }
    return [line];
  });
  if (at > RESULT_BYTES) throw new Error(`more results than ${RESULT_BYTES} bytes`);
  return lines.join('\n');
}

export function requestOf({
  id,
  type,
  attach,
  sleepable,
  body,
  maps,
  data,
  context,
}: HelperCase): RequestJson {
  const insns = assemble(`${PROLOGUE}${expand(body)}\n r0 = 0\n exit`);
  const fixups = insns.flatMap((insn, at) => {
    return insn.code === LD_IMM64 && insn.src === BPF_PSEUDO_MAP_FD
      ? [{ insn: at, map: insn.imm }]
      : [];
  });
  // Without a packet a program cannot be run more than once.
  const run = {
    ...(data ? { data_in: data } : { repeat: 0 }),
    ...(context && { ctx_in: context }),
  };
  return {
    id,
    prog_type: type,
    ...(attach && { expected_attach_type: attach }),
    ...(sleepable && { prog_flags: BPF_F_SLEEPABLE }),
    license: 'GPL',
    insns: hexOfInsns(insns),
    maps: [results, ...(maps ?? [])],
    fixups,
    log_level: 1,
    run: [run],
    dump_maps: true,
  };
}

/** What is compared: the run, and the map's value without the zeros at its end. */
export function resultOf({ run, maps }: BatchAnswer): { run: unknown; result: string } {
  const value = maps?.[0]?.[0]?.value ?? '';
  return { run, result: value.replace(/(00)*$/, '') };
}

export async function caseMachine(): Promise<BatchMachine> {
  const types = readFileSync(new URL('../objects/kernel_types.btf', import.meta.url));
  return new BatchMachine({ core: await coreModule() }, { kernelBtf: parseBtf(types) });
}
