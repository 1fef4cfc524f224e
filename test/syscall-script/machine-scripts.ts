/** Scripts that need a whole kernel: attaching, ids, pins, users; and each field wrong in turn. */
import { ATTR, BPF_ATTR_BYTES } from '../../bpf/attr.ts';
import { BPF_BTF_INFO, BPF_LINK_INFO_BYTES, BPF_MAP_INFO, BPF_PROG_INFO } from '../../bpf/info.ts';
import { ATTACH_TYPES, BPF_COMMANDS, PROG_TYPES } from '../../bpf/uapi.ts';
import type { AttachType, BpfCommand, ProgType } from '../../bpf/uapi.ts';
import type { Script, Value } from './script.ts';
import { quad, scriptOf, word, type Writer } from './writer.ts';

const scripts: Script[] = [];
function script(name: string, write: (w: Writer) => void): void {
  scripts.push(scriptOf(name, write, true));
}

type Values = Readonly<Record<string, Value>>;

const attachType = (name: AttachType) => ATTACH_TYPES.indexOf(name);
/** linux/fcntl.h */
const AT_FDCWD = -100;
const O_RDWR = 2;
/** The loopback interface. */
const LO = 1;
/** A BTF with one type, int, as btf_load takes it. */
const INT_BTF =
  `9feb0100${word(24)}${word(0)}${word(16)}${word(16)}${word(5)}` +
  `${word(1)}${word(0x01000000)}${word(4)}${word(0x01000020)}00696e7400`;
const INT_BTF_BYTES = INT_BTF.length / 2;

const loadBtf = (w: Writer) => w.call('btf_load', { btf: w.buf(INT_BTF), btf_size: INT_BTF_BYTES });

/** Information about a descriptor's object in a buffer: '^name:4' is its id. */
function info(w: Writer, fd: string, bytes = 256): string {
  const at = w.buf(bytes);
  w.call('obj_get_info_by_fd', { bpf_fd: fd, info: at, info_len: bytes });
  return at;
}
const idIn = (buffer: string, at = 4) => `^${buffer.slice(1)}:${at}`;

const tracing = (w: Writer, attach: AttachType, target: string, asm = 'r0 = 0\nexit') =>
  w.prog('tracing', asm, {
    expected_attach_type: attachType(attach),
    attach_btf_id: target,
  });

function open(w: Writer, path: string, flags = 0): string {
  return w.sys('openat', AT_FDCWD, w.text(path), flags, 0);
}

/** struct perf_event_attr of a tracepoint. */
function perfEvent(w: Writer, tracepoint: string): string {
  const PERF_TYPE_TRACEPOINT = 2;
  const attr = w.buf(word(PERF_TYPE_TRACEPOINT) + word(128) + '00'.repeat(120), [
    [8, `%tp:${tracepoint}`],
  ]);
  return w.sys('perf_event_open', attr, -1, 0, -1, 0);
}

script('sizes and tails of every command', (w) => {
  for (const [number, command] of BPF_COMMANDS.entries()) {
    const last = ATTR[command].sizeBytes;
    // Which ids there are is a kernel's own.
    const least = command.endsWith('next_id') ? 4 : 0;
    for (const bytes of [least, last, BPF_ATTR_BYTES]) w.raw(number, 'ff'.repeat(bytes));
    const zeros = (bytes: number) => '00'.repeat(bytes);
    if (last < BPF_ATTR_BYTES) w.raw(number, `${zeros(last)}01${zeros(BPF_ATTR_BYTES - last - 1)}`);
    w.raw(number, `${zeros(BPF_ATTR_BYTES)}01`);
  }
});

