/**
 * Words that known commands take, for completion. A row's key is the command line so far; '*' in a
 * key stands for any word, and a function looks the words up in the running system.
 */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { listNames } from '../libc/directory.ts';
import type { Process } from '../libc/process.ts';

type Lookup = (p: Process) => UserFlow<string[]>;

const interfaces: Lookup = function* (p) {
  const names = yield* listNames(p, '/sys/class/net');
  return typeof names === 'number' ? [] : names;
};

const BPF_OBJECTS = ['id', 'pinned', 'name'];
const XDP_MODES = ['xdp', 'xdpgeneric', 'xdpdrv', 'xdpoffload'];

const ROWS: Readonly<Record<string, readonly string[] | Lookup>> = {
  bpftool: [
    'prog',
    'map',
    'net',
    'gen',
    'perf',
    'link',
    'btf',
    'feature',
    'batch',
    'version',
    'help',
    '-j',
    '-p',
  ],
  'bpftool prog': [
    'show',
    'list',
    'dump',
    'load',
    'loadall',
    'pin',
    'attach',
    'detach',
    'run',
    'tracelog',
    'help',
  ],
  'bpftool prog show': [...BPF_OBJECTS, 'tag'],
  'bpftool prog list': [...BPF_OBJECTS, 'tag'],
  'bpftool prog dump': ['xlated', 'jited'],
  'bpftool prog dump *': [...BPF_OBJECTS, 'tag'],
  'bpftool prog dump xlated * *': ['opcodes', 'linum', 'file', 'visual'],
  'bpftool prog dump * * *': ['opcodes', 'linum', 'file'],
  'bpftool prog run': [...BPF_OBJECTS, 'tag'],
  'bpftool prog pin': [...BPF_OBJECTS, 'tag'],
  'bpftool prog load * *': ['type', 'map', 'pinmaps', 'autoattach'],
  'bpftool prog loadall * *': ['type', 'map', 'pinmaps', 'autoattach'],
  'bpftool map': [
    'show',
    'list',
    'create',
    'dump',
    'update',
    'lookup',
    'getnext',
    'delete',
    'pin',
    'event_pipe',
    'peek',
    'push',
    'pop',
    'enqueue',
    'dequeue',
    'freeze',
    'help',
  ],
  'bpftool map show': BPF_OBJECTS,
  'bpftool map list': BPF_OBJECTS,
  'bpftool map dump': BPF_OBJECTS,
  'bpftool map lookup': BPF_OBJECTS,
  'bpftool map update': BPF_OBJECTS,
  'bpftool map delete': BPF_OBJECTS,
  'bpftool map getnext': BPF_OBJECTS,
  'bpftool map lookup * *': ['key'],
  'bpftool map update * *': ['key'],
  'bpftool map delete * *': ['key'],
  'bpftool net': ['show', 'list', 'attach', 'detach', 'help'],
  'bpftool net attach': XDP_MODES,
  'bpftool net detach': XDP_MODES,
  'bpftool net attach *': [...BPF_OBJECTS, 'tag'],
  'bpftool net attach * * *': ['dev'],
  'bpftool net attach * * * dev': interfaces,
  'bpftool net detach *': ['dev'],
  'bpftool net detach * dev': interfaces,
  'bpftool net show': ['dev'],
  'bpftool net show dev': interfaces,
  'bpftool perf': ['show', 'list', 'help'],
  'bpftool link': ['show', 'list', 'pin', 'detach', 'help'],
  'bpftool btf': ['show', 'list', 'dump', 'help'],
  'bpftool btf dump': ['id', 'map', 'prog', 'file'],
  'bpftool btf dump * *': ['format'],
  'bpftool btf dump * * format': ['raw', 'c'],
  'bpftool feature': ['probe', 'list_builtins', 'help'],
  'bpftool feature probe': ['kernel', 'full'],
  'bpftool feature list_builtins': [
    'prog_types',
    'map_types',
    'attach_types',
    'link_types',
    'helpers',
  ],
  'bpftool gen': ['object', 'help'],
  ip: ['link', 'addr', 'route', 'help', '-s', '-d', '-br', '-j', '-V'],
  'ip link': ['show', 'set', 'help'],
  'ip link show': interfaces,
  'ip link set': ['dev'],
  'ip link set dev': interfaces,
  'ip link set dev *': ['up', 'down', 'mtu', ...XDP_MODES],
  'ip link set dev * xdp': ['obj', 'pinned', 'off'],
  'ip link set dev * xdpgeneric': ['obj', 'pinned', 'off'],
  'ip link set dev * xdpdrv': ['obj', 'pinned', 'off'],
  'ip link set dev * xdpoffload': ['obj', 'pinned', 'off'],
  'ip addr': ['show', 'add', 'del', 'help'],
  'ip addr show': interfaces,
  'ip route': ['show', 'help'],
  kill: ['-HUP', '-INT', '-KILL', '-TERM', '-STOP', '-CONT'],
};

/** Words that may stand where the last of `words` is being typed; undefined if nothing is known. */
export function* commandWords(
  p: Process,
  words: readonly string[],
): UserFlow<readonly string[] | undefined> {
  const typed = words.slice(0, -1);
  const row = Object.keys(ROWS).find((key) => {
    const pattern = key.split(' ');
    return (
      pattern.length === typed.length &&
      pattern.every((word, index) => word === '*' || word === typed[index])
    );
  });
  if (row === undefined) return undefined;
  const value = ROWS[row]!;
  return typeof value === 'function' ? yield* value(p) : value;
}
