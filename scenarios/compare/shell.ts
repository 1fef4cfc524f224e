/**
 * `compare` as a command of the machine: the program in one of its files, or a workload, on every
 * target. Models take no virtual time; on the page the charts open beside the terminal.
 */
import { ObjectError } from '../../bpf/elf/error.ts';
import type { ProgramRegistry } from '../../kernel/syscall/abi.ts';
import { getopt, usageError } from '../../user/libc/getopt.ts';
import { readFile } from '../../user/libc/files.ts';
import { program, type Tool } from '../../user/libc/process.ts';
import { strerror } from '../../user/libc/strerror.ts';
import { workloadNamed, WORKLOADS } from '../workloads/workloads.ts';
import { compare, type Comparison } from './comparison.ts';
import { comparisonInput } from './input.ts';
import { comparisonText } from './report.ts';
import { SubjectError } from './subject.ts';
import { AXIS_NAMES, parseSweep } from './sweep.ts';
import { chosenTargets, TARGETS } from './targets.ts';

export interface CompareHost {
  readonly core: WebAssembly.Module;
  /** The object of a workload. */
  workload(name: string): Uint8Array;
  /** It is done; a host with a screen shows it. */
  show?(comparison: Comparison): void;
}

/** Packets of each run: enough for steady figures, few enough to wait for. */
const DEFAULT_PACKETS = 20_000;

/** The configuration with the command in it. */
export function withCompare<C extends { readonly programs?: ProgramRegistry }>(
  config: C,
  host: CompareHost,
): C {
  return {
    ...config,
    programs: new Map([...(config.programs ?? []), ['compare', program(tool(host))]]),
  };
}

const tool = (host: CompareHost): Tool =>
  function* (p, args) {
    const o = yield* getopt(p, args, {
      usage: '[OPTION]... FILE.o|WORKLOAD',
      about: 'Run one XDP program on models of hardware: does it fit, how fast, where time goes.',
      options: [
        { short: 'l', long: 'list', help: 'list targets and workloads' },
        { short: 't', long: 'targets', arg: 'LIST', help: 'only these, separated by commas' },
        { short: 'p', long: 'program', arg: 'NAME', help: 'of an object that has several' },
        { short: 'g', long: 'gen', arg: 'SPEC', help: 'packets: flows=N,bytes=N,proto=P,ip=4|6' },
        { short: 's', long: 'sweep', arg: 'AXIS', help: `a curve: ${AXIS_NAMES.join(', ')}` },
        { short: 'n', long: 'packets', arg: 'N', help: `of each run (${DEFAULT_PACKETS})` },
      ],
    });
    if (o.has('list')) {
      yield* p.print(listing());
      return 0;
    }
    const [what, ...more] = o.operands;
    if (what === undefined || more.length > 0) return yield* usageError(p, 'name one program');
    const packets = Number(o.value('packets') ?? DEFAULT_PACKETS);
    if (!Number.isInteger(packets) || packets < 1) {
      return yield* usageError(p, `invalid number of packets: '${o.value('packets')}'`);
    }
    const bytes = yield* readFile(p, what);
    const workload = typeof bytes === 'number' ? workloadNamed(what) : undefined;
    if (typeof bytes === 'number' && !workload) {
      yield* p.error(`${what}: ${strerror(bytes)}, and no workload of that name (see --list)`);
      return 1;
    }
    const object = workload ? host.workload(what) : (bytes as Uint8Array);
    try {
      const input = comparisonInput(host, {
        name: what,
        object,
        workload,
        gen: o.value('gen'),
        program: o.value('program'),
      });
      const sweeps = o.values('sweep').map(parseSweep);
      const steps = compare(input, chosenTargets(o.value('targets')), { packets, sweeps });
      let step = steps.next();
      for (; !step.done; step = steps.next()) yield* p.stderr.write(`\r\x1b[K${step.value} …`);
      yield* p.stderr.write('\r\x1b[K');
      yield* p.print(comparisonText(step.value));
      host.show?.(step.value);
      return step.value.targets.some(({ performance }) => performance) ? 0 : 1;
    } catch (error) {
      if (!(error instanceof SubjectError || error instanceof ObjectError)) throw error;
      yield* p.error(error.message);
      return 1;
    }
  };

function listing(): string {
  const rows = (title: string, list: readonly (readonly [string, string])[]) =>
    `${title}:\n${list.map(([name, about]) => `  ${name.padEnd(14)}${about}\n`).join('')}`;
  return (
    rows('targets', TARGETS.map(({ id, about }) => [id, about])) +
    rows('workloads', WORKLOADS.map(({ name, title }) => [name, title]))
  ); // prettier-ignore
}