/** A good call of each command that can be made without anything attached. */
function goodCalls(w: Writer): readonly (readonly [BpfCommand, Values])[] {
  const map = w.map('hash', 4, 8, 8, { map_flags: 0x40 });
  const array = w.map('array', 4, 8, 8);
  const queue = w.map('queue', 0, 8, 8);
  const prog = w.prog('sched_cls', 'r0 = 0\nexit');
  const raw = w.prog('raw_tracepoint', 'r0 = 0\nexit');
  const xdp = w.prog('xdp', 'r0 = 2\nexit');
  const link = w.call('raw_tracepoint_open', { prog_fd: raw, name: w.text('sys_enter') });
  const ifLink = w.call('link_create', { prog_fd: xdp, target_fd: LO, attach_type: 37 });
  const btf = loadBtf(w);
  const iter = w.call('link_create', {
    prog_fd: tracing(w, 'trace_iter', '%func:bpf_iter_bpf_map'),
    attach_type: attachType('trace_iter'),
  });
  const [mapInfo, progInfo, linkInfo, btfInfo] = [map, prog, link, btf].map((fd) =>
    info(w, fd),
  ) as [string, string, string, string];
  const rawInfo = info(w, raw);
  const [key, value, other] = [w.buf(word(1)), w.buf(quad(7)), w.buf(64)];
  w.update(map, key, value);
  w.update(queue, 0, value);
  const path = w.text('/sys/fs/bpf/fields');
  w.call('obj_pin', { pathname: path, bpf_fd: map });
  const data = w.buf('00'.repeat(64));
  const batch = { keys: w.buf(1024), values: w.buf(1024), count: 2 };
  return [
    [
      'map_create',
      { map_type: 1, key_size: 4, value_size: 8, max_entries: 4, map_name: 'fine', btf_fd: 0 },
    ],
    ['map_lookup_elem', { map_fd: map, key, value: other }],
    ['map_update_elem', { map_fd: map, key, value }],
    ['map_get_next_key', { map_fd: array, key, next_key: other }],
    ['map_lookup_and_delete_elem', { map_fd: queue, key: 0, value: other }],
    ['map_lookup_batch', { map_fd: array, out_batch: other, ...batch }],
    ['map_update_batch', { map_fd: map, ...batch }],
    ['map_delete_batch', { map_fd: map, keys: batch.keys, count: 1 }],
    ['map_lookup_and_delete_batch', { map_fd: map, out_batch: other, ...batch }],
    ['map_delete_elem', { map_fd: map, key }],
    [
      'prog_load',
      {
        prog_type: PROG_TYPES.indexOf('xdp'),
        insns: w.buf(`b700000002000000${'95'.padEnd(16, '0')}${'00'.repeat(99 * 8)}`),
        insn_cnt: 2,
        license: w.text('GPL'),
        prog_name: 'fine',
        expected_attach_type: 37,
      },
    ],
    ['obj_pin', { pathname: path, bpf_fd: map }],
    ['obj_get', { pathname: path }],
    ['prog_attach', { target_fd: 1, attach_bpf_fd: prog, attach_type: 0 }],
    ['prog_detach', { target_fd: 1, attach_bpf_fd: prog, attach_type: 0 }],
    ['prog_test_run', { prog_fd: prog, data_in: data, data_size_in: 64, repeat: 1 }],
    ['prog_get_fd_by_id', { prog_id: idIn(progInfo) }],
    ['map_get_fd_by_id', { map_id: idIn(mapInfo) }],
    ['btf_get_fd_by_id', { btf_id: idIn(btfInfo, 12) }],
    ['link_get_fd_by_id', { link_id: idIn(linkInfo) }],
    ['obj_get_info_by_fd', { bpf_fd: map, info: w.buf(128), info_len: 88 }],
    ['prog_query', { target_fd: 1, attach_type: 0, prog_ids: other, prog_cnt: 4 }],
    ['raw_tracepoint_open', { prog_fd: raw, name: w.text('sys_exit') }],
    ['btf_load', { btf: w.buf(INT_BTF.padEnd(256, '0')), btf_size: INT_BTF_BYTES }],
    ['task_fd_query', { pid: 1, fd: link, buf: other, buf_len: 64, prog_id: idIn(rawInfo) }],
    ['map_freeze', { map_fd: w.map('array') }],
    ['link_create', { prog_fd: xdp, target_fd: LO, attach_type: 37 }],
    ['link_update', { link_fd: ifLink, new_prog_fd: w.prog('xdp', 'r0 = 1\nexit') }],
    ['link_detach', { link_fd: ifLink }],
    ['enable_stats', { type: 0 }],
    ['iter_create', { link_fd: iter }],
    ['prog_bind_map', { prog_fd: prog, map_fd: array }],
  ];
}

script('each field wrong in turn', (w) => {
  for (const [command, good] of goodCalls(w)) {
    w.call(command, good);
    const { fields } = ATTR[command] as unknown as {
      readonly fields: Readonly<Record<string, { readonly kind: string; readonly bytes: number }>>;
    };
    for (const [field, { kind }] of Object.entries(fields)) {
      // The next id after 0 is whatever this kernel has.
      if (kind !== 'int' || /^(next_id|start_id|prog_id)$/.test(field)) continue;
      for (const wrong of [0, 1, 99, 0x7fff_ffff, 0xffff_ffff]) {
        // A descriptor that is no BPF object's is 1; process 1 is this one.
        if (command === 'task_fd_query' && field === 'pid' && wrong === 99) continue;
        // Low ids may be somebody else's.
        if (wrong > 0 && wrong < 100 && field.endsWith('_id')) continue;
        if (wrong > 99 && (field === 'repeat' || field === 'count')) continue;
        w.call(command, { ...good, [field]: wrong });
      }
    }
  }
});

const COMBINATIONS = [
  'none',
  'bpf',
  'perfmon',
  'net_admin',
  'bpf+perfmon',
  'bpf+net_admin',
  'bpf+perfmon+net_admin',
  'sys_admin',
];

