/** Links, perf events, iterators, attaching without links, binding maps. */
import { BPF_LINK_INFO_BYTES, BPF_PROG_INFO } from '../../bpf/info.ts';
import { ATTACH_TYPES } from '../../bpf/uapi.ts';
import type { ProgType } from '../../bpf/uapi.ts';
import { type Values, attachType, LO, info, idIn, tracing, perfEvent } from './kernel-objects.ts';
import type { Value } from './script.ts';
import { scriptList, word } from './writer.ts';

const { scripts, script } = scriptList(true);

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

export const attachScripts = scripts;
