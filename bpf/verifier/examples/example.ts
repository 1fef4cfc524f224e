/**
 * For each reason code a program that is refused for it, and the program with the mistake mended:
 * what the pages under docs/verifier/ show and what tests verify.
 */
import type { Btf } from '../../btf/btf.ts';
import type { MapSpec } from '../../maps/map.ts';
import type { AttachType, ProgType } from '../../uapi.ts';
import type { ReasonCode } from '../reasons.ts';

/** What a program is loaded with, beside its instructions. */
export interface Setup {
  readonly type?: ProgType;
  readonly attach?: AttachType;
  /** Map n is `map_fd(n)` in the text; an array of one 8-byte value where nothing is said. */
  readonly maps?: readonly (Partial<MapSpec> & {
    readonly frozen?: boolean;
    /** What a frozen map of one entry holds. */
    readonly text?: string;
  })[];
  /** Without any capability. */
  readonly unpriv?: boolean;
  /** BPF_F_* of the load. */
  readonly flags?: number;
  readonly license?: string;
  readonly logLevel?: number;
  readonly logBytes?: number;
  readonly btf?: Btf;
  readonly funcInfo?: Uint8Array;
  readonly lineInfo?: Uint8Array;
  readonly coreRelos?: Uint8Array;
  readonly kernelBtf?: Btf;
  readonly attachBtfId?: number;
  /** Flags (KF_*) of the kernel functions that may be called. */
  readonly kfuncs?: Readonly<Record<string, number>>;
}

export interface Example {
  readonly code: ReasonCode;
  /** What the two programs are about, for the page. */
  readonly about: string;
  readonly setup?: Setup;
  /** Where it is not the instructions that are mended. */
  readonly mendedSetup?: Setup;
  /** In the kernel's assembler syntax (bpf/asm). */
  readonly refused: string;
  readonly mended: string;
  /** Changes the refused program's encoding where no assembler writes it. */
  readonly edit?: { readonly insn: number; readonly src: number };
  /** What the setup has that `describeSetup` cannot tell. */
  readonly note?: string;
}

/** Lines of a setup for the page. */
export function describeSetup(setup: Setup = {}): string[] {
  const lines = [`program type \`${setup.type ?? 'socket_filter'}\``];
  if (setup.attach) lines.push(`attach type \`${setup.attach}\``);
  setup.maps?.forEach((map, index) => {
    const { type = 'array', keyBytes = 4, valueBytes = 8, maxEntries = 1, flags = 0 } = map;
    const size = `keys of ${keyBytes}, values of ${valueBytes} bytes, ${maxEntries} entries`;
    const extra = [
      flags !== 0 ? `flags 0x${flags.toString(16)}` : '',
      map.frozen ? 'frozen' : '',
      map.text !== undefined ? `holds ${JSON.stringify(map.text)}` : '',
    ].filter((text) => text !== '');
    const more = extra.length > 0 ? `, ${extra.join(', ')}` : '';
    lines.push(`map ${index}: \`${type}\`, ${size}${more}`);
  });
  if (setup.unpriv) lines.push('loaded without capabilities');
  if (setup.flags) lines.push(`load flags 0x${setup.flags.toString(16)}`);
  if (setup.license !== undefined) lines.push(`licence \`${setup.license}\``);
  if (setup.logBytes !== undefined) lines.push(`a log buffer of ${setup.logBytes} bytes`);
  return lines;
}
