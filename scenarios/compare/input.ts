/** What is compared: an object of somebody's, or a workload, with packets that are made for it. */
import type { MixOptions, Workload } from '../workloads/workloads.ts';
import type { ComparisonInput } from './comparison.ts';
import { DEFAULT_GEN, generated, parseGen } from './packets.ts';
import { loadSubject, type Subject } from './subject.ts';

export interface InputOptions {
  /** For messages, and as the comparison's title. */
  readonly name: string;
  readonly object: Uint8Array;
  /** Fills maps and makes packets; absent for an object of somebody's. */
  readonly workload?: Workload | undefined;
  /** Of an object with several programs. */
  readonly program?: string | undefined;
  /** Packets as `parseGen` reads them. */
  readonly gen?: string | undefined;
}

/** Throws SubjectError for a packet specification that cannot be read. */
export function comparisonInput(
  assets: { readonly core: WebAssembly.Module },
  { name, object, workload, program, gen }: InputOptions,
): ComparisonInput {
  const spec = gen === undefined ? DEFAULT_GEN : parseGen(gen);
  return {
    name,
    about: `${spec.flows} flows of ${spec.bytes}-byte frames`,
    mix: spec,
    load(mix: MixOptions): Subject {
      const subject = loadSubject(assets, object, name, program);
      workload?.prepare?.(subject.put, mix);
      return subject;
    },
    packets: (mix) => workload?.packets(mix) ?? generated({ ...spec, ...mix }),
    ...(workload?.ports && { ports: workload.ports }),
  };
}
