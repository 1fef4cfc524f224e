/**
 * What packets cost in CPU time on the receive and transmit path, nanoseconds.
 *
 * XDPP is "The eXpress Data Path" (CoNEXT'18) and its benchmark logs: ConnectX-5, 3.6 GHz, Linux
 * 4.18. One core drops 24 M packets a second in XDP, 41.6 ns each, and XDPP's profile says where
 * they go; the parts below are its shares of that, rounded, the rest (12 %, not attributed) with them
 * in proportion.
 */

/** Poll and read a completion, build the buffer from it: 14.1 + 14.1 + 11.8 of 87.6 % (XDPP). */
export const RX_COMPLETION_NS = 19;
/** The driver's part around the program: 8.5 of 87.6 % (XDPP). */
export const XDP_HANDLING_NS = 4;
/** Refill of the ring and release of the page: 15.3 + 7.5 of 87.6 % (XDPP). */
export const RX_REFILL_NS = 11;
/**
 * The program: 16.3 of 87.6 % (XDPP), there one that drops without looking at the packet.
 * differs: every program costs this until the CPU models say what its code costs.
 */
export const XDP_PROGRAM_NS = 8;

/** XDP_TX over XDP_DROP: 16.9 instead of 24 M packets a second (XDPP). */
export const XDP_TX_NS = 17;
/** Redirect over XDP_TX: 11 instead of 12.9 M packets a second (hXDP, OSDI'20, x86 at 3.7 GHz). */
export const XDP_REDIRECT_NS = 13;
/**
 * Redirect to another CPU over XDP_DROP, which that CPU then drops (cpumap, xdp-project's notes: 23.7
 * ns more a packet). All of it is put where packets are received, the CPU that limits the rate there;
 * what the other CPU does costs what it costs elsewhere.
 */
export const CPUMAP_REDIRECT_NS = 24;

/**
 * From the driver to the protocol's handler, sk_buff made and freed: one core drops 4.8 M packets a
 * second in iptables' raw table, the first hook behind (XDPP), less the driver's part above.
 */
export const SKB_RECEIVE_NS = 174;
/** Generic XDP over native XDP, one drop (XDP's commit log: 36 to 39 ns). */
export const XDP_GENERIC_NS = 38;

/**
 * Route, queue and transmit: Linux forwards 1.74 M packets a second, 575 ns each (XDPP), less what
 * receiving takes by the figures above.
 */
export const SKB_TRANSMIT_NS = 367;

/**
 * Interrupt entry and exit around a handler that only schedules NAPI: about what an int3 exception
 * and back is (a uprobe takes 310 ns, of which it is nearly all; kernel `bench trigger`, 2025).
 */
export const HARDIRQ_NS = 300;