for (const caps of COMBINATIONS) {
  script(`every command, user 1000 with ${caps}`, (w) => {
    const good = goodCalls(w);
    for (const disabled of [0, 2]) {
      w.uid(0);
      w.sysctl('kernel/unprivileged_bpf_disabled', disabled);
      w.uid(1000);
      w.caps(caps);
      for (const [command, attr] of good) {
        w.call(command, attr);
      }
      for (const next of [
        'prog_get_next_id',
        'map_get_next_id',
        'btf_get_next_id',
        'link_get_next_id',
      ] as const) {
        w.call(next, { start_id: 0x7ffffffe });
      }
      w.raw(100, '00'.repeat(8));
    }
    w.uid(0);
    w.sysctl('kernel/unprivileged_bpf_disabled', 0);
    w.sys('unlink', w.text('/sys/fs/bpf/fields'));
  });

  script(`which programs load with ${caps}`, (w) => {
    w.uid(1000);
    w.caps(caps);
    for (const type of PROG_TYPES.slice(1)) {
      if (type === 'lirc_mode2') continue;
      w.prog(type, 'r0 = 1\nexit');
      w.prog(type, 'r0 = 1\nexit', { prog_flags: 0x10 });
      w.prog(type, 'r0 = 1\nexit', { prog_flags: 1 });
    }
    w.prog('cgroup_skb', 'r0 = 1\nexit', { expected_attach_type: 1 });
    for (const [attach, target] of [
      ['trace_raw_tp', '%typedef:btf_trace_sys_enter'],
      ['trace_iter', '%func:bpf_iter_task'],
    ] as const) {
      tracing(w, attach, target);
    }
    w.prog('socket_filter', Array.from({ length: 4096 }, () => 'r0 = 0').join('\n') + '\nexit');
    w.prog('socket_filter', 'r0 = r1\nexit');
    w.prog('socket_filter', 'call ktime_get_ns#5\nexit');
    w.prog('socket_filter', 'call trace_printk#6\nexit');
  });
}

script('ids', (w) => {
  const [a, b] = [w.map('array'), w.map('hash')];
  const [first, second] = [w.prog('xdp'), w.prog('socket_filter')];
  const [c, d] = [loadBtf(w), loadBtf(w)];
  const link = (name: string) =>
    w.call('raw_tracepoint_open', { prog_fd: w.prog('raw_tracepoint'), name: w.text(name) });
  const [e, f] = [link('sys_enter'), link('sched_switch')];
  const kinds = [
    ['map', a, b, 4],
    ['prog', first, second, 4],
    ['btf', c, d, 12],
    ['link', e, f, 4],
  ] as const;
  for (const [kind, one, other, at] of kinds) {
    const [oneId, otherId] = [idIn(info(w, one), at), idIn(info(w, other), at)];
    w.callFrom(oneId, `${kind}_get_next_id`, { start_id: oneId });
    if (kind !== 'prog') w.callFrom(oneId, `${kind}_get_next_id`, { start_id: otherId });
    const fd = w.call(`${kind}_get_fd_by_id`, { [`${kind}_id`]: oneId });
    w.close(one);
    w.callFrom(oneId, `${kind}_get_next_id`, { start_id: oneId });
    w.call(`${kind}_get_fd_by_id`, { [`${kind}_id`]: oneId });
    w.close(fd);
    w.call(`${kind}_get_fd_by_id`, { [`${kind}_id`]: oneId });
    if (kind !== 'map') continue;
    const key = w.buf(word(0));
    for (const flags of [0, 8, 16, 24, 32]) {
      const again = w.call('map_get_fd_by_id', { map_id: otherId, open_flags: flags });
      w.update(again, key, w.buf(8));
      w.lookup(again, key, 8);
      w.next(again, 0, 4);
      w.remove(again, key);
    }
  }
});

