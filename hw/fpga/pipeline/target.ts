/**
 * A pipeline made of one program, after eHDL, on an Alveo U50: one packet a clock at 250 MHz.
 *
 *   const target = createPipeline()                  64-byte frames
 *   createPipeline({ frameBytes: 32 })
 */
import type { BpfMap, MapSpec } from '../../../bpf/maps/map.ts';
import type { MapType } from '../../../bpf/uapi.ts';
import { errno } from '../../../kernel/types/errno.ts';
import type { Diagnostic, OffloadProgram, ResourceUse, Target } from '../../target.ts';
import { buildDesign } from './design.ts';
import { stage } from './hazards.ts';
import { PipelineImage } from './image.ts';
import { BLOCK_RAM_BITS, CLOCK_HZ, DEVICE, FRAME_BYTES, MAX_STAGES, PCIE } from './params.ts';
import { Refusal } from './refusal.ts';
import { resourcesOf } from './resources.ts';
import { PipelineRun } from './run.ts';
import { PipelineTiming } from './timing.ts';

export interface PipelineOptions {
  /** Of the words that packets come in: 32 or 64. */
  readonly frameBytes?: 32 | 64;
}

/** One pipeline, so that a per-CPU map is a plain one. */
const MAPS: readonly MapType[] = [
  'array', 'percpu_array', 'hash', 'percpu_hash', 'lru_hash', 'lpm_trie', 'devmap',
]; // prettier-ignore

export function createPipeline(options: PipelineOptions = {}): Target<PipelineImage> {
  const { frameBytes = FRAME_BYTES } = options;
  return {
    kind: 'fpga',
    name: frameBytes === FRAME_BYTES ? 'pipeline' : `pipeline, ${frameBytes}-byte frames`,
    compile(program) {
      try {
        return { kind: 'image', image: compile(program, frameBytes) };
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        return { kind: 'refused', diagnostics: [error.diagnostic] };
      }
    },
    refuseMap,
    execute: (image, runtime) => new PipelineRun(image, runtime),
    timing: (image, runtime, { clockHz = CLOCK_HZ }) => new PipelineTiming(image, runtime, clockHz),
    mapAccessNs: () => PCIE.writeNs + PCIE.readNs,
  };
}

function compile(program: OffloadProgram, frameBytes: number): PipelineImage {
  const { device } = program;
  for (const map of device.usedMaps) checkMap(map);
  const design = buildDesign(device, frameBytes);
  const staged = stage(design);
  const { schedule, hazards } = staged;
  if (schedule.stages > MAX_STAGES) {
    const what = `${schedule.stages} stages are more than ${MAX_STAGES}`;
    throw new Refusal('program-too-large', what, undefined, errno.ENOSPC);
  }
  const resources = resourcesOf(design, schedule, hazards);
  resources.forEach(checkFits);
  return new PipelineImage(program, design, staged, resources);
}

function checkFits({ name, used, available }: ResourceUse): void {
  if (available === undefined || used <= available) return;
  const what = `${used} ${name} are more than the device's ${available}`;
  throw new Refusal('program-too-large', what, undefined, errno.ENOSPC);
}

function checkMap({ spec }: BpfMap): void {
  const refused = refuseMap(spec);
  if (refused) throw new Refusal('map-operation', refused.message.replace('pipeline: ', ''));
}

function refuseMap({ type, keyBytes, valueBytes, maxEntries }: MapSpec): Diagnostic | undefined {
  if (!MAPS.includes(type)) {
    return {
      reason: 'unsupported-map-type',
      message: `pipeline: maps of type ${type} are not supported`,
      hint: `there are blocks for ${MAPS.join(', ')}`,
      errno: errno.EOPNOTSUPP,
    };
  }
  const blocks = Math.ceil(((keyBytes + valueBytes) * 8 * maxEntries) / BLOCK_RAM_BITS);
  if (blocks <= DEVICE.blockRams) return undefined;
  return {
    reason: 'map-too-large',
    message: `pipeline: a map of ${maxEntries} entries needs ${blocks} block RAMs`,
    hint: `the device has ${DEVICE.blockRams} in all`,
    errno: errno.ENOMEM,
  };
}
