/**
 * NICs and their drivers, as XDP sees them: what receiving, sending and redirecting a packet costs the
 * core beside the program, what the card itself can do, and how packets get to memory.
 *
 * Cycles are of a Haswell-class core. HX: hXDP (OSDI'20), its x86 figures; XDPP: "The eXpress Data
 * Path" (CoNEXT'18); XPP: notes of the xdp-project.
 */
import { PCIE } from '../nic/params.ts';

export interface NicDriver {
  readonly name: string;
  /** Cycles a packet, poll loop, descriptor, buffer and its recycling included: a drop. */
  readonly receiveCycles: number;
  /** In addition: to send it back, to send it elsewhere, to give it to the network stack. */
  readonly transmitCycles: number;
  readonly redirectCycles: number;
  readonly passCycles: number;
  /** Instructions a cycle of that code on that core. */
  readonly ipc: number;
  /** It prefetches the packet's first line before it does the rest. */
  readonly prefetches: boolean;
  /** Lines of memory a packet that no cache holds, where DMA goes past the caches. */
  readonly uncachedLines: number;
  readonly ringEntries: number;
  /** Most packets a second that the card receives and sends, millions. */
  readonly receiveMpps: number;
  readonly transmitMpps: number;
  /** Packets that the card itself can hold. */
  readonly fifoPackets: number;
  readonly pcie: { readonly bytesPerNs: number; readonly headerBytes: number };
  /** Bytes of a completion that crosses beside the packet. */
  readonly completionBytes: number;
  /** From wire to memory and back, without the host: NIC, PCIe, tester. */
  readonly ioNs: number;
  /** Interrupt and wake-up of a core that was idle. */
  readonly wakeNs: number;
}

/** XDPP: DPDK forwards in 3 µs, XDP in 7 at 1 Mpps: the difference is the interrupt. */
const IO_NS = 3000;
const WAKE_NS = 4000;
/** XDPP: dropped by iptables' raw table, 4.8 Mpps at 3.6 GHz, is 605 cycles more than by XDP. */
const PASS_CYCLES = 605;

export const I40E: NicDriver = {
  name: 'XL710 (i40e)',
  receiveCycles: 60,
  transmitCycles: 174,
  redirectCycles: 215,
  passCycles: PASS_CYCLES,
  ipc: 2.8,
  // i40e_clean_rx_irq fetches the page's descriptor ahead, not the packet.
  prefetches: false,
  uncachedLines: 0,
  ringEntries: 512,
  // HX figure 13: the card's cap.
  receiveMpps: 39.32,
  transmitMpps: 39.32,
  fifoPackets: 512,
  pcie: { bytesPerNs: PCIE.bytesPerNs, headerBytes: PCIE.headerBytes },
  completionBytes: 32,
  ioNs: IO_NS,
  wakeNs: WAKE_NS,
};

export const MLX5: NicDriver = {
  name: 'ConnectX-5 (mlx5)',
  // XDPP: 24.8 Mpps at 3.6 GHz.
  receiveCycles: 139,
  // XDPP: 16.9 Mpps.
  transmitCycles: 62,
  // As sent, and a bulk queue in front (xdp_do_redirect, bq_enqueue).
  redirectCycles: 105,
  passCycles: PASS_CYCLES,
  ipc: 2.8,
  prefetches: true,
  uncachedLines: 0,
  ringEntries: 1024,
  // XDPP: 86.2 Mpps dropped by four cores, 70 sent.
  receiveMpps: 86.2,
  transmitMpps: 70,
  fifoPackets: 1024,
  // 16 lanes of generation 3: twice the model's eight.
  pcie: { bytesPerNs: 2 * PCIE.bytesPerNs, headerBytes: PCIE.headerBytes },
  completionBytes: 64,
  ioNs: IO_NS,
  wakeNs: WAKE_NS,
};

export const MVNETA: NicDriver = {
  name: 'Armada 3700 (mvneta)',
  // XPP: about 384 instructions a packet, of which 26 are a program that drops; on a Haswell-class
  // core they would take 128 cycles.
  receiveCycles: 128,
  transmitCycles: 70,
  redirectCycles: 110,
  passCycles: PASS_CYCLES,
  ipc: 2.8,
  prefetches: false,
  // Not coherent: caches are cleaned around DMA. What is left of XPP's 1422 cycles at 1 GHz.
  uncachedLines: 6,
  ringEntries: 512,
  // 1 GbE.
  receiveMpps: 1.488,
  transmitMpps: 1.488,
  fifoPackets: 64,
  // On the chip's own bus, no PCIe: wide enough never to count.
  pcie: { bytesPerNs: 8, headerBytes: 0 },
  completionBytes: 32,
  ioNs: IO_NS,
  wakeNs: WAKE_NS,
};