script('pins, and their users', (w) => {
  const map = w.map('array');
  const prog = w.prog('xdp');
  const link = w.call('raw_tracepoint_open', {
    prog_fd: w.prog('raw_tracepoint'),
    name: w.text('sys_enter'),
  });
  const btf = loadBtf(w);
  const stats = w.call('enable_stats');
  const pin = (fd: Value, path: string) =>
    w.call('obj_pin', { bpf_fd: fd, pathname: w.text(path) });
  const get = (path: string, flags = 0) =>
    w.call('obj_get', { pathname: w.text(path), file_flags: flags });
  const [m, p, l] = ['map', 'prog', 'link'].map((kind) => `/sys/fs/bpf/pins_${kind}`) as [
    string,
    string,
    string,
  ];
  pin(map, m);
  pin(prog, p);
  pin(link, l);
  for (const fd of [btf, stats, 1, 99]) pin(fd, '/sys/fs/bpf/pins_none');
  pin(map, m);
  pin(99, m);
  pin(map, '/sys/fs/bpf');
  pin(map, '/sys/fs/bpf/');
  pin(map, '/');
  pin(map, '');
  pin(map, '/sys/fs/bpf/no/such');
  pin(map, '/sys/fs/bpf/with.dot');
  pin(map, '/sys/fs/bpf/.dot');
  pin(map, `${m}/below`);
  pin(map, '/proc/here');
  pin(map, '/dev/here');
  pin(map, `/sys/fs/bpf/${'n'.repeat(300)}`);
  pin(map, `/${'long/'.repeat(900)}`);
  w.sys('mkdir', w.text('/sys/fs/bpf/dir'), 0o755);
  w.sys('mkdir', w.text('/sys/fs/bpf/dir.'), 0o755);
  pin(map, '/sys/fs/bpf/dir');
  pin(map, '/sys/fs/bpf/dir/map');
  pin(map, '/sys/fs/bpf/dir/../again');
  w.sys('symlink', w.text('dir/map'), w.text('/sys/fs/bpf/sym'));
  w.sys('symlink', w.text('nowhere'), w.text('/sys/fs/bpf/dangling'));
  pin(map, '/sys/fs/bpf/sym');
  pin(map, '/sys/fs/bpf/dangling');
  get('/sys/fs/bpf/sym');
  get('/sys/fs/bpf/dangling');
  for (const path of [m, p, l]) {
    for (const flags of [0, 8, 16]) get(path, flags);
    for (const flags of [0, 1, O_RDWR]) open(w, path, flags);
  }
  for (const path of ['/sys/fs/bpf', '/sys/fs/bpf/none', '/proc/version', '/sys', '/dev/null']) {
    get(path);
  }
  get('/sys/fs/bpf/no.dots');
  w.sys('rename', w.text(m), w.text('/sys/fs/bpf/moved'));
  w.sys('rename', w.text('/sys/fs/bpf/moved'), w.text('/sys/fs/bpf/mo.ved'));
  w.sys('link', w.text('/sys/fs/bpf/moved'), w.text('/sys/fs/bpf/hard'));
  w.sys('rmdir', w.text('/sys/fs/bpf/dir'));
  get('/sys/fs/bpf/hard');
  // Another user.
  w.sys('chmod', w.text('/sys/fs/bpf'), 0o755);
  const asUser = (caps: string) => {
    w.uid(1000);
    w.caps(caps);
    for (const path of ['/sys/fs/bpf/moved', p, l])
      for (const flags of [0, 8, 16]) get(path, flags);
    pin(map, '/sys/fs/bpf/users');
    pin(map, '/sys/fs/bpf/moved');
    w.uid(0);
  };
  for (const caps of ['none', 'bpf', 'dac_override', 'bpf+dac_override']) asUser(caps);
  w.sys('chmod', w.text('/sys/fs/bpf/moved'), 0o644);
  w.sys('chmod', w.text(p), 0o666);
  w.sys('chmod', w.text(l), 0o444);
  w.sys('chmod', w.text('/sys/fs/bpf'), 0o777);
  for (const caps of ['none', 'bpf']) asUser(caps);
  w.sys('chmod', w.text('/sys/fs/bpf'), 0o1777);
  w.uid(1000);
  w.sys('unlink', w.text('/sys/fs/bpf/moved'));
  w.uid(0);
  for (const name of ['moved', 'hard', 'pins_prog', 'pins_link', 'sym', 'dangling', 'users']) {
    w.sys('unlink', w.text(`/sys/fs/bpf/${name}`));
  }
  get('/sys/fs/bpf/moved');
  w.sys('chmod', w.text('/sys/fs/bpf'), 0o700);
});

script('information in parts', (w) => {
  const map = w.map('hash', 4, 8, 10, { map_name: 'things' });
  const prog = w.prog('xdp', 'r0 = 2\nexit', { prog_name: 'pass' });
  const raw = w.call('raw_tracepoint_open', {
    prog_fd: w.prog('raw_tracepoint'),
    name: w.text('sys_enter'),
  });
  const objects = [
    [map, BPF_MAP_INFO.sizeBytes, [4]],
    [loadBtf(w), BPF_BTF_INFO.sizeBytes, [12]],
    [raw, BPF_LINK_INFO_BYTES, [4, 8]],
  ] as const;
  for (const [fd, bytes, mask] of objects) {
    for (let length = 0; length <= bytes + 8; length += 4) {
      const out = w.buf(bytes + 8);
      w.call('obj_get_info_by_fd', { bpf_fd: fd, info: out, info_len: length });
      w.dump(out, mask);
    }
    const beyond = w.buf('00'.repeat(bytes) + '01' + '00'.repeat(7));
    w.call('obj_get_info_by_fd', { bpf_fd: fd, info: beyond, info_len: bytes + 8 });
    w.call('obj_get_info_by_fd', { bpf_fd: fd, info: beyond, info_len: 4097 });
    w.call('obj_get_info_by_fd', { bpf_fd: fd, info: 8, info_len: bytes });
  }
  const bytes = BPF_PROG_INFO.sizeBytes;
  const OWN = [4, 16, 40, 44];
  for (let length = 0; length <= bytes + 8; length += 4) {
    const out = w.buf(bytes + 8);
    w.call('obj_get_info_by_fd', { bpf_fd: prog, info: out, info_len: length });
    w.dump(out, OWN);
  }
  for (const fd of [1, 99, w.call('enable_stats')]) {
    w.call('obj_get_info_by_fd', { bpf_fd: fd, info: w.buf(64), info_len: 64 });
  }
});

