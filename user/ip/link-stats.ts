/** Counters of an interface: ip -s link, and with -s -s the kinds of errors. */
import type { JsonTree } from '../../bpf/btf/format.ts';
import { IFLA } from '../../kernel/net/netlink/route-constants.ts';
import { LINK_STATS, type LinkStat } from '../../kernel/net/stats.ts';
import type { Link } from '../net/links.ts';
import { number, object } from '../bpftool/json.ts';
import type { Ip } from './context.ts';

export type Stats = Readonly<Record<LinkStat | 'carrier_changes', bigint>>;

export function linkStats(link: Link): Stats {
  const payload = link.attributes.get(IFLA.STATS64) ?? new Uint8Array(0);
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const entries = LINK_STATS.map((name, index) => {
    const has = 8 * index + 8 <= payload.length;
    return [name, has ? view.getBigUint64(8 * index, true) : 0n] as const;
  });
  const changes = link.attributes.get(IFLA.CARRIER_CHANGES);
  const carrier = changes ? new DataView(changes.buffer, changes.byteOffset).getUint32(0, true) : 0;
  return { ...Object.fromEntries(entries), carrier_changes: BigInt(carrier) } as Stats;
}

/** Widths that a column has at least; wider numbers widen it for all rows. */
const MIN_WIDTHS = ['*X errors:'.length, 7, 6, 7, 7, 7, 10];

export function statsText(ip: Ip, s: Stats): string {
  const rows = [
    [s.rx_bytes, s.rx_packets, s.rx_errors, s.rx_dropped, s.rx_missed_errors, s.multicast],
    [s.tx_bytes, s.tx_packets, s.tx_errors, s.tx_dropped, s.tx_carrier_errors, s.collisions],
  ];
  const errors = [
    [s.rx_length_errors, s.rx_crc_errors, s.rx_frame_errors, s.rx_fifo_errors, s.rx_over_errors],
    [
      s.tx_aborted_errors,
      s.tx_fifo_errors,
      s.tx_window_errors,
      s.tx_heartbeat_errors,
      s.carrier_changes,
    ],
  ];
  if (s.rx_compressed !== 0n) rows[0]!.push(s.rx_compressed);
  if (s.tx_compressed !== 0n) rows[1]!.push(s.tx_compressed);
  const widths = MIN_WIDTHS.map((minimum, column) => {
    const cells = rows.map((row) => String(row[column] ?? ''));
    if (ip.options.stats > 1 && column > 0) {
      cells.push(...errors.map((row) => String(row[column - 1] ?? '')));
    }
    return Math.max(minimum, ...cells.map((cell) => cell.length));
  });
  const line = (cells: readonly (string | bigint)[], from: number): string =>
    cells.map((cell, index) => String(cell).padStart(widths[from + index]!)).join(' ');
  const heads = [
    ['packets', 'errors', 'dropped', 'missed', 'mcast', s.rx_compressed ? 'compressed' : ''],
    ['packets', 'errors', 'dropped', 'carrier', 'collsns', s.tx_compressed ? 'compressed' : ''],
  ];
  const errorHeads = [
    ['length', 'crc', 'frame', 'fifo', 'overrun'],
    ['aborted', 'fifo', 'window', 'heartbt', 'transns'],
  ];
  let out = '';
  for (const [side, label] of ['RX', 'TX'].entries()) {
    const bytes = 'bytes'.padStart(widths[0]! - 4);
    out += `${ip.newline}    ${label}: ${bytes} ${line(heads[side]!, 1)}`;
    out += `${ip.newline}    ${line(rows[side]!, 0)} `;
    if (ip.options.stats < 2) continue;
    const title = `${label} errors:`.padEnd(widths[0]!);
    out += `${ip.newline}    ${title} ${line(errorHeads[side]!, 1)}`;
    out += `${ip.newline}    ${' '.repeat(widths[0]!)} ${line(errors[side]!, 1)} `;
  }
  return out;
}

export function statsJson(s: Stats): JsonTree {
  const side = (...rows: readonly (readonly [string, bigint])[]): JsonTree =>
    object(...rows.map(([name, value]) => [name, number(value)] as const));
  return object(
    [
      'rx',
      side(
        ['bytes', s.rx_bytes],
        ['packets', s.rx_packets],
        ['errors', s.rx_errors],
        ['dropped', s.rx_dropped],
        ['over_errors', s.rx_over_errors],
        ['multicast', s.multicast],
      ),
    ],
    [
      'tx',
      side(
        ['bytes', s.tx_bytes],
        ['packets', s.tx_packets],
        ['errors', s.tx_errors],
        ['dropped', s.tx_dropped],
        ['carrier_errors', s.tx_carrier_errors],
        ['collisions', s.collisions],
      ),
    ],
  );
}
