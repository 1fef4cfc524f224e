/**
 * Interface statistics: struct rtnl_link_stats64 (UAPI linux/if_link.h), its members in order.
 * Drivers count where things happen and add up here when asked.
 */
export const LINK_STATS = [
  'rx_packets',
  'tx_packets',
  'rx_bytes',
  'tx_bytes',
  'rx_errors',
  'tx_errors',
  'rx_dropped',
  'tx_dropped',
  'multicast',
  'collisions',
  'rx_length_errors',
  'rx_over_errors',
  'rx_crc_errors',
  'rx_frame_errors',
  'rx_fifo_errors',
  'rx_missed_errors',
  'tx_aborted_errors',
  'tx_carrier_errors',
  'tx_fifo_errors',
  'tx_heartbeat_errors',
  'tx_window_errors',
  'rx_compressed',
  'tx_compressed',
  'rx_nohandler',
  'rx_otherhost_dropped',
] as const;
export type LinkStat = (typeof LINK_STATS)[number];
export type LinkStats = Record<LinkStat, number>;

export function zeroLinkStats(): LinkStats {
  return Object.fromEntries(LINK_STATS.map((name) => [name, 0])) as LinkStats;
}

/** Members of struct rtnl_link_stats, the 32-bit ancestor: all but the last. */
export const OLD_LINK_STATS = LINK_STATS.slice(0, -1);