script('information about programs: every array', (w) => {
  const map = w.map('array');
  const prog = w.prog(
    'socket_filter',
    `*(u32 *)(r10 -4) = 0
r1 = map_fd(0)
r2 = r10
r2 += -4
call map_lookup_elem#1
if r0 == 0 goto pc+1
r0 = 1
exit`,
    {},
    [[1, map]],
  );
  const { offsets } = BPF_PROG_INFO;
  const ask = (words: Readonly<Record<string, Value>>, length = BPF_PROG_INFO.sizeBytes) => {
    const hex = Buffer.alloc(BPF_PROG_INFO.sizeBytes);
    const refs: [number, string][] = [];
    for (const [name, value] of Object.entries(words)) {
      const at = offsets[name as keyof typeof offsets];
      if (typeof value === 'string') refs.push([at, value]);
      else hex.writeUInt32LE(value, at);
    }
    const out = w.buf(hex.toString('hex'), refs);
    w.call('obj_get_info_by_fd', { bpf_fd: prog, info: out, info_len: length });
    return out;
  };
  const ids = w.buf(16);
  for (const count of [0, 1, 2, 4]) {
    ask({ nr_map_ids: count, map_ids: ids });
    ask({ nr_map_ids: count, map_ids: 8 });
  }
  const insns = w.buf(128);
  for (const length of [0, 1, 8, 12, 88, 128]) {
    ask({ xlated_prog_len: length, xlated_prog_insns: insns });
  }
  ask({ xlated_prog_len: 8, xlated_prog_insns: 8 });
  ask({ jited_prog_len: 8, jited_prog_insns: 8 });
  for (const count of [0, 1, 2]) {
    ask({ nr_jited_ksyms: count, jited_ksyms: w.buf(16) });
    ask({ nr_jited_func_lens: count, jited_func_lens: w.buf(16) });
    const tags = w.buf(16);
    ask({ nr_prog_tags: count, prog_tags: tags });
    w.dump(tags);
    ask({ nr_func_info: count, func_info: w.buf(32) });
    ask({ nr_func_info: count, func_info: w.buf(32), func_info_rec_size: 8 });
    ask({ nr_line_info: count, line_info: w.buf(32), line_info_rec_size: 16 });
    ask({ nr_line_info: count, line_info: w.buf(32), line_info_rec_size: 8 });
    ask({ nr_jited_line_info: count, jited_line_info: w.buf(32), jited_line_info_rec_size: 8 });
    ask({ nr_jited_line_info: count, jited_line_info: w.buf(32), jited_line_info_rec_size: 4 });
  }
  // What there is comes back as a count, beyond what a user without CAP_BPF may see.
  const counts = [52, 104, 108, 128, 140, 144, 156, 160, 164, 168, 208];
  const mask = Array.from({ length: 58 }, (_, i) => i * 4).filter((at) => !counts.includes(at));
  w.dump(ask({}), mask);
  w.uid(1000);
  const asUser = ask({
    xlated_prog_len: 88,
    xlated_prog_insns: insns,
    nr_map_ids: 1,
    map_ids: ids,
  });
  w.dump(asUser, [4, 32, 40, 44, 56, 60]);
  ask({ nr_func_info: 1, func_info: w.buf(32) });
});

script('test runs counted', (w) => {
  const prog = w.prog('socket_filter', 'r0 = 7\nexit');
  const { offsets } = BPF_PROG_INFO;
  const all = Array.from({ length: BPF_PROG_INFO.sizeBytes / 4 }, (_, i) => i * 4);
  const show = () =>
    w.dump(
      info(w, prog, BPF_PROG_INFO.sizeBytes),
      all.filter((at) => at !== offsets.run_cnt),
    );
  const run = (repeat: number) =>
    w.call('prog_test_run', {
      prog_fd: prog,
      data_in: w.buf(64),
      data_size_in: 64,
      repeat,
    });
  run(3);
  show();
  const stats = w.call('enable_stats');
  run(5);
  show();
  const again = w.call('enable_stats');
  w.close(stats);
  run(2);
  show();
  w.close(again);
  run(2);
  show();
});

