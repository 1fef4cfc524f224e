/**
 * rtnetlink(7) from user space: a socket, requests with their answers, dumps.
 *
 *   const netlink = yield* openNetlink(p);
 *   yield* netlink.dump(RTM_GETLINK, ifinfomsg)        message bodies, or errno and extack text
 *   yield* netlink.request(RTM_NEWLINK, flags, build)  the acknowledgement
 */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import {
  align4,
  attributesOf,
  headerAt,
  MessageWriter,
  NLM_F_ACK,
  NLM_F_ACK_TLVS,
  NLM_F_CAPPED,
  NLM_F_DUMP,
  NLM_F_REQUEST,
  NLMSG_DONE,
  NLMSG_ERROR,
  NLMSG_HDRLEN,
  NLMSGERR_ATTR_MSG,
  stringOf,
} from '../../kernel/net/netlink/message.ts';
import { NETLINK_ROUTE } from '../../kernel/net/netlink/route-constants.ts';
import { close } from '../libc/files.ts';
import type { Process } from '../libc/process.ts';
import {
  AF_NETLINK,
  bindNetlink,
  recvmsg,
  sendNetlink,
  setsockopt,
  SOCK_CLOEXEC,
  SOCK_RAW,
  socket,
} from '../libc/sockets.ts';

/** UAPI linux/netlink.h */
const SOL_NETLINK = 270;
const NETLINK_EXT_ACK = 11;

export interface NetlinkAnswer {
  /** 0 or a negative errno. */
  readonly error: number;
  /** What the kernel says about it (extack). */
  readonly message?: string;
  /** Bodies of the answers, each from its family header on. */
  readonly bodies: readonly Uint8Array[];
}

export class Netlink {
  readonly #p: Process;
  readonly #fd: number;
  #sequence = 1;

  constructor(p: Process, fd: number) {
    this.#p = p;
    this.#fd = fd;
  }

  *dump(type: number, header: Uint8Array): UserFlow<NetlinkAnswer> {
    return yield* this.#exchange(type, NLM_F_DUMP, (message) => message.raw(header), true);
  }

  /** `build` adds the family's header and the attributes. */
  *request(
    type: number,
    flags: number,
    build: (message: MessageWriter) => void,
  ): UserFlow<NetlinkAnswer> {
    return yield* this.#exchange(type, flags | NLM_F_ACK, build, false);
  }

  *close(): UserFlow<void> {
    yield* close(this.#fd);
  }

  *#exchange(
    type: number,
    flags: number,
    build: (message: MessageWriter) => void,
    isDump: boolean,
  ): UserFlow<NetlinkAnswer> {
    const sequence = this.#sequence++;
    const writer = new MessageWriter(type, flags | NLM_F_REQUEST, sequence, 0);
    build(writer);
    const bodies: Uint8Array[] = [];
    const sent = yield* sendNetlink(this.#p, this.#fd, writer.finish());
    if (sent < 0) return { error: sent, bodies };
    for (;;) {
      const data = yield* recvmsg(this.#p, this.#fd);
      if (typeof data === 'number') return { error: data, bodies };
      for (let at = 0; at + NLMSG_HDRLEN <= data.length;) {
        const header = headerAt(data, at);
        const body = data.subarray(at + NLMSG_HDRLEN, at + header.length);
        at += Math.max(NLMSG_HDRLEN, align4(header.length));
        if (header.seq !== sequence) continue;
        if (header.type === NLMSG_DONE) return { error: 0, bodies };
        if (header.type === NLMSG_ERROR) return { ...errorOf(body, header.flags), bodies };
        bodies.push(body);
        if (!isDump && (flags & NLM_F_ACK) === 0) return { error: 0, bodies };
      }
      if (data.length === 0) return { error: 0, bodies };
    }
  }
}

/** struct nlmsgerr: the errno, the request or its header, then attributes. */
function errorOf(body: Uint8Array, flags: number): { error: number; message?: string } {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const error = view.getInt32(0, true);
  if ((flags & NLM_F_ACK_TLVS) === 0) return { error };
  const echoed = (flags & NLM_F_CAPPED) !== 0 ? NLMSG_HDRLEN : view.getUint32(4, true);
  const text = attributesOf(body, 4 + align4(echoed)).get(NLMSGERR_ATTR_MSG);
  return text ? { error, message: stringOf(text) } : { error };
}

export function* openNetlink(p: Process): UserFlow<Netlink | number> {
  const fd = yield* socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) return fd;
  yield* setsockopt(p, fd, SOL_NETLINK, NETLINK_EXT_ACK, 1);
  const bound = yield* bindNetlink(p, fd);
  if (bound >= 0) return new Netlink(p, fd);
  yield* close(fd);
  return bound;
}
