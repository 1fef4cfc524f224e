/** Differences as a person reads them: what, the request to paste, the program, both logs' ends. */
import { disasmInsn } from '../../bpf/isa/disasm.ts';
import { helperName } from '../../bpf/helpers/table.ts';
import type { Answer } from './contender.ts';
import type { Found } from './court.ts';
import type { Divergence } from './divergence.ts';
import { slotsOf } from './edit.ts';
import { insnsOf, type RequestJson } from './request.ts';
import type { Coverage, Tally } from './statistics.ts';

/** Lines of a log that are shown. */
const LOG_LINES = 25;

export function line({ request, difference }: Found): string {
  const { kind, linux, skep } = difference;
  return `${String(request.id)}: ${kind}: Linux ${cut(linux)}; skep ${cut(skep)}`;
}

export function report(found: Found, where: Divergence | undefined): string {
  const { request, linux, skep } = found;
  return [
    `==== ${line(found)}`,
    ...(where
      ? [
          `first divergent instruction ${where.slot}: ${where.text}`,
          `  Linux ${cut(where.linux)}; skep ${cut(where.skep)}`,
        ]
      : []),
    JSON.stringify(request),
    listing(request),
    logTail('Linux', linux),
    logTail('skep', skep),
  ].join('\n');
}

export function listing(request: RequestJson): string {
  const insns = insnsOf(request);
  const maps = new Map((request.fixups ?? []).map(({ insn, map }) => [insn, map]));
  const lines: string[] = [];
  for (let slot = 0; slot < insns.length; slot += slotsOf(insns, slot)) {
    const text = disasmInsn(insns, slot, {
      helper: (id) => `bpf_${helperName(id) ?? 'unknown'}`,
      level: '6.1',
      imm64: (_value, _insn, at) => {
        const map = maps.get(at);
        return map === undefined ? undefined : `map ${map} (${request.maps?.[map]?.type})`;
      },
    });
    lines.push(`${String(slot).padStart(4)}: ${text}`);
  }
  return lines.join('\n');
}

function logTail(who: string, answer: Answer): string {
  if ('error' in answer) return `---- ${who}: ${answer.error}`;
  const verdict = answer.ok ? 'ok' : answer.errno;
  const run = answer.ok ? ` ${JSON.stringify(answer.run)}` : '';
  const lines = answer.log.trimEnd().split('\n').slice(-LOG_LINES);
  return [`---- ${who}: ${verdict}${run}`, ...lines].join('\n');
}

export function summary(tally: Tally): string {
  const percent = (count: number, of = tally.total): string =>
    `${count} (${((100 * count) / Math.max(1, of)).toFixed(2)} %)`;
  const { acceptedByBoth, refusedByBoth, ran, compiled, unstable } = tally;
  const named = Object.entries(tally.differences).map(([kind, n]) => `${kind} ${percent(n)}`);
  return [
    `${tally.total} programs: accepted by both ${percent(acceptedByBoth)}, refused by both ` +
      `${percent(refusedByBoth)}, by skep only ${percent(tally.refusedBySkepOnly)}, ` +
      `by Linux only ${percent(tally.acceptedBySkepOnly)}; ${tally.notJudged} too long for the judge`,
    `results compared of ${ran} (JIT: ${compiled}), ${unstable} of them depend on addresses`,
    `instructions processed: the same for ${percent(tally.sameProcessed, acceptedByBoth)} of the ` +
      `accepted; of the refused errno ${percent(tally.sameErrno, refusedByBoth)}, ` +
      `errno and last message ${percent(tally.sameMessage, refusedByBoth)}`,
    named.length > 0 ? `differences: ${named.join(', ')}` : 'no differences',
  ].join('\n');
}

/** What the compared programs were made of, the rarest first: that is what a reader looks for. */
export function covered(coverage: Partial<Coverage>): string {
  return Object.entries(coverage)
    .map(([group, counts]: [string, Readonly<Record<string, number>>]) => {
      const rows = Object.entries(counts).sort(([, a], [, b]) => a - b);
      return `${group} (${rows.length}): ${rows.map(([name, n]) => `${name} ${n}`).join(', ')}`;
    })
    .join('\n');
}

const cut = (text: string): string => (text.length > 200 ? `${text.slice(0, 200)}…` : text);
