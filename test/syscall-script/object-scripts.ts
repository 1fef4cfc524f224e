/** Ids, pins and their users, information, counted runs. */
import { BPF_BTF_INFO, BPF_LINK_INFO_BYTES, BPF_MAP_INFO, BPF_PROG_INFO } from '../../bpf/info.ts';
import { O_RDWR, loadBtf, info, idIn, open } from './kernel-objects.ts';
import type { Value } from './script.ts';
import { scriptList, word } from './writer.ts';

const { scripts, script } = scriptList(true);

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

export const objectScripts = scripts;
