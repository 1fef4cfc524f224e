/**
 * A switch pipeline in the manner of RMT and Tofino: parser, match-action stages, deparser. What maps
 * onto it runs at one packet a clock; what does not is refused with the reason.
 *
 *   const target = createAsic()
 */
import type { MapSpec } from '../../bpf/maps/map.ts';
import { errno } from '../../kernel/types/errno.ts';
import type { CompileResult, Diagnostic, OffloadProgram, Target } from '../target.ts';
import { allocate } from './allocate.ts';
import { buildGraph } from './build.ts';
import { AsicImage } from './image.ts';
import { MATCHES, tableSize } from './memory.ts';
import { CLOCK_HZ, PCIE, STAGE, STAGES } from './params.ts';
import { Refusal } from './refusal.ts';
import { AsicRun } from './run.ts';
import { AsicTiming } from './timing.ts';

export function createAsic(): Target<AsicImage> {
  return {
    kind: 'asic',
    name: 'RMT switch',
    compile,
    refuseMap,
    execute: (image, runtime) => new AsicRun(image, runtime),
    timing: (image, _runtime, { clockHz = CLOCK_HZ }) => new AsicTiming(image, { clockHz }),
    mapAccessNs: () => PCIE.writeNs + PCIE.readNs,
  };
}

function compile(program: OffloadProgram): CompileResult<AsicImage> {
  try {
    const refused = program.device.usedMaps.flatMap(({ spec }) => refuseMap(spec) ?? []);
    if (refused.length > 0) return { kind: 'refused', diagnostics: refused };
    const graph = buildGraph(program.device);
    return { kind: 'image', image: new AsicImage(program, graph, allocate(graph)) };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { kind: 'refused', diagnostics: [error.diagnostic] };
  }
}

function refuseMap(spec: MapSpec): Diagnostic | undefined {
  const { type, maxEntries } = spec;
  if (!MATCHES[type]) {
    return {
      reason: 'unsupported-map-type',
      message: `asic: maps of type ${type} are not supported`,
      hint: `tables are made of ${Object.keys(MATCHES).join(', ')}`,
      errno: errno.EOPNOTSUPP,
    };
  }
  const { sram, tcam } = tableSize({ spec });
  if (sram <= STAGE.sram * STAGES && tcam <= STAGE.tcam * STAGES) return undefined;
  return {
    reason: 'map-too-large',
    message: `asic: ${maxEntries} entries need ${sram} blocks of SRAM and ${tcam} of TCAM`,
    hint: `a pipe has ${STAGE.sram * STAGES} and ${STAGE.tcam * STAGES}`,
    errno: errno.ENOMEM,
  };
}
