/** Every command: sizes, each field wrong in turn, as each kind of user. */
import { ATTR, BPF_ATTR_BYTES } from '../../bpf/attr.ts';
import { BPF_COMMANDS, PROG_TYPES } from '../../bpf/uapi.ts';
import type { BpfCommand } from '../../bpf/uapi.ts';
import {
  type Values,
  attachType,
  LO,
  INT_BTF,
  INT_BTF_BYTES,
  loadBtf,
  info,
  idIn,
  tracing,
} from './kernel-objects.ts';
import { quad, scriptList, word, type Writer } from './writer.ts';

const { scripts, script } = scriptList(true);

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

export const commandScripts = scripts;
