/** Packets that cases run on, from their Ethernet header on. */
const ethernet = (type: string) => `0200000000020200000000010${type.slice(1)}`;

/** IPv4 192.0.2.1 to 192.0.2.2, TCP 4000 to 80, a SYN with an MSS of 1400. */
const SYN_TCP = '0fa00050 11223344 00000000 6002faf0 00000000 02040578'.replaceAll(' ', '');
export const IPV4_SYN = ethernet('0800') + `450000280001400040060000c0000201c0000202${SYN_TCP}`;
/** The same over IPv6 from 2001:db8::1 to 2001:db8::2. */
export const IPV6_SYN =
  ethernet('86dd') +
  `6000000000180640${'20010db8000000000000000000000001'}${'20010db8000000000000000000000002'}${SYN_TCP}`;
export const ARP = ethernet('0806') + '0001080006040001'.padEnd(56, '0');
