/**
 * Linux's extensions of classic BPF: loads at SKF_AD_OFF + n give something about the packet that
 * is not in it (UAPI linux/filter.h, SKF_AD_*). How each is translated is in translate.ts.
 */
import { SKF_AD_OFF } from '../packet-load.ts';
import type { ClassicInsn } from './insn.ts';
import { classicRow } from './insn.ts';

const EXTENSIONS = [
  'protocol',
  'pkttype',
  'ifindex',
  'nlattr',
  'nlattr_nest',
  'mark',
  'queue',
  'hatype',
  'rxhash',
  'cpu',
  'alu_xor_x',
  'vlan_tag',
  'vlan_tag_present',
  'pay_offset',
  'random',
  'vlan_tpid',
] as const;
export type Extension = (typeof EXTENSIONS)[number];

/**
 * What a `ld [k]` of any size loads if it is an extension; undefined for other loads, 'unknown' for
 * a number that Linux does not know.
 */
export function extensionOf({ code, k }: ClassicInsn): Extension | 'unknown' | undefined {
  const row = classicRow(code);
  if (row?.kind !== 'load' || row.mode !== 'abs') return undefined;
  const offset = (k | 0) - SKF_AD_OFF;
  if (offset < 0 || k >>> 0 < 0x8000_0000) return undefined;
  // Each has a word of its own, though any size of load is taken.
  return offset % 4 === 0 ? (EXTENSIONS[offset / 4] ?? 'unknown') : 'unknown';
}