script('links of XDP', (w) => {
  const [pass, drop] = [w.prog('xdp', 'r0 = 2\nexit'), w.prog('xdp', 'r0 = 1\nexit')];
  const frags = w.prog('xdp', 'r0 = 2\nexit', { prog_flags: 0x20 });
  const devmap = w.prog('xdp', 'r0 = 2\nexit', { expected_attach_type: attachType('xdp_devmap') });
  const cpumap = w.prog('xdp', 'r0 = 2\nexit', { expected_attach_type: attachType('xdp_cpumap') });
  const cls = w.prog('sched_cls');
  const create = (prog: Value, more: Values = {}) =>
    w.call('link_create', { prog_fd: prog, target_fd: LO, attach_type: 37, ...more });
  const SKB = 2;
  for (const flags of [1, 3, 4, 5, 6, 8, 10, 12, 14, 16, 18, 32, 34]) {
    w.close(create(pass, { flags }));
  }
  for (const prog of [devmap, cpumap, cls, w.map('array'), 1, 99]) create(prog, { flags: SKB });
  for (const target of [0, 2, 77, -1]) create(pass, { target_fd: target });
  for (let type = 0; type < ATTACH_TYPES.length + 2; type++) {
    w.close(create(pass, { attach_type: type }));
  }
  const link = create(pass, { flags: SKB });
  create(drop, { flags: SKB });
  create(drop);
  create(drop, { flags: 4 });
  w.dump(info(w, link, BPF_LINK_INFO_BYTES), [4, 8]);
  const update = (to: Value, more: Values = {}) =>
    w.call('link_update', { link_fd: link, new_prog_fd: to, ...more });
  update(drop);
  update(drop);
  update(cls);
  update(devmap);
  update(frags);
  update(pass, { flags: 4 });
  update(pass, { flags: 4, old_prog_fd: drop });
  update(pass, { flags: 4, old_prog_fd: frags });
  update(pass, { old_prog_fd: drop });
  update(pass, { flags: 4, old_prog_fd: 99 });
  update(99);
  update(link);
  for (const flags of [1, 2, 8]) update(pass, { flags });
  w.call('link_detach', { link_fd: link });
  w.call('link_detach', { link_fd: link });
  w.dump(info(w, link, BPF_LINK_INFO_BYTES), [4, 8]);
  update(drop);
  w.close(create(drop, { flags: SKB }));
  w.call('task_fd_query', { pid: 1, fd: link, buf: w.buf(16), buf_len: 16 });
  w.call('iter_create', { link_fd: link });
});

script('links of raw tracepoints', (w) => {
  const raw = w.prog('raw_tracepoint');
  const typed = tracing(w, 'trace_raw_tp', '%typedef:btf_trace_sys_enter');
  const openAs = (prog: Value, name: string | 0) =>
    w.call('raw_tracepoint_open', { prog_fd: prog, name });
  for (const name of [
    'sys_enter',
    'sched_switch',
    'sched_process_exec',
    'no_such',
    '',
    'a'.repeat(200),
  ]) {
    w.close(openAs(raw, w.text(name)));
  }
  openAs(raw, 0);
  openAs(typed, w.text('sys_enter'));
  openAs(99, w.text('sys_enter'));
  openAs(w.prog('tracepoint'), w.text('sys_enter'));
  openAs(w.prog('raw_tracepoint_writable'), w.text('sys_enter'));
  const typedToo = tracing(w, 'trace_raw_tp', '%typedef:btf_trace_sys_enter');
  const links = [openAs(raw, w.text('sys_enter')), openAs(typed, 0)];
  const create = (prog: Value, more: Values = {}) =>
    w.call('link_create', { prog_fd: prog, attach_type: attachType('trace_raw_tp'), ...more });
  links.push(create(typedToo));
  openAs(raw, w.text('sys_enter'));
  create(typedToo);
  create(typed, { target_fd: 1 });
  create(typed, { target_btf_id: 1 });
  create(typed, { flags: 1 });
  w.close(create(typed, { tracing_cookie: 5 }));
  create(raw);
  create(typed, { attach_type: attachType('trace_fentry') });
  for (const link of links) {
    w.dump(info(w, link, BPF_LINK_INFO_BYTES), [4, 8, 20, 24]);
    for (const room of [0, 1, 5, 9, 10, 64]) {
      const name = w.buf(64);
      const out = w.buf('00'.repeat(24) + word(room) + '00'.repeat(20), [[16, name]]);
      w.call('obj_get_info_by_fd', { bpf_fd: link, info: out, info_len: 48 });
      w.dump(name);
    }
    const noName = w.buf('00'.repeat(24) + word(9) + '00'.repeat(20));
    w.call('obj_get_info_by_fd', { bpf_fd: link, info: noName, info_len: 48 });
    w.call('link_update', { link_fd: link, new_prog_fd: raw });
    w.call('link_update', { link_fd: link, new_prog_fd: raw, flags: 4, old_prog_fd: raw });
    w.call('link_detach', { link_fd: link });
    for (const room of [0, 1, 5, 9, 10, 64]) {
      const name = w.buf(64);
      const progId = idIn(info(w, link), 8);
      w.call('task_fd_query', {
        pid: 1,
        fd: link,
        buf: name,
        buf_len: room,
        prog_id: progId,
      });
      w.dump(name);
    }
  }
  for (const [pid, fd] of [
    [1, 99],
    [1, 1],
    [1, raw],
    [0, 1],
    [99999, 1],
    [1, w.map('array')],
  ] as const) {
    w.call('task_fd_query', { pid, fd, buf: w.buf(16), buf_len: 16 });
  }
  w.call('task_fd_query', { pid: 1, fd: links[0]!, buf: 8, buf_len: 16 });
  w.call('task_fd_query', {
    pid: 1,
    fd: links[0]!,
    buf: 0,
    buf_len: 16,
    prog_id: idIn(info(w, raw)),
  });
});

