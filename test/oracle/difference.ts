/**
 * What differs between two answers to one request. A difference has a kind and a key: two programs
 * with the same key most likely show the same bug.
 */
import type { BatchAnswer } from '../../ui/cli/batch/answer.ts';
import { CRASH, type Answer } from './contender.ts';

export type DifferenceKind =
  /** skep threw. */
  | 'crash'
  /** The two engines of skep differ. */
  | 'engines'
  /** skep accepts what Linux refuses. */
  | 'accepts'
  /** skep refuses what Linux accepts. */
  | 'refuses'
  | 'errno'
  | 'message'
  /** Instructions that the verifier processed. */
  | 'processed'
  | 'run-errno'
  | 'retval'
  | 'data'
  | 'maps'
  /** One of the two could not carry the request out (its maps, for instance). */
  | 'request';

export interface Difference {
  readonly kind: DifferenceKind;
  readonly key: string;
  readonly linux: string;
  readonly skep: string;
}

/** Kinds in which the verifier agrees and the run does not. */
export const RESULT_KINDS: ReadonlySet<DifferenceKind> = new Set([
  'engines',
  'run-errno',
  'retval',
  'data',
  'maps',
]);

/** The most telling difference, if there is one. */
export function difference(linux: Answer, skep: Answer): Difference | undefined {
  if ('error' in skep && skep.error.startsWith(CRASH)) {
    const [message = '', at = ''] = skep.error.slice(CRASH.length).split('\n');
    return { kind: 'crash', key: template(message), linux: '', skep: `${message} ${at.trim()}` };
  }
  if ('error' in linux || 'error' in skep) {
    const [a, b] = [linux, skep].map((one) => ('error' in one ? brief(one.error) : 'answered'));
    return a === b ? undefined : of('request', a!, b!);
  }
  return (
    verdictDifference(linux, skep) ?? runDifference(linux, skep) ?? processedDifference(linux, skep)
  );
}

/** Between the interpreter and the JIT: nothing may differ. */
export function engineDifference(interpreter: Answer, jit: Answer): Difference | undefined {
  const found = difference(interpreter, jit);
  if (!found) return undefined;
  return { ...found, kind: 'engines', key: `${found.kind} ${found.key}` };
}

const of = (kind: DifferenceKind, linux: string, skep: string): Difference => ({
  kind,
  key: `${template(linux)} | ${template(skep)}`,
  linux,
  skep,
});

/** 'progs: EACCES …log…' is as good as 'progs: EACCES'. */
const brief = (error: string): string => /^\w+: \w+/.exec(error)?.[0] ?? error;

function verdictDifference(linux: BatchAnswer, skep: BatchAnswer): Difference | undefined {
  const [messageA, messageB] = [lastMessage(linux.log), lastMessage(skep.log)];
  if (skep.ok !== linux.ok) {
    return linux.ok
      ? of('refuses', 'accepted', `${skep.errno}: ${messageB}`)
      : of('accepts', `${linux.errno}: ${messageA}`, 'accepted');
  }
  if (linux.errno !== skep.errno) {
    return of('errno', `${linux.errno}: ${messageA}`, `${skep.errno}: ${messageB}`);
  }
  if (!linux.ok && messageA !== messageB) return of('message', messageA, messageB);
  return undefined;
}

function processedDifference(linux: BatchAnswer, skep: BatchAnswer): Difference | undefined {
  if (linux.verified_insns !== skep.verified_insns) {
    const why = linux.ok ? '' : template(lastMessage(linux.log));
    return {
      kind: 'processed',
      key: `${linux.verified_insns > skep.verified_insns ? 'fewer' : 'more'} ${why}`,
      linux: `${linux.verified_insns}`,
      skep: `${skep.verified_insns}`,
    };
  }
  return undefined;
}

function runDifference(linux: BatchAnswer, skep: BatchAnswer): Difference | undefined {
  const [runsA, runsB] = [linux.run ?? [], skep.run ?? []];
  for (let i = 0; i < Math.max(runsA.length, runsB.length); i++) {
    const [a, b] = [runsA[i], runsB[i]];
    if (a?.errno !== b?.errno) return of('run-errno', String(a?.errno), String(b?.errno));
    if (a!.retval !== b!.retval) {
      return { kind: 'retval', key: '', linux: hex32(a!.retval), skep: hex32(b!.retval) };
    }
    if (a!.data_out !== b!.data_out) {
      return { kind: 'data', key: '', linux: a!.data_out, skep: b!.data_out };
    }
  }
  const [mapsA, mapsB] = [contents(linux), contents(skep)];
  const map = mapsA.findIndex((entries, i) => entries !== mapsB[i]);
  if (map < 0) return undefined;
  return {
    kind: 'maps',
    key: '',
    linux: `map ${map}: ${mapsA[map]}`,
    skep: `map ${map}: ${mapsB[map]}`,
  };
}

const hex32 = (value: number): string => `0x${value.toString(16)}`;

/** Each map's entries as text. In the order of keys: a hash's own order depends on a random seed. */
function contents({ maps = [] }: BatchAnswer): string[] {
  return maps.map((entries) =>
    entries
      .map(({ key, value }) => `${key}=${value}`)
      .sort()
      .join(' '),
  );
}

const COUNTS = /^(processed \d+ insns|verification time |stack depth )/;

/** The log's last line before the counts; addresses and descriptors are each kernel's own. */
export function lastMessage(log: string): string {
  const lines = log.trimEnd().split('\n');
  while (lines.length > 0 && COUNTS.test(lines.at(-1)!)) lines.pop();
  return (lines.at(-1) ?? '')
    .replace(/verification time \d+ usec$/, '')
    .replace(/^fd \d+ is/, 'fd N is')
    .replace(/= 0xffff[0-9a-f]{12}\b/g, '= 0xADDRESS');
}

/** A message without its numbers. */
function template(message: string): string {
  return message.replace(/\bR\d+\b/g, 'R_').replace(/-?\b(0x[0-9a-f]+|\d+)\b/g, 'N');
}
