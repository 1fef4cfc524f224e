/**
 * Requests as JSON, as files hold them: what generators make, shrinking edits and reports print.
 * ui/cli/batch/request.ts turns them into what both sides are asked.
 */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { decodeInsns, encodeInsns } from '../../bpf/isa/codec.ts';
import type { Insn } from '../../bpf/isa/insn.ts';

export interface MapJson {
  readonly type: string | number;
  readonly key_size: number;
  readonly value_size: number;
  readonly max_entries: number;
  readonly map_flags?: number;
  readonly btf?: string;
  readonly btf_key_type_id?: number;
  readonly btf_value_type_id?: number;
  readonly inner?: number;
  readonly init?: readonly { readonly key: string; readonly value: string }[];
  readonly progs?: readonly {
    readonly key: number;
    readonly insns: string;
    readonly self?: number;
  }[];
}

export interface RunJson {
  readonly data_in?: string;
  readonly ctx_in?: string;
  readonly repeat?: number;
}

export interface FixupJson {
  readonly insn: number;
  readonly map: number;
}

export interface RequestJson {
  readonly id: unknown;
  readonly prog_type: string | number;
  readonly expected_attach_type?: string | number;
  readonly insns: string;
  readonly license?: string;
  readonly prog_flags?: number;
  readonly attach_btf_id?: number;
  readonly unpriv?: boolean;
  readonly maps?: readonly MapJson[];
  readonly fixups?: readonly FixupJson[];
  readonly btf?: string;
  readonly func_info?: string;
  readonly line_info?: string;
  readonly log_level?: number;
  readonly run?: readonly RunJson[];
  readonly dump_maps?: boolean;
}

/** The verifier's messages and counts without the state of every step: short, and fast to print. */
export const LOG_STATS = 4;

export function insnsOf(request: RequestJson): Insn[] {
  return decodeInsns(Uint8Array.from(Buffer.from(request.insns, 'hex')));
}

export function hexOfInsns(insns: readonly Insn[]): string {
  return Buffer.from(encodeInsns(insns)).toString('hex');
}

/**
 * A file of requests, one a line, plain or gzip; lines that also hold an answer
 * (`{"request": …, "linux": …}`) count as their request. '-' is stdin.
 */
export function readRequests(path: string): RequestJson[] {
  const bytes = readFileSync(path === '-' ? 0 : path);
  const text = path.endsWith('.gz') ? gunzipSync(bytes).toString() : bytes.toString();
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const json = JSON.parse(line) as RequestJson | { readonly request: RequestJson };
      return 'request' in json ? json.request : json;
    });
}
