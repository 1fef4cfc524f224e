/** bpftool net show, attach, detach. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import type { JsonTree } from '../../bpf/btf/format.ts';
import { errno } from '../../kernel/types/errno.ts';
import { close } from '../libc/files.ts';
import { strerror } from '../libc/strerror.ts';
import {
  allLinks,
  type Link,
  setXdp,
  XDP_FLAGS_DRV_MODE,
  XDP_FLAGS_HW_MODE,
  XDP_FLAGS_SKB_MODE,
  XDP_FLAGS_UPDATE_IF_NOEXIST,
} from '../net/links.ts';
import { openNetlink } from '../net/netlink.ts';
import { interfaceIndex } from './device.ts';
import { array, number, object, string } from './json.ts';
import { progFd } from './object-words.ts';
import { type Bpftool, type Command, FAILED } from './tool.ts';
import { help, usage } from './usage.ts';

const ATTACH_FLAGS: Readonly<Record<string, number>> = {
  xdp: 0,
  xdpgeneric: XDP_FLAGS_SKB_MODE,
  xdpdrv: XDP_FLAGS_DRV_MODE,
  xdpoffload: XDP_FLAGS_HW_MODE,
};
/** Mode words of `net show`. */
const WORDS = { drv: 'driver', skb: 'generic', hw: 'offload' } as const;

/** `dev NAME`; undefined after a complaint. */
function* device(t: Bpftool): UserFlow<{ name: string; index: number } | undefined> {
  if (!t.words.accept('dev')) {
    yield* t.fail(`expected 'dev', got: '${t.words.peek()}'?`);
    return undefined;
  }
  const name = t.words.next();
  const index = yield* interfaceIndex(t.p, name);
  if (index > 0) return { name, index };
  yield* t.fail(`invalid devname ${name}`);
  return undefined;
}

function* attach(t: Bpftool): UserFlow<number> {
  if (!(yield* t.needs(5))) return -errno.EINVAL;
  const mode = t.words.next();
  const flags = ATTACH_FLAGS[mode];
  if (flags === undefined)
    return yield* t.fail(`invalid net attach/detach type: ${mode}`, -errno.EINVAL);
  const fd = yield* progFd(t);
  if (fd === undefined) return FAILED;
  const status = yield* attachFd(t, mode, flags, fd);
  yield* close(fd);
  return status;
}

function* attachFd(t: Bpftool, mode: string, flags: number, fd: number): UserFlow<number> {
  const dev = yield* device(t);
  if (!dev) return FAILED;
  let overwrite = false;
  if (t.words.left > 0) {
    overwrite = t.words.accept('overwrite');
    if (!overwrite) return yield* t.fail(`expected 'overwrite', got: '${t.words.peek()}'?`);
  }
  const all = overwrite ? flags : flags | XDP_FLAGS_UPDATE_IF_NOEXIST;
  return yield* change(t, dev.index, fd, all, `interface ${mode} attach failed`);
}

function* detach(t: Bpftool): UserFlow<number> {
  if (!(yield* t.needs(3))) return FAILED;
  const mode = t.words.next();
  const flags = ATTACH_FLAGS[mode];
  if (flags === undefined)
    return yield* t.fail(`invalid net attach/detach type: ${mode}`, -errno.EINVAL);
  const dev = yield* device(t);
  if (!dev) return FAILED;
  return yield* change(t, dev.index, -1, flags, `interface ${mode} detach failed`);
}

function* change(
  t: Bpftool,
  index: number,
  fd: number,
  flags: number,
  failure: string,
): UserFlow<number> {
  const netlink = yield* openNetlink(t.p);
  if (typeof netlink === 'number') return yield* t.fail(`${failure}: ${strerror(netlink)}`);
  const { error, message } = yield* setXdp(netlink, index, fd, flags);
  yield* netlink.close();
  if (error >= 0) return yield* t.done();
  // libbpf passes the kernel's own words on.
  if (message !== undefined) yield* t.info(`libbpf: Kernel error message: ${message}`);
  return yield* t.fail(`${failure}: ${strerror(error)}`, error);
}

function* show(t: Bpftool): UserFlow<number> {
  let only: number | undefined;
  if (t.words.left === 2) {
    const dev = yield* device(t);
    if (!dev) return FAILED;
    only = dev.index;
  } else if (t.words.left !== 0) return yield* usage(t, 'net');
  const netlink = yield* openNetlink(t.p);
  const links = typeof netlink === 'number' ? netlink : yield* allLinks(netlink);
  if (typeof netlink !== 'number') yield* netlink.close();
  if (typeof links === 'number') {
    const text = links === -errno.EAFNOSUPPORT ? 'failed to open netlink sock' : strerror(links);
    return yield* t.fail(text);
  }
  const chosen = links.filter(({ index, xdp }) => {
    return (only === undefined || index === only) && xdp.mode !== 'none';
  });
  if (t.json) {
    const answer = object(
      ['xdp', array(chosen.map(xdpJson))],
      ['tc', array([])],
      ['flow_dissector', array([])],
    );
    yield* t.emit(array([answer]));
    return 0;
  }
  yield* t.print(`xdp:\n${chosen.map(xdpText).join('')}\ntc:\n\nflow_dissector:\n\n`);
  return 0;
}

/** Programs of an interface with several, by mode word. */
function several({ xdp }: Link): (readonly [string, number])[] {
  const rows = [
    ['generic', xdp.skbProgId],
    ['driver', xdp.drvProgId],
    ['offload', xdp.hwProgId],
  ] as const;
  return rows.filter((row): row is readonly [(typeof row)[0], number] => row[1] !== undefined);
}

function xdpText(link: Link): string {
  const { name, index, xdp } = link;
  const programs =
    xdp.mode === 'multi'
      ? several(link)
      : [[WORDS[xdp.mode as keyof typeof WORDS], xdp.progId ?? 0] as const];
  return `${name}(${index})${programs.map(([word, id]) => ` ${word} id ${id}`).join('')}\n`;
}

function xdpJson(link: Link): JsonTree {
  const { name, index, xdp } = link;
  const head = [
    ['devname', string(name)],
    ['ifindex', number(index)],
  ] as const;
  if (xdp.mode === 'multi') {
    const items = several(link).map(([word, id]) =>
      object(['mode', string(word)], ['id', number(id)]),
    );
    return object(...head, ['multi_attachments', array(items)]);
  }
  const word = WORDS[xdp.mode as keyof typeof WORDS];
  return object(...head, ['mode', string(word)], ['id', number(xdp.progId ?? 0)]);
}

export const netCommands: Readonly<Record<string, Command>> = {
  show,
  list: show,
  attach,
  detach,
  help: (t) => help(t, 'net'),
};
