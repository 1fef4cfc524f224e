/** Small helpers that build the JSON trees of answers. */
import type { JsonTree } from '../../bpf/btf/format.ts';

export const number = (value: number | bigint): JsonTree => ({ kind: 'raw', text: String(value) });
export const string = (text: string): JsonTree => ({ kind: 'string', text });
export const bool = (value: boolean): JsonTree => ({ kind: 'raw', text: String(value) });
export const nothing: JsonTree = { kind: 'raw', text: 'null' };
export const array = (items: readonly JsonTree[]): JsonTree => ({ kind: 'array', items });

type Member = readonly [string, JsonTree];

/** Members that are undefined or false are left out. */
export function object(...members: readonly (Member | undefined | false)[]): JsonTree {
  return {
    kind: 'object',
    members: members.filter((member): member is Member => Array.isArray(member)),
  };
}

/** Bytes as bpftool gives them: an array of "0x1f". */
export function hexData(bytes: Uint8Array): JsonTree {
  return array(Array.from(bytes, (byte) => string(`0x${byte.toString(16).padStart(2, '0')}`)));
}
