/**
 * Programs written as assembler text, on maps that are only described: enough to verify them, with
 * no memory around.
 *
 *   const { spec, env } = textProgram('r0 = 0\n exit', { type: 'xdp' }, progTypeOps);
 *   verify(spec, env)
 */
import { assemble } from '../asm/assemble.ts';
import type { Btf } from '../btf/btf.ts';
import type { BpfMap, MapSpec } from '../maps/map.ts';
import type { ProgTypeOps } from '../prog-type.ts';
import type { ProgramSpec } from '../program.ts';
import type { AttachType, ProgType } from '../uapi.ts';
import type { VerifierEnv } from '../verifier/verify.ts';

export interface TextOptions {
  readonly type?: ProgType;
  readonly attach?: AttachType;
  /** Map n is `map_fd(n)` in the text; `text` is what it holds, where the verifier may look. */
  readonly maps?: readonly (Partial<MapSpec> & {
    readonly frozen?: boolean;
    readonly text?: string;
  })[];
  readonly unpriv?: boolean;
  /** CAP_BPF and CAP_NET_ADMIN only. */
  readonly bpfOnly?: boolean;
  readonly flags?: number;
  readonly license?: string;
  readonly level?: '6.1' | 'latest';
  readonly logLevel?: number;
  readonly logBytes?: number;
  readonly btf?: Btf;
  readonly funcInfo?: Uint8Array;
  readonly lineInfo?: Uint8Array;
  readonly coreRelos?: Uint8Array;
  readonly kernelBtf?: Btf;
  readonly attachBtfId?: number;
  readonly checkOnly?: boolean;
  /** Flags (KF_*) of the kernel functions that may be called. */
  readonly kfuncs?: Readonly<Record<string, number>>;
}

const FLAT_ARRAY = 0x200000;

type MapText = NonNullable<TextOptions['maps']>[number];

export function describedMap(spec: MapText, index: number): BpfMap {
  const unused = (): never => {
    throw new Error('this map has no content');
  };
  const { frozen = false, ...given } = spec;
  return {
    spec: {
      type: 'array',
      keyBytes: 4,
      valueBytes: 8,
      maxEntries: 1,
      flags: 0,
      name: `map${index}`,
      ...given,
    },
    id: index + 1,
    offset: (0x100000 + index * 0x400) as BpfMap['offset'],
    frozen,
    userValueBytes: 8,
    memoryBytes: 0,
    elementBytes: 8,
    directValue: (FLAT_ARRAY + index * 0x1000) as BpfMap['offset'],
    lookup: unused,
    update: unused,
    delete: unused,
    copyValue: unused,
    updateFromUser: unused,
    nextKey: unused,
    setUsers: unused,
    free: unused,
  } as BpfMap;
}

/** The program and what it is verified under. */
export function textProgram(
  text: string,
  options: TextOptions,
  progType: (type: ProgType) => ProgTypeOps | undefined,
): { readonly spec: ProgramSpec; readonly env: VerifierEnv } {
  const maps = (options.maps ?? []).map(describedMap);
  const type = options.type ?? 'socket_filter';
  const spec: ProgramSpec = {
    type,
    expectedAttachType: options.attach ?? 'cgroup_inet_ingress',
    name: 'test',
    license: options.license ?? 'GPL',
    insns: assemble(text),
    mapByFd: (fd) => maps[fd],
    flags: options.flags ?? 0,
    ...(options.btf && { btf: options.btf }),
    ...(options.funcInfo && { funcInfo: { recordBytes: 8, records: options.funcInfo } }),
    ...(options.lineInfo && { lineInfo: { recordBytes: 16, records: options.lineInfo } }),
    ...(options.coreRelos && { coreRelos: { recordBytes: 16, records: options.coreRelos } }),
    ...(options.attachBtfId !== undefined && { attachBtfId: options.attachBtfId }),
  };
  const all = options.unpriv !== true && options.bpfOnly !== true;
  const bpf = all || options.bpfOnly === true;
  const env: VerifierEnv = {
    ops: progType(type)!,
    caps: { bpf, perfmon: all, netAdmin: bpf, sysAdmin: all },
    level: options.level ?? '6.1',
    logLevel: options.logLevel ?? 1,
    ...(options.logBytes !== undefined && { logBytes: options.logBytes }),
    ...(options.kernelBtf && { kernelBtf: options.kernelBtf }),
    ...(options.checkOnly && { checkOnly: true }),
    ...(options.kfuncs && { kfuncs: (_type: ProgType, name: string) => options.kfuncs![name] }),
    readFrozen: (map, offset, bytes) => {
      const text = options.maps?.[map.id - 1]?.text;
      if (text === undefined) return undefined;
      let value = 0n;
      for (let at = bytes - 1; at >= 0; at--) {
        value = (value << 8n) | BigInt(text.charCodeAt(offset + at) || 0);
      }
      return value;
    },
    mapAddress: (map) => 0xffff_8880_0000_0000n + BigInt(map.offset),
  };
  return { spec, env };
}