script('perf events', (w) => {
  const SET_BPF = 0x40042408;
  const event = perfEvent(w, 'syscalls/sys_enter_getpgid');
  const prog = w.prog('tracepoint');
  const create = (more: Values = {}) =>
    w.call('link_create', {
      prog_fd: prog,
      target_fd: event,
      attach_type: attachType('perf_event'),
      ...more,
    });
  create({ target_fd: 99 });
  create({ target_fd: 1 });
  create({ target_fd: prog });
  create({ flags: 1 });
  create({ prog_fd: w.prog('raw_tracepoint') });
  create({ prog_fd: w.prog('kprobe') });
  create({ prog_fd: w.prog('perf_event') });
  create({ prog_fd: w.prog('xdp') });
  create({ attach_type: 0 });
  const query = (fd: Value, room = 64) => {
    const name = w.buf(64);
    w.call('task_fd_query', {
      pid: 1,
      fd,
      buf: name,
      buf_len: room,
      prog_id: idIn(info(w, prog)),
    });
    w.dump(name);
  };
  query(event);
  const link = create({ perf_event_cookie: 7 });
  w.dump(info(w, link, BPF_LINK_INFO_BYTES), [4, 8]);
  create();
  w.sys('ioctl', event, SET_BPF, prog);
  w.call('link_update', { link_fd: link, new_prog_fd: prog });
  w.call('link_detach', { link_fd: link });
  for (const room of [0, 1, 10, 18, 64]) query(event, room);
  query(link);
  w.close(link);
  query(event);
  w.sys('ioctl', event, SET_BPF, prog);
  w.sys('ioctl', event, SET_BPF, prog);
  w.sys('ioctl', event, SET_BPF, w.prog('xdp'));
  w.sys('ioctl', event, SET_BPF, 99);
  w.sys('ioctl', event, SET_BPF, 1);
  query(event);
  create();
  const other = perfEvent(w, 'syscalls/sys_exit_getpgid');
  w.sys('ioctl', other, SET_BPF, w.prog('kprobe'));
  w.sys('ioctl', other, SET_BPF, w.map('array'));
  const wide = w.prog('tracepoint', 'r0 = *(u64 *)(r1 +512)\nexit');
  w.sys('ioctl', other, SET_BPF, wide);
  w.call('link_create', { prog_fd: wide, target_fd: other, attach_type: attachType('perf_event') });
});

script('iterators: links', (w) => {
  const map = w.map('array');
  const targets = ['bpf_map', 'bpf_prog', 'bpf_link', 'task', 'task_file', 'task_vma'];
  for (const target of [...targets, 'bpf_map_elem']) {
    const prog = tracing(w, 'trace_iter', `%func:bpf_iter_${target}`);
    const create = (more: Values = {}) =>
      w.call('link_create', { prog_fd: prog, attach_type: attachType('trace_iter'), ...more });
    const link = create();
    create({ target_fd: 1 });
    create({ flags: 1 });
    create({ attach_type: 0 });
    create({ iter_info_len: 16 });
    create({ iter_info: 8, iter_info_len: 16 });
    const given = (hex: string, length: number, fds: [number, string][] = []) => {
      const made = create({ iter_info: w.buf(hex.padEnd(64, '0'), fds), iter_info_len: length });
      const name = w.buf(16);
      const out = w.buf('00'.repeat(24) + word(16) + '00'.repeat(20), [[16, name]]);
      w.call('obj_get_info_by_fd', { bpf_fd: made, info: out, info_len: 48 });
      w.dump(out, [4, 8, 16, 20, 28]);
      w.dump(name);
      w.close(w.call('iter_create', { link_fd: made }));
      w.close(made);
    };
    given('', 0);
    for (const length of [1, 4, 8, 12, 16, 20]) given('', length);
    for (const length of [1, 3, 4, 8, 16]) given(word(0), length, [[0, map]]);
    for (const words of [[1], [0, 1], [1, 1], [0, 0, 1], [99999], [0, 99999], [99999, 1]]) {
      given(words.map(word).join(''), 16);
    }
    w.call('iter_create', { link_fd: link, flags: 1 });
    const iter = w.call('iter_create', { link_fd: link });
    w.sys('read', iter, w.buf(16), 16);
    w.sys('write', iter, w.buf(16), 16);
    w.call('obj_get_info_by_fd', { bpf_fd: iter, info: w.buf(64), info_len: 64 });
    w.call('obj_pin', { bpf_fd: iter, pathname: w.text('/sys/fs/bpf/iter_pin') });
    w.call('link_detach', { link_fd: link });
    w.call('link_update', { link_fd: link, new_prog_fd: prog });
    w.call('link_update', { link_fd: link, new_prog_fd: w.prog('xdp') });
    w.call('task_fd_query', { pid: 1, fd: link, buf: w.buf(16), buf_len: 16 });
  }
});

