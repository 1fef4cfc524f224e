/** bpftool link show, pin, detach. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import type { JsonTree } from '../../bpf/btf/format.ts';
import { command } from '../../bpf/loader/commands.ts';
import { ATTACH_TYPES, LINK_TYPES, PROG_TYPES } from '../../bpf/uapi.ts';
import { close } from '../libc/files.ts';
import { strerror } from '../libc/strerror.ts';
import { allIds, fdById, linkInfo, type NamedLink, progInfo, withId } from '../bpf/objects.ts';
import { array, number, object, string } from './json.ts';
import { linkFd } from './object-words.ts';
import { pinCommand } from './pin.ts';
import { holdersJson, holdersText, pinnedJson, pinnedText, type Refs, refsOf } from './refs.ts';
import { type Bpftool, type Command } from './tool.ts';
import { help } from './usage.ts';

type Member = readonly [string, JsonTree];

function* show(t: Bpftool): UserFlow<number> {
  const refs = yield* refsOf(t, 'link');
  if (t.words.left === 2) {
    const fd = yield* linkFd(t);
    if (fd === undefined) return t.failure;
    const tree = yield* showOne(t, fd, refs);
    yield* close(fd);
    if (typeof tree === 'number') return tree;
    if (tree) yield* t.emit(tree);
    return 0;
  }
  if (t.words.left > 0) return yield* t.fail(`what is '${t.words.peek()}'?`);
  const ids = yield* allIds(t.user, 'link');
  if (typeof ids === 'number') return yield* t.fail(`can't get next link: ${strerror(ids)}`);
  const trees: JsonTree[] = [];
  for (const id of ids) {
    const fd = yield* fdById(t.user, 'link', id);
    if (fd === -2) continue;
    if (fd < 0) return yield* t.fail(`can't get link by id (${id}): ${strerror(fd)}`);
    const tree = yield* showOne(t, fd, refs);
    yield* close(fd);
    if (typeof tree === 'number') return tree;
    if (tree) trees.push(tree);
  }
  if (t.json) yield* t.emit(array(trees));
  return 0;
}

function* showOne(t: Bpftool, fd: number, refs: Refs): UserFlow<JsonTree | undefined | number> {
  const link = yield* linkInfo(t.user, fd);
  if (typeof link === 'number') return yield* t.fail(`can't get link info: ${strerror(link)}`);
  const { info } = link;
  const type = LINK_TYPES[info.type];
  const details = yield* detailsOf(t, link);
  if (t.json) {
    return object(
      ['id', number(info.id)],
      ['type', type === undefined ? number(info.type) : string(type)],
      ['prog_id', number(info.prog_id)],
      ...details.json,
      pinnedJson(refs.pinned, info.id),
      holdersJson(refs.holders.get(info.id)),
    );
  }
  yield* t.println(
    `${info.id}: ${type ?? `type ${info.type}`}  prog ${info.prog_id}  ${details.text}` +
      pinnedText(refs.pinned.get(info.id)) +
      holdersText(refs.holders.get(info.id)),
  );
  return undefined;
}

function attachType(value: number): { text: string; json: Member } {
  const name = ATTACH_TYPES[value];
  return {
    text: `attach_type ${name ?? value}  `,
    json: ['attach_type', name === undefined ? number(value) : string(name)],
  };
}

/** What a link of this type has to tell. */
function* detailsOf(
  t: Bpftool,
  { info, name }: NamedLink,
): UserFlow<{ text: string; json: Member[] }> {
  switch (LINK_TYPES[info.type]) {
    case 'raw_tracepoint':
      return { text: `\n\ttp '${name}'  `, json: [['tp_name', string(name)]] };
    case 'tracing': {
      const prog = yield* withId(t.user, 'prog', info.prog_id, (fd) => progInfo(t.user, fd));
      const type = typeof prog === 'number' ? undefined : prog.type;
      const typeName = type === undefined ? undefined : PROG_TYPES[type];
      const attach = attachType(info.tracing_attach_type);
      return {
        text: `\n\tprog_type ${typeName ?? type ?? 0}  ${attach.text}`,
        json: [
          ['prog_type', typeName === undefined ? number(type ?? 0) : string(typeName)],
          attach.json,
        ],
      };
    }
    case 'cgroup': {
      const attach = attachType(info.cgroup_attach_type);
      return {
        text: `\n\tcgroup_id ${info.cgroup_id}  ${attach.text}`,
        json: [['cgroup_id', number(info.cgroup_id)], attach.json],
      };
    }
    case 'iter': {
      const isMap = name === 'bpf_map_elem' || name === 'bpf_sk_storage_map';
      return {
        text: `target_name ${name}  ${isMap ? `map_id ${info.iter_map_id}  ` : ''}`,
        json: [
          ['target_name', string(name)],
          ...(isMap ? [['map_id', number(info.iter_map_id)] as const] : []),
        ],
      };
    }
    case 'netns': {
      const attach = attachType(info.netns_attach_type);
      return {
        text: `\n\tnetns_ino ${info.netns_ino}  ${attach.text}`,
        json: [['netns_ino', number(info.netns_ino)], attach.json],
      };
    }
    default:
      return { text: '', json: [] };
  }
}

function* detach(t: Bpftool): UserFlow<number> {
  if (t.words.left !== 2) return yield* t.fail('link specifier is invalid or missing\n');
  const fd = yield* linkFd(t);
  if (fd === undefined) return 1;
  const { result } = yield* command(t.user, 'link_detach', { link_fd: fd });
  yield* close(fd);
  if (result < 0) {
    yield* t.fail(`failed link detach: ${strerror(result)}`);
    return 1;
  }
  return yield* t.done();
}

export const linkCommands: Readonly<Record<string, Command>> = {
  show,
  list: show,
  help: (t) => help(t, 'link'),
  pin: (t) => pinCommand(t, linkFd),
  detach,
};
