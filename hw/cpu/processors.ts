/**
 * The processors of a whole machine: its programs as machine code, executed and counted on a core a
 * CPU (Processors of hw/target.ts).
 *
 *   bootMachine({ processors: createProcessors({ engine: createX86Engine(), core: SKYLAKE, … }) })
 */
import type { Processors } from '../target.ts';
import { CodeStream } from './code-stream.ts';
import { Core } from './core.ts';
import type { CoreParams } from './core-params.ts';
import type { CallConvention } from './kernel-calls.ts';
import { KERNELS, type KernelVersion } from './kernel-functions.ts';
import { CoreMemory, SharedMemory } from './memory.ts';
import { Pmu } from './pmu.ts';
import type { ObservedEngine } from './target.ts';

export interface ProcessorOptions {
  readonly engine: ObservedEngine;
  readonly convention: CallConvention;
  readonly core: CoreParams;
  readonly clockHz?: number;
  /** 6.1 where absent. */
  readonly kernel?: KernelVersion;
}

export function createProcessors(o: ProcessorOptions): Processors {
  const { core, clockHz = core.clockHz, kernel = KERNELS['6.1'], convention } = o;
  return {
    engine: o.engine,
    attach(runtime) {
      const shared = new SharedMemory(core);
      const stream = new CodeStream(runtime, { core, kernel, convention });
      const cores = Array.from(
        { length: runtime.kernel.cpuCount },
        (_, number) => new Core(core, new CoreMemory(core, clockHz, shared, number)),
      );
      o.engine.observe(runtime, {
        blocks: (blocks) => stream.blocks(blocks),
        events(words, count) {
          stream.events(words, count);
          stream.run(cores[runtime.kernel.cpu()]!);
        },
      });
      return cores.map((each) => new Pmu(each, stream));
    },
  };
}
