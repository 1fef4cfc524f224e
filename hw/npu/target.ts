/**
 * Netronome's NFP-4000 (Agilio CX) as Linux's nfp driver offloads to it.
 *
 *   const target = createNpu()
 */
import type { MapSpec } from '../../bpf/maps/map.ts';
import { errno } from '../../kernel/types/errno.ts';
import type { CompileResult, Diagnostic, OffloadProgram, Target } from '../target.ts';
import { refusals } from './check.ts';
import { compile } from './compile.ts';
import { NpuImage } from './image.ts';
import { CLOCK_HZ, CORES, MAPS, MAX_INSTRUCTIONS, PCIE } from './params.ts';
import { NpuRun } from './run.ts';
import { NpuTiming } from './timing.ts';
import { analyse } from './values.ts';

export function createNpu(): Target<NpuImage> {
  return {
    kind: 'npu',
    name: 'NFP-4000',
    compile: compileFor,
    refuseMap,
    execute: (image, runtime) => new NpuRun(image, runtime),
    timing: (image, runtime, { clockHz = CLOCK_HZ, parallel = CORES }) =>
      new NpuTiming(image, runtime, { clockHz, cores: parallel }),
    mapAccessNs: () => PCIE.writeNs + PCIE.readNs,
  };
}

function compileFor(program: OffloadProgram): CompileResult<NpuImage> {
  const { device } = program;
  const maps = [...device.usedMaps.flatMap(({ spec }) => refuseMap(spec) ?? []), ...tooMany(program)];
  if (maps.length > 0) return { kind: 'refused', diagnostics: maps };
  const at = analyse(device);
  const diagnostics = refusals(device, at);
  if (diagnostics.length > 0) return { kind: 'refused', diagnostics };
  const code = compile(device, at);
  if (code.insns.length > MAX_INSTRUCTIONS) {
    return { kind: 'refused', diagnostics: [tooLong(code.insns.length)] };
  }
  return { kind: 'image', image: new NpuImage(program, code) };
} // prettier-ignore

const tooLong = (instructions: number): Diagnostic => ({
  reason: 'program-too-large',
  message: 'nfp: program too long',
  hint: `it becomes ${instructions} instructions; there is room for ${MAX_INSTRUCTIONS}`,
  errno: errno.EOPNOTSUPP,
});

/** UAPI linux/bpf.h. */
const BPF_F_RDONLY_PROG = 0x80;

/** Maps of the host, which the driver only names to the firmware. */
const OF_HOST = 'perf_event_array';

/** nfp_bpf_map_alloc's checks, in its order, with its lines of the kernel log. */
function refuseMap(spec: MapSpec): Diagnostic | undefined {
  const { type, flags, keyBytes, valueBytes, maxEntries } = spec;
  if (type === OF_HOST) return undefined;
  const refused = (reason: string, message: string, hint: string, code: number): Diagnostic => ({
    reason,
    message: `nfp: ${message}`,
    hint,
    errno: code,
  });
  // The kernel itself adds this to devmaps.
  if ((flags & ~BPF_F_RDONLY_PROG) !== 0) {
    return refused('map-flags', 'map flags are not supported', 'create it without flags', errno.EINVAL);
  }
  if (type !== 'hash' && type !== 'array') {
    return refused('unsupported-map-type', 'map type not supported', `it is a ${type}; there are hash and array`, errno.EOPNOTSUPP);
  }
  if (maxEntries > MAPS.elements) {
    return refused('map-too-large', `map with too many elements: ${maxEntries}, left: ${MAPS.elements}`, `all maps together have ${MAPS.elements}`, errno.ENOMEM);
  }
  const bytes = round4(keyBytes) + round4(valueBytes);
  if (bytes > MAPS.elementBytes) {
    return refused('element-too-large', `map elements too large: ${bytes}, FW max element size (key+value): ${MAPS.elementBytes}`, 'split the value', errno.ENOMEM);
  }
  if (keyBytes > MAPS.keyBytes) {
    return refused('element-too-large', `map key size ${keyBytes}, FW max is ${MAPS.keyBytes}`, 'shorten the key', errno.ENOMEM);
  }
  if (valueBytes > MAPS.valueBytes) {
    return refused('element-too-large', `map value size ${valueBytes}, FW max is ${MAPS.valueBytes}`, 'split the value', errno.ENOMEM);
  }
  return undefined;
} // prettier-ignore

/** Keys and values lie in words. */
const round4 = (bytes: number): number => (bytes + 3) & ~3;

function tooMany({ device }: OffloadProgram): Diagnostic[] {
  const maps = device.usedMaps.filter(({ spec }) => spec.type !== OF_HOST);
  const elements = maps.reduce((sum, { spec }) => sum + spec.maxEntries, 0);
  if (maps.length > MAPS.count) {
    return [
      {
        reason: 'too-many-maps',
        message: 'nfp: too many maps for a device',
        hint: `it has ${MAPS.count}`,
        errno: errno.ENOMEM,
      },
    ];
  }
  if (elements <= MAPS.elements) return [];
  return [
    {
      reason: 'map-too-large',
      message: `nfp: map with too many elements: ${elements}, left: ${MAPS.elements}`,
      hint: `all maps together have ${MAPS.elements}`,
      errno: errno.ENOMEM,
    },
  ];
}