script('attaching without links', (w) => {
  const map = w.map('sockmap', 4, 4, 4);
  const targets = [1, 99, map, w.map('array'), w.sys('socket', 16, 3, 0)];
  const types: ProgType[] = [
    'cgroup_skb',
    'sk_skb',
    'sk_msg',
    'flow_dissector',
    'sk_lookup',
    'xdp',
  ];
  const progs = types.map((type) =>
    w.prog(type, 'r0 = 1\nexit', {
      ...(type === 'sk_lookup' && { expected_attach_type: attachType('sk_lookup') }),
      ...(type === 'flow_dissector' && { expected_attach_type: attachType('flow_dissector') }),
    }),
  );
  for (let type = 0; type <= ATTACH_TYPES.length; type++) {
    // How a network namespace is attached to is another script's.
    if (['flow_dissector', 'sk_lookup', 'lirc_mode2'].includes(ATTACH_TYPES[type] ?? '')) continue;
    for (const target of targets) {
      w.call('prog_query', { target_fd: target, attach_type: type });
      w.call('prog_detach', { target_fd: target, attach_type: type });
    }
    for (const prog of progs) {
      w.call('prog_attach', { target_fd: 1, attach_bpf_fd: prog, attach_type: type });
      w.call('link_create', { target_fd: 1, prog_fd: prog, attach_type: type });
    }
  }
});

script('programs on socket maps', (w) => {
  const SK_MSG = attachType('sk_msg_verdict');
  const [PARSER, VERDICT, EITHER] = (
    ['sk_skb_stream_parser', 'sk_skb_stream_verdict', 'sk_skb_verdict'] as const
  ).map(attachType) as [number, number, number];
  for (const type of ['sockmap', 'sockhash'] as const) {
    const map = w.map(type, 4, 4, 4);
    const msg = [w.prog('sk_msg', 'r0 = 1\nexit'), w.prog('sk_msg', 'r0 = 0\nexit')] as const;
    const skb = w.prog('sk_skb', 'r0 = 1\nexit');
    const attach = (prog: Value, at: number, more: Values = {}) =>
      w.call('prog_attach', { target_fd: map, attach_bpf_fd: prog, attach_type: at, ...more });
    const detach = (prog: Value, at: number) =>
      w.call('prog_detach', { target_fd: map, attach_bpf_fd: prog, attach_type: at });
    const ids = w.buf(16);
    const query = (at: number, more: Values = {}) => {
      w.call('prog_query', { target_fd: map, attach_type: at, ...more });
    };
    query(SK_MSG);
    attach(skb, SK_MSG);
    attach(msg[0], PARSER);
    attach(msg[0], SK_MSG);
    attach(msg[0], SK_MSG, { attach_flags: 4 });
    attach(msg[0], SK_MSG, { attach_flags: 4, replace_bpf_fd: msg[1] });
    for (const flags of [1, 2, 4, 8]) attach(msg[1], SK_MSG, { attach_flags: flags });
    query(SK_MSG);
    query(SK_MSG, { prog_cnt: 1, prog_ids: ids });
    query(SK_MSG, { prog_cnt: 4 });
    query(SK_MSG, { prog_cnt: 1, prog_ids: 8 });
    query(SK_MSG, { query_flags: 1 });
    query(PARSER);
    detach(msg[0], SK_MSG);
    detach(99, SK_MSG);
    detach(skb, SK_MSG);
    w.call('prog_detach', { target_fd: map, attach_type: SK_MSG });
    detach(msg[1], SK_MSG);
    detach(msg[1], SK_MSG);
    attach(skb, PARSER);
    attach(skb, VERDICT);
    attach(skb, EITHER);
    detach(skb, VERDICT);
    attach(skb, EITHER);
    attach(skb, VERDICT);
    query(EITHER, { prog_cnt: 1 });
    detach(skb, PARSER);
    detach(skb, PARSER);
    w.call('prog_attach', { target_fd: w.map('array'), attach_bpf_fd: skb, attach_type: PARSER });
    w.call('prog_attach', { target_fd: skb, attach_bpf_fd: skb, attach_type: PARSER });
    w.call('link_create', { target_fd: map, prog_fd: skb, attach_type: PARSER });
  }
});

script('binding maps', (w) => {
  const [map, other] = [w.map('array'), w.map('hash')];
  const prog = w.prog('socket_filter');
  const count = () => {
    const all = Array.from({ length: BPF_PROG_INFO.sizeBytes / 4 }, (_, i) => i * 4);
    const { nr_map_ids } = BPF_PROG_INFO.offsets;
    w.dump(
      info(w, prog, BPF_PROG_INFO.sizeBytes),
      all.filter((at) => at !== nr_map_ids),
    );
  };
  for (const fd of [map, map, other, prog, 99, 1]) {
    w.call('prog_bind_map', { prog_fd: prog, map_fd: fd });
    count();
  }
  w.call('prog_bind_map', { prog_fd: map, map_fd: prog });
  w.call('prog_bind_map', { prog_fd: 99, map_fd: map, flags: 1 });
});

// The setting cannot be taken back: this is the last.
script('unprivileged use switched off for good', (w) => {
  w.sysctl('kernel/unprivileged_bpf_disabled', 1);
  w.sysctl('kernel/unprivileged_bpf_disabled', 0);
  w.uid(1000);
  w.map('array');
  w.prog('socket_filter');
  w.call('map_lookup_elem', { map_fd: 99 });
  w.caps('bpf');
  w.map('array');
  w.prog('socket_filter');
});

export const machineScripts: readonly Script[] = scripts;
