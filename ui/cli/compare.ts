/**
 * `skep compare FILE.o|NAME`: one program on every target: does it fit, how fast, where the time goes.
 *
 *   --targets a,b     only these
 *   --pcap FILE       packets of a capture; --gen SPEC made ones; else the workload's own
 *   --rate MPPS       offered for the latencies; else half of what the target can do
 *   --sweep AXIS      a curve over frame size, flows, offered rate, cores or lanes
 *   --html FILE       the same with charts, in one file
 *   --validate        published figures beside simulated ones
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { ObjectError } from '../../bpf/elf/error.ts';
import { CaptureError } from '../../hw/nic/capture.ts';
import { readCapture } from '../../hw/nic/pcap.ts';
import {
  compare as compareTargets,
  type ComparisonInput,
} from '../../scenarios/compare/comparison.ts';
import { comparisonHtml } from '../charts/html.ts';
import { comparisonInput as inputOf } from '../../scenarios/compare/input.ts';
import { comparisonText, validationText } from '../../scenarios/compare/report.ts';
import { loadSubject, type Subject, SubjectError } from '../../scenarios/compare/subject.ts';
import { type Axis, parseSweep } from '../../scenarios/compare/sweep.ts';
import { chosenTargets, TARGETS } from '../../scenarios/compare/targets.ts';
import { validate } from '../../scenarios/compare/validate.ts';
import { type Workload, workloadNamed, WORKLOADS } from '../../scenarios/workloads/workloads.ts';
import type { HostAssets } from '../../kernel/config.ts';
import { hostAssets, workloadObject } from './assets.ts';
import { EXIT, UsageError } from './usage.ts';

export interface CompareOptions {
  readonly targets?: string;
  readonly program?: string;
  readonly pcap?: string;
  readonly gen?: string;
  readonly rate?: string;
  readonly cores?: string;
  readonly sweep: readonly string[];
  readonly html?: string;
  readonly packets: string;
  readonly list?: boolean;
  readonly validate?: boolean;
  readonly json?: boolean;
}

/** @param chartScript makes the script of the HTML file */
export async function compare(
  what: string | undefined,
  options: CompareOptions,
  chartScript: () => Promise<string>,
): Promise<number> {
  if (options.list) return list(options.json ?? false);
  const assets = await hostAssets();
  if (options.validate) return printValidation(assets, options.json ?? false);
  if (what === undefined) throw new UsageError('name an object file or a workload (--list)');
  try {
    return await run(assets, what, options, chartScript);
  } catch (error) {
    const isInput = [SubjectError, ObjectError, CaptureError].some((kind) => error instanceof kind);
    if (isInput) throw new UsageError((error as Error).message);
    throw error;
  }
}

async function run(
  assets: HostAssets,
  what: string,
  options: CompareOptions,
  chartScript: () => Promise<string>,
): Promise<number> {
  const workload = existsSync(what) ? undefined : workloadNamed(what);
  if (workload === undefined && !existsSync(what)) {
    const names = WORKLOADS.map(({ name }) => name).join(', ');
    throw new UsageError(`${what} is neither a file nor a workload (${names})`);
  }
  const input = comparisonInput(assets, what, workload, options);
  const comparison = finish(
    compareTargets(input, chosenTargets(options.targets), {
      packets: positive('--packets', options.packets),
      ...(options.rate !== undefined && {
        packetsPerSecond: positive('--rate', options.rate) * 1e6,
      }),
      ...(options.cores !== undefined && { cores: positive('--cores', options.cores) }),
      sweeps: options.sweep.map((text) => sweepFor(text, options)),
    }),
  );
  if (options.html !== undefined) {
    writeFileSync(options.html, comparisonHtml(comparison, await chartScript()));
  }
  if (options.json) console.log(JSON.stringify(comparison));
  else process.stdout.write(comparisonText(comparison));
  const fits = comparison.targets.some(({ performance }) => performance !== undefined);
  return fits ? EXIT.ok : EXIT.failed;
}

function finish<T>(steps: Generator<string, T>): T {
  for (;;) {
    const step = steps.next();
    progress(step.done ? undefined : step.value);
    if (step.done) return step.value;
  }
}

/** What is being done, where somebody watches; without words, nothing any more. */
function progress(what?: string): void {
  if (process.stderr.isTTY)
    process.stderr.write(`\r\x1b[K${what === undefined ? '' : `${what} …`}`);
}

function sweepFor(text: string, { pcap }: CompareOptions): Axis {
  const axis = parseSweep(text);
  if (pcap === undefined || (axis.name !== 'size' && axis.name !== 'flows')) return axis;
  throw new UsageError(`--sweep ${axis.name} needs packets that can be made, not a capture`);
}

function comparisonInput(
  assets: HostAssets,
  what: string,
  workload: Workload | undefined,
  { pcap, gen, program }: CompareOptions,
): ComparisonInput {
  const made = inputOf(assets, {
    name: workload?.name ?? basename(what),
    object: workload ? workloadObject(workload.name) : readFileSync(what),
    workload,
    program,
    gen,
  });
  if (pcap === undefined) return made;
  if (!existsSync(pcap)) throw new UsageError(`${pcap}: no such file`);
  const { frames } = readCapture(readFileSync(pcap), pcap);
  if (frames.length === 0) throw new UsageError(`${pcap} holds no frames`);
  const packets = frames.map(({ data }) => ({ data, port: 0 }));
  const about = `${frames.length} frames of ${basename(pcap)}, in turn`;
  return { ...made, about, packets: () => packets };
}

function loadWorkload(
  assets: HostAssets,
  workload: Workload,
  mix: { readonly flows: number; readonly bytes: number },
  prepared: boolean,
): Subject {
  const file = `${workload.name}.bpf.o`;
  const subject = loadSubject(assets, workloadObject(workload.name), file);
  if (prepared) workload.prepare?.(subject.put, mix);
  return subject;
}

function positive(option: string, text: string): number {
  const value = Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw new UsageError(`${option} must be a number above 0, not '${text}'`);
}

function list(json: boolean): number {
  const targets = TARGETS.map(({ id, about }) => ({ name: id, about }));
  const workloads = WORKLOADS.map(({ name, title }) => ({ name, about: title }));
  if (json) {
    console.log(JSON.stringify({ targets, workloads }));
    return EXIT.ok;
  }
  for (const [kind, rows] of Object.entries({ targets, workloads })) {
    console.log(`${kind}:`);
    for (const { name, about } of rows) console.log(`  ${name.padEnd(14)}${about}`);
  }
  return EXIT.ok;
}

function printValidation(assets: HostAssets, json: boolean): number {
  const load = (workload: Workload, mix: { flows: number; bytes: number }, prepared: boolean) =>
    loadWorkload(assets, workload, mix, prepared);
  const rows = validate(load, progress);
  progress();
  if (json) for (const row of rows) console.log(JSON.stringify(row));
  else process.stdout.write(validationText(rows));
  return EXIT.ok;
}
