/**
 * Packets to compare with: a workload's own, a capture's, or made to a specification.
 *
 *   generated('flows=64,bytes=60,proto=tcp')
 */
import { frame, MIN_FRAME_BYTES, type Transport } from '../workloads/frames.ts';
import type { MixOptions, OfferedPacket } from '../workloads/workloads.ts';
import { SubjectError } from './subject.ts';

const MAX_FLOWS = 65536;
const MAX_BYTES = 1514;
const TRANSPORTS: readonly string[] = ['udp', 'tcp', 'icmp'];
const FIELDS = ['flows', 'bytes', 'proto', 'ip'] as const;

export interface GenSpec extends MixOptions {
  readonly proto: Transport;
  readonly ip: 4 | 6;
}

export const DEFAULT_GEN: GenSpec = { flows: 64, bytes: MIN_FRAME_BYTES, proto: 'udp', ip: 4 };

/** Throws SubjectError for what it does not understand, naming it. */
export function parseGen(text: string): GenSpec {
  const given = new Map<string, string>();
  for (const part of text.split(',').filter((each) => each !== '')) {
    const [name, value] = part.split('=');
    if (!FIELDS.some((field) => field === name) || value === undefined) {
      throw new SubjectError(`--gen: "${part}" is not one of ${FIELDS.join('=, ')}=`);
    }
    given.set(name!, value);
  }
  const whole = (name: string, least: number, most: number, otherwise: number): number => {
    const value = Number(given.get(name) ?? otherwise);
    if (Number.isInteger(value) && value >= least && value <= most) return value;
    throw new SubjectError(`--gen: ${name} must be from ${least} to ${most}`);
  };
  const proto = given.get('proto') ?? DEFAULT_GEN.proto;
  if (!TRANSPORTS.includes(proto)) {
    throw new SubjectError(`--gen: proto must be one of ${TRANSPORTS.join(', ')}`);
  }
  const version = given.get('ip') ?? '4';
  if (version !== '4' && version !== '6') throw new SubjectError('--gen: ip must be 4 or 6');
  return {
    flows: whole('flows', 1, MAX_FLOWS, DEFAULT_GEN.flows),
    bytes: whole('bytes', MIN_FRAME_BYTES, MAX_BYTES, DEFAULT_GEN.bytes),
    proto: proto as Transport,
    ip: version === '4' ? 4 : 6,
  };
}

export function generated({ flows, bytes, proto, ip }: GenSpec): readonly OfferedPacket[] {
  return Array.from({ length: flows }, (_, flow) => ({
    data: frame({
      bytes,
      transport: proto,
      version: ip,
      source: 0xc612_0000 + flow,
      sourcePort: 1024 + (flow % 60000),
    }),
    port: 0,
  }));
}
