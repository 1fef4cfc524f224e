/**
 * What first-light's checks compare with: the answers of a real Linux 6.1 to the same programs and
 * packets (linux-6.1/, see README.md), and what the capture itself says, counted here.
 */
import type { Capture } from '../../hw/nic/capture.ts';

export interface Counter {
  readonly packets: number;
  readonly bytes: number;
}

/** linux-6.1/expected.json */
export interface LinuxAnswers {
  readonly tags: Readonly<Record<string, string>>;
  /** One digit a frame: the XDP verdict. */
  readonly verdicts: string;
  /** In the order of the program's `enum protocol`. */
  readonly protocols: Readonly<Record<string, Counter>>;
  /** By address, 32 hex digits. */
  readonly sources: Readonly<Record<string, Counter>>;
  readonly blocked_packets: number;
}

export function linuxAnswers(json: Uint8Array): LinuxAnswers {
  return JSON.parse(new TextDecoder().decode(json)) as LinuxAnswers;
}

export interface Syn {
  readonly sourcePort: number;
  readonly destinationPort: number;
}

const ETH_P_IP = 0x0800;
const ETH_P_IPV6 = 0x86dd;
const ETH_P_8021Q = 0x8100;
const IPPROTO_TCP = 6;
const TCP_SYN = 0x02;
const TCP_ACK = 0x10;

/** Every TCP connection attempt in the capture, by a parser that shares nothing with the program. */
export function connectionAttempts(capture: Capture): Syn[] {
  return capture.frames.flatMap(({ data }) => {
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    let at = 12;
    if (view.getUint16(at) === ETH_P_8021Q) at += 4;
    const type = view.getUint16(at);
    const ip = at + 2;
    let tcp: number;
    if (type === ETH_P_IP) {
      const isFirst = (view.getUint16(ip + 6) & 0x1fff) === 0;
      if (view.getUint8(ip + 9) !== IPPROTO_TCP || !isFirst) return [];
      tcp = ip + (view.getUint8(ip) & 0xf) * 4;
    } else if (type === ETH_P_IPV6) {
      if (view.getUint8(ip + 6) !== IPPROTO_TCP) return [];
      tcp = ip + 40;
    } else {
      return [];
    }
    if ((view.getUint8(tcp + 13) & (TCP_SYN | TCP_ACK)) !== TCP_SYN) return [];
    return [{ sourcePort: view.getUint16(tcp), destinationPort: view.getUint16(tcp + 2) }];
  });
}
