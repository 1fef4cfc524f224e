/**
 * What init.c reads and writes: requests as lines of words, answers with raw logs in between.
 *
 *   encodeRequests(requests)      the initramfs's /requests
 *   decodeAnswers(bytes)          answers by request number, and whether the kernel came to its end
 */
import type { BatchAnswer } from '../../ui/cli/batch/answer.ts';
import type { BatchRequest } from '../../ui/cli/batch/request.ts';
import { errnoName } from '../../kernel/types/errno.ts';

/** Logs travel over a serial line: only their end is of interest. */
const LOG_TAIL_BYTES = 20_000;

export function encodeRequests(requests: readonly BatchRequest[]): string {
  return requests.map((request, number) => encodeRequest(request, number)).join('');
}

function encodeRequest(request: BatchRequest, number: number): string {
  const lines: (readonly (string | number)[])[] = [
    [
      'request',
      number,
      request.progType,
      request.expectedAttachType,
      request.progFlags,
      Number(request.unpriv),
      request.logLevel,
      Number(request.dumpMaps),
      LOG_TAIL_BYTES,
    ],
    ['license', hex(new TextEncoder().encode(request.license))],
    ['attach-btf-id', request.attachBtfId],
    ['btf', hex(request.btf)],
    ['func-info', hex(request.funcInfo)],
    ['line-info', hex(request.lineInfo)],
    ...request.maps.flatMap((map) => [
      ...(map.btf ? [['map-btf', hex(map.btf)]] : []),
      [
        'map',
        map.type,
        map.keySize,
        map.valueSize,
        map.maxEntries,
        map.flags,
        map.btfKeyTypeId,
        map.btfValueTypeId,
        map.inner ?? -1,
      ],
    ]),
    ...request.maps.flatMap((map, index) => [
      ...map.init.map(({ key, value }) => ['init', index, hex(key), hex(value)]),
      ...map.progs.map(({ key, insns, self }) => ['prog', index, key, self ?? -1, hex(insns)]),
    ]),
    ['insns', hex(request.insns)],
    ...request.fixups.map(({ insn, map }) => ['fixup', insn, map]),
    ...request.run.map((run) => ['run', run.repeat, hex(run.context), hex(run.data)]),
    ['end'],
  ];
  return lines.map((words) => `${words.join(' ')}\n`).join('');
}

function hex(bytes: Uint8Array | undefined): string {
  return bytes && bytes.length > 0 ? Buffer.from(bytes).toString('hex') : '-';
}

export interface JudgeOutput {
  /** By request number; a request without an answer is missing. */
  readonly answers: ReadonlyMap<
    number,
    BatchAnswer | { readonly id: unknown; readonly error: string }
  >;
  /** The first request that has no answer, where the kernel did not come to its end. */
  readonly stoppedAt: number | undefined;
}

type Draft = {
  -readonly [K in keyof BatchAnswer]?: BatchAnswer[K] extends readonly (infer T)[] | undefined
    ? T[]
    : BatchAnswer[K];
} & { error?: string; entries?: Map<number, { key: string; value: string }[]> };

export function decodeAnswers(bytes: Uint8Array, requests: readonly BatchRequest[]): JudgeOutput {
  const answers = new Map<number, BatchAnswer | { id: unknown; error: string }>();
  let at = 0;
  let draft: Draft = {};
  let finished = false;
  const nextLine = (): string | undefined => {
    const end = bytes.indexOf(10, at);
    if (end < 0) return undefined;
    const line = Buffer.from(bytes.subarray(at, end)).toString('latin1');
    at = end + 1;
    return line;
  };
  for (let line = nextLine(); line !== undefined && !finished; line = nextLine()) {
    const [word, ...words] = line.split(' ');
    switch (word) {
      case 'answer': {
        const result = Number(words[1]);
        draft.ok = result >= 0;
        draft.errno = result >= 0 ? null : (errnoName(result) ?? String(-result));
        draft.verified_insns = Number(words[2]);
        break;
      }
      case 'log': {
        const size = Number(words[0]);
        draft.log = Buffer.from(bytes.subarray(at, at + size)).toString('latin1');
        at += size + 1;
        break;
      }
      case 'run': {
        const code = Number(words[1]);
        (draft.run ??= []).push({
          retval: Number(words[0]),
          errno: code === 0 ? null : (errnoName(code) ?? String(code)),
          data_out: words[2] === '-' ? '' : words[2]!,
        });
        break;
      }
      case 'entry': {
        const entries = (draft.entries ??= new Map());
        const index = Number(words[0]);
        const key = words[1] === '-' ? '' : words[1]!;
        entries.set(index, [...(entries.get(index) ?? []), { key, value: words[2]! }]);
        break;
      }
      case 'error':
        draft.error = words.join(' ').replace(/(\d+)$/, (code) => errnoName(Number(code)) ?? code);
        break;
      case 'done': {
        const number = Number(words[0]);
        answers.set(number, finish(draft, requests[number]!));
        draft = {};
        break;
      }
      case 'bye':
        finished = true;
        break;
      default:
    }
  }
  const stoppedAt = finished ? undefined : requests.findIndex((_, number) => !answers.has(number));
  return { answers, stoppedAt };
}

function finish(draft: Draft, request: BatchRequest): BatchAnswer | { id: unknown; error: string } {
  const { id } = request;
  if (draft.error !== undefined) return { id, error: draft.error };
  const log = draft.log ?? '';
  const processed = Number(/^processed (\d+) insns/m.exec(log)?.[1] ?? 0);
  return {
    id,
    run: draft.run ?? [],
    ok: draft.ok ?? false,
    errno: draft.errno ?? null,
    log,
    verified_insns: draft.ok ? (draft.verified_insns ?? 0) : processed,
    ...(request.dumpMaps && {
      maps: request.maps.map((_, index) => draft.entries?.get(index) ?? []),
    }),
  };
}
