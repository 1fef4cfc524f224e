/**
 * `skep compare FILE.o|NAME`: one program on every target: does it fit, how fast, where the time goes.
 *
 *   --targets a,b     only these
 *   --pcap FILE       packets of a capture; --gen SPEC made ones; else the workload's own
 *   --rate MPPS       offered for the latencies; else half of what the target can do
 *   --validate        published figures beside simulated ones
 */
import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { ObjectError } from '../../bpf/elf/error.ts';
import { CaptureError } from '../../hw/nic/capture.ts';
import { readCapture } from '../../hw/nic/pcap.ts';
import { measure, type TargetRow } from '../../scenarios/compare/compare.ts';
import { DEFAULT_GEN, generated, parseGen } from '../../scenarios/compare/packets.ts';
import { comparisonText, validationText } from '../../scenarios/compare/report.ts';
import { loadSubject, type Subject, SubjectError } from '../../scenarios/compare/subject.ts';
import { type CompareTarget, targetNamed, TARGETS } from '../../scenarios/compare/targets.ts';
import { validate } from '../../scenarios/compare/validate.ts';
import {
  type OfferedPacket,
  type Workload,
  workloadNamed,
  WORKLOADS,
} from '../../scenarios/workloads/workloads.ts';
import type { HostAssets } from '../../kernel/config.ts';
import { hostAssets } from './assets.ts';
import { EXIT, UsageError } from './usage.ts';

export interface CompareOptions {
  readonly targets?: string;
  readonly program?: string;
  readonly pcap?: string;
  readonly gen?: string;
  readonly rate?: string;
  readonly packets: string;
  readonly list?: boolean;
  readonly validate?: boolean;
  readonly json?: boolean;
}

const WORKLOAD_FOLDER = join(import.meta.dirname, '../../scenarios/workloads');

export async function compare(what: string | undefined, options: CompareOptions): Promise<number> {
  if (options.list) return list(options.json ?? false);
  const assets = await hostAssets();
  if (options.validate) return printValidation(assets, options.json ?? false);
  if (what === undefined) throw new UsageError('name an object file or a workload (--list)');
  try {
    return run(assets, what, options);
  } catch (error) {
    const isInput = [SubjectError, ObjectError, CaptureError].some((kind) => error instanceof kind);
    if (isInput) throw new UsageError((error as Error).message);
    throw error;
  }
}

function run(assets: HostAssets, what: string, options: CompareOptions): number {
  const workload = existsSync(what) ? undefined : workloadNamed(what);
  if (workload === undefined && !existsSync(what)) {
    const names = WORKLOADS.map(({ name }) => name).join(', ');
    throw new UsageError(`${what} is neither a file nor a workload (${names})`);
  }
  const targets = chosenTargets(options.targets);
  const { packets, about } = packetsOf(workload, options);
  const mix = options.gen === undefined ? DEFAULT_GEN : parseGen(options.gen);
  const load = (): Subject => {
    if (workload !== undefined) return loadWorkload(assets, workload, mix, true);
    return loadSubject(assets, readFileSync(what), basename(what), options.program);
  };
  const rows = targets.map((target): TargetRow => {
    const { bitsPerSecond } = target;
    return measure(load, target.create(), packets, {
      packets: positive('--packets', options.packets),
      bitsPerSecond,
      ...(options.rate !== undefined && {
        packetsPerSecond: positive('--rate', options.rate) * 1e6,
      }),
      ...(workload?.ports && { ports: workload.ports }),
    });
  });
  const name = workload?.name ?? basename(what);
  if (options.json) console.log(JSON.stringify({ program: name, packets: about, targets: rows }));
  else process.stdout.write(comparisonText(`${name}: ${about}`, rows));
  return rows.some(({ performance }) => performance !== undefined) ? EXIT.ok : EXIT.failed;
}

function chosenTargets(list: string | undefined): readonly CompareTarget[] {
  if (list === undefined || list === 'all') return TARGETS;
  return list.split(',').map((id) => {
    const target = targetNamed(id);
    if (target !== undefined) return target;
    throw new UsageError(`no target '${id}'; there are: ${TARGETS.map((t) => t.id).join(', ')}`);
  });
}

function packetsOf(
  workload: Workload | undefined,
  { pcap, gen }: CompareOptions,
): { readonly packets: readonly OfferedPacket[]; readonly about: string } {
  if (pcap !== undefined) {
    if (!existsSync(pcap)) throw new UsageError(`${pcap}: no such file`);
    const { frames } = readCapture(readFileSync(pcap), pcap);
    if (frames.length === 0) throw new UsageError(`${pcap} holds no frames`);
    const packets = frames.map(({ data }) => ({ data, port: 0 }));
    return { packets, about: `${frames.length} frames of ${basename(pcap)}, in turn` };
  }
  const spec = gen === undefined ? DEFAULT_GEN : parseGen(gen);
  const about = `${spec.flows} flows of ${spec.bytes}-byte frames`;
  return { packets: workload?.packets(spec) ?? generated(spec), about };
}

function loadWorkload(
  assets: HostAssets,
  { name, prepare }: Workload,
  mix: { readonly flows: number; readonly bytes: number },
  prepared: boolean,
): Subject {
  const file = `${name}.bpf.o`;
  const subject = loadSubject(assets, readFileSync(join(WORKLOAD_FOLDER, file)), file);
  if (prepared) prepare?.(subject.put, mix);
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
  const isTerminal = process.stderr.isTTY;
  const rows = validate(load, (what) => {
    if (isTerminal) process.stderr.write(`\r\x1b[K${what} …`);
  });
  if (isTerminal) process.stderr.write('\r\x1b[K');
  if (json) for (const row of rows) console.log(JSON.stringify(row));
  else process.stdout.write(validationText(rows));
  return EXIT.ok;
}
