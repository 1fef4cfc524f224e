/** /proc/net: the interfaces' counters, as ifconfig and netstat have always read them. */
import type { NetDevice } from '../../net/device.ts';

const HEADER =
  'Inter-|   Receive                                                |  Transmit\n' +
  ' face |bytes    packets errs drop fifo frame compressed multicast|' +
  'bytes    packets errs drop fifo colls carrier compressed\n';

/** /proc/net/dev (net/core/net-procfs.c): which counters share a column is decided there. */
export function netDevText(devices: readonly NetDevice[]): string {
  let text = HEADER;
  for (const device of devices) {
    const s = device.linkStats();
    const columns: readonly (readonly [value: number, width: number])[] = [
      [s.rx_bytes, 7],
      [s.rx_packets, 7],
      [s.rx_errors, 4],
      [s.rx_dropped + s.rx_missed_errors, 4],
      [s.rx_fifo_errors, 4],
      [s.rx_length_errors + s.rx_over_errors + s.rx_crc_errors + s.rx_frame_errors, 5],
      [s.rx_compressed, 10],
      [s.multicast, 9],
      [s.tx_bytes, 8],
      [s.tx_packets, 7],
      [s.tx_errors, 4],
      [s.tx_dropped, 4],
      [s.tx_fifo_errors, 4],
      [s.collisions, 5],
      [s.tx_carrier_errors + s.tx_aborted_errors + s.tx_window_errors + s.tx_heartbeat_errors, 7],
      [s.tx_compressed, 10],
    ];
    const cells = columns.map(([value, width]) => String(value).padStart(width)).join(' ');
    text += `${device.name.padStart(6)}: ${cells}\n`;
  }
  return text;
}
