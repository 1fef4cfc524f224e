/** Loading programs and BTF; ids, information, pins; attaching in vain. */
import { ATTACH_TYPES, PROG_TYPES } from '../../bpf/uapi.ts';
import type { Value } from './script.ts';
import { scriptList, word } from './writer.ts';

const { scripts, script } = scriptList(false);

const LIRC = PROG_TYPES.indexOf('lirc_mode2');

script('prog_load: what is checked before the verifier', (w) => {
  const ok = w.asm('r0 = 0\nexit');
  const gpl = w.text('GPL');
  const base = { prog_type: 1, insns: ok, insn_cnt: 2, license: gpl };
  const load = (more: Readonly<Record<string, Value>>) => w.call('prog_load', { ...base, ...more });
  load({});
  load({ insn_cnt: 0 });
  load({ insn_cnt: 1_000_001 });
  load({ insn_cnt: 1 });
  load({ insns: 0 });
  load({ license: 0 });
  load({ license: w.buf('41'.repeat(200)) });
  load({ prog_type: 0 });
  // Debian's kernel has no infrared remote controls.
  for (let type = 0; type <= 33; type++) if (type !== LIRC) load({ prog_type: type });
  for (let bit = 0; bit < 9; bit++) load({ prog_flags: 1 << bit });
  load({ prog_name: 'fine_name' });
  load({ prog_name: 'not fine' });
  load({ kern_version: 1 });
  load({ prog_ifindex: 1 });
  load({ prog_type: 6, prog_ifindex: 1 });
  load({ prog_type: 6, prog_ifindex: 77 });
  load({ attach_btf_id: 1 });
  load({ attach_prog_fd: 99 });
  load({ attach_prog_fd: 1 });
  load({ attach_btf_id: 1, attach_prog_fd: 99 });
  load({ prog_type: 26, attach_btf_id: 0x100000 });
  load({ prog_type: 26, expected_attach_type: 24 });
  load({ func_info_cnt: 1 });
  load({ func_info_cnt: 1, func_info_rec_size: 8 });
  load({ line_info_cnt: 1, line_info_rec_size: 16 });
  load({ prog_btf_fd: 99 });
  load({ prog_btf_fd: 99, func_info_cnt: 1, func_info_rec_size: 8 });
  load({ prog_btf_fd: 1, func_info_cnt: 1, func_info_rec_size: 8 });
  load({ core_relo_cnt: 1 });
  load({ core_relo_cnt: 1, core_relo_rec_size: 16 });
  load({ fd_array: 8 });
});

script('prog_load: logs', (w) => {
  const bad = w.asm('r0 = r1\nexit');
  const gpl = w.text('GPL');
  const log = w.buf(200);
  const load = (more: Readonly<Record<string, Value>>) =>
    w.call('prog_load', { prog_type: 1, insns: bad, insn_cnt: 2, license: gpl, ...more });
  load({ log_level: 1 });
  load({ log_level: 1, log_buf: log });
  load({ log_level: 1, log_size: 200 });
  load({ log_buf: log, log_size: 200 });
  load({ log_level: 8, log_buf: log, log_size: 200 });
  load({ log_level: 16, log_buf: log, log_size: 200 });
  for (const size of [1, 16, 127, 128, 129, 200]) {
    load({ log_level: 1, log_buf: log, log_size: size });
  }
  load({ log_level: 1, log_buf: 8, log_size: 200 });
  load({ log_level: 4, log_buf: log, log_size: 200 });
  load({ log_level: 1, log_buf: log, log_size: 0x7fffffff });
});

script('prog_load: attach types', (w) => {
  for (const type of PROG_TYPES) {
    if (['unspec', 'tracing', 'lsm', 'struct_ops', 'ext', 'syscall', 'lirc_mode2'].includes(type)) {
      continue;
    }
    const asm = type === 'sk_reuseport' || type === 'sk_lookup' ? 'r0 = 1\nexit' : 'r0 = 1\nexit';
    const insns = w.asm(asm);
    const gpl = w.text('GPL');
    for (let attach = 0; attach <= ATTACH_TYPES.length; attach++) {
      w.call('prog_load', {
        prog_type: PROG_TYPES.indexOf(type),
        insns,
        insn_cnt: 2,
        license: gpl,
        expected_attach_type: attach,
      });
    }
  }
});

script('ids and descriptors', (w) => {
  const map = w.map('array');
  w.prog('socket_filter');
  const commands = [
    'prog_get_next_id',
    'map_get_next_id',
    'btf_get_next_id',
    'link_get_next_id',
  ] as const;
  for (const command of commands) {
    w.call(command, { start_id: 0x7fffffff });
    w.call(command, { start_id: 0xffffffff });
    w.call(command, { start_id: 0x7ffffffe });
  }
  w.call('link_get_next_id', { start_id: 0 });
  w.call('prog_get_fd_by_id', { prog_id: 0 });
  w.call('map_get_fd_by_id', { map_id: 0 });
  w.call('btf_get_fd_by_id', { btf_id: 0 });
  w.call('link_get_fd_by_id', { link_id: 0 });
  w.call('prog_get_fd_by_id', { prog_id: 0x7fffffff });
  w.call('map_get_fd_by_id', { map_id: 0x7fffffff });
  w.call('map_get_fd_by_id', { map_id: 1, open_flags: 0x18 });
  w.call('map_get_fd_by_id', { map_id: 1, open_flags: 1 });
  w.call('obj_get_info_by_fd', { bpf_fd: map, info: 0, info_len: 0 });
  w.call('obj_get_info_by_fd', { bpf_fd: 99, info: 0, info_len: 0 });
  w.call('obj_get_info_by_fd', { bpf_fd: 1, info: 0, info_len: 0 });
  w.call('obj_get_info_by_fd', { bpf_fd: map, info: 8, info_len: 8 });
});

script('information about maps and programs', (w) => {
  const map = w.map('hash', 4, 8, 10, { map_name: 'things', map_flags: 0x41 });
  const prog = w.prog('xdp', 'r0 = 2\nexit', { prog_name: 'pass' });
  for (const length of [0, 4, 20, 64, 88, 100]) {
    const info = w.buf(104);
    w.call('obj_get_info_by_fd', { bpf_fd: map, info, info_len: length });
  }
  const dirty = w.buf('00'.repeat(100) + 'ff');
  w.call('obj_get_info_by_fd', { bpf_fd: map, info: dirty, info_len: 101 });
  w.call('obj_get_info_by_fd', { bpf_fd: map, info: dirty, info_len: 100 });
  for (const length of [0, 8, 100, 224, 228, 240]) {
    const info = w.buf(256);
    w.call('obj_get_info_by_fd', { bpf_fd: prog, info, info_len: length });
  }
  w.call('obj_get_info_by_fd', { bpf_fd: prog, info: w.buf(8000), info_len: 5000 });
});

script('what information there is', (w) => {
  const info = (fd: string, bytes: number, mask: readonly number[], ask = '') => {
    const at = w.buf(ask.padEnd(bytes * 2, '0'));
    w.call('obj_get_info_by_fd', { bpf_fd: fd, info: at, info_len: bytes });
    w.dump(at, mask);
  };
  const MAP_ID = 4;
  info(w.map('hash', 4, 8, 10, { map_name: 'things', map_flags: 0x41 }), 88, [MAP_ID]);
  info(w.map('array', 4, 12, 3, { map_flags: 0x408 }), 88, [MAP_ID]);
  info(w.map('lpm_trie', 8, 8, 10, { map_flags: 1 }), 88, [MAP_ID]);
  info(w.map('bloom_filter', 0, 8, 10, { map_extra: 3 }), 88, [MAP_ID]);
  info(w.map('ringbuf', 0, 0, 8192), 88, [MAP_ID]);
  info(w.map('devmap', 4, 4, 2), 88, [MAP_ID]);
  info(w.map('prog_array', 4, 4, 2), 88, [MAP_ID]);
  // Ids, size of the machine code, time of loading.
  const PROG = [4, 16, 40, 44];
  info(w.prog('xdp', 'r0 = 2\nexit', { prog_name: 'pass' }), 232, PROG);
  const map = w.map('array');
  const asm = 'r1 = map_fd(0)\nr2 = 0\nr0 = 0\nif r0 == 0 goto pc+1\nr0 = 7\nexit';
  const prog = w.prog('socket_filter', asm, { license: w.text('none') }, [[0, map]]);
  info(prog, 232, PROG);
});

script('pins', (w) => {
  const map = w.map('array');
  const prog = w.prog('socket_filter');
  const path = w.text('/sys/fs/bpf/one');
  const pin = (more: Readonly<Record<string, Value>>) =>
    w.call('obj_pin', { pathname: path, bpf_fd: map, ...more });
  pin({ file_flags: 8 });
  pin({ bpf_fd: 99 });
  pin({ bpf_fd: 1 });
  pin({ pathname: 0 });
  pin({});
  pin({});
  const get = (more: Readonly<Record<string, Value>> = {}) =>
    w.call('obj_get', { pathname: path, ...more });
  get();
  get({ file_flags: 8 });
  get({ file_flags: 0x10 });
  get({ file_flags: 0x18 });
  get({ file_flags: 1 });
  get({ bpf_fd: map });
  get({ pathname: 0 });
  get({ pathname: w.text('/sys/fs/bpf/none') });
  pin({ pathname: w.text('/sys/fs/bpf/prog'), bpf_fd: prog });
  get({ pathname: w.text('/sys/fs/bpf/prog') });
});

script('what is attached: errors', (w) => {
  const xdp = w.prog('xdp', 'r0 = 2\nexit');
  const filter = w.prog('socket_filter');
  for (const command of [
    'prog_attach',
    'prog_detach',
    'prog_query',
    'link_create',
    'link_update',
    'link_detach',
    'iter_create',
    'raw_tracepoint_open',
    'enable_stats',
    'prog_bind_map',
    'prog_test_run',
  ] as const) {
    w.call(command, {});
  }
  for (const attach of [0, 5, 37, 43, 99]) {
    w.call('prog_attach', { target_fd: 1, attach_bpf_fd: filter, attach_type: attach });
    w.call('prog_detach', { target_fd: 1, attach_type: attach });
    w.call('prog_query', { target_fd: 1, attach_type: attach });
    w.call('link_create', { prog_fd: filter, target_fd: 1, attach_type: attach });
  }
  w.call('link_create', { prog_fd: xdp, target_fd: 77, attach_type: 37 });
  w.call('link_create', { prog_fd: 99, attach_type: 37 });
  w.call('link_create', { prog_fd: w.map('array'), attach_type: 37 });
  w.call('link_update', { link_fd: xdp, new_prog_fd: xdp });
  w.call('link_update', { link_fd: xdp, flags: 8 });
  w.call('link_detach', { link_fd: xdp });
  w.call('iter_create', { link_fd: xdp });
  w.call('iter_create', { link_fd: xdp, flags: 1 });
  w.call('raw_tracepoint_open', { prog_fd: xdp });
  w.call('raw_tracepoint_open', { prog_fd: filter, name: w.text('sys_enter') });
  w.call('enable_stats', { type: 0 });
  w.call('enable_stats', { type: 1 });
  w.call('task_fd_query', { pid: 1, fd: 0, flags: 1 });
  w.call('prog_bind_map', { prog_fd: xdp, map_fd: w.map('array') });
  w.call('prog_bind_map', { prog_fd: xdp, map_fd: xdp });
  w.call('prog_bind_map', { prog_fd: xdp, map_fd: w.map('array'), flags: 1 });
});

script('btf_load', (w) => {
  const header = (types: number, strings: number) =>
    `9feb0100${word(24)}${word(0)}${word(types)}${word(types)}${word(strings)}`;
  const int = `${word(1)}${word(0x01000000)}${word(4)}${word(0x01000020)}`;
  const good = w.buf(`${header(16, 5)}${int}00696e7400`);
  const bytes = 24 + 16 + 5;
  const load = (more: Readonly<Record<string, Value>>) =>
    w.call('btf_load', { btf: good, btf_size: bytes, ...more });
  load({});
  load({ btf_size: 0 });
  load({ btf_size: 23 });
  load({ btf_size: bytes - 1 });
  load({ btf_size: 0x2000000 });
  load({ btf: 0 });
  load({ btf: w.buf(`9ceb0100${'00'.repeat(60)}`) });
  load({ btf_log_level: 1 });
  load({ btf_log_buf: w.buf(256), btf_log_size: 256 });
  load({ btf_log_level: 1, btf_log_buf: w.buf(256), btf_log_size: 256 });
  load({ btf_log_level: 1, btf_log_buf: w.buf(256), btf_log_size: 64 });
  const fd = load({});
  w.map('array', 4, 4, 1, { btf_fd: fd, btf_key_type_id: 1, btf_value_type_id: 1 });
  w.map('array', 4, 8, 1, { btf_fd: fd, btf_key_type_id: 1, btf_value_type_id: 1 });
  w.map('array', 4, 4, 1, { btf_fd: fd, btf_key_type_id: 2, btf_value_type_id: 1 });
  w.map('queue', 0, 4, 1, { btf_fd: fd, btf_value_type_id: 1 });
  w.map('sk_storage', 4, 4, 0, {
    btf_fd: fd,
    btf_key_type_id: 1,
    btf_value_type_id: 1,
    map_flags: 1,
  });
  w.map('inode_storage', 4, 4, 0, {
    btf_fd: fd,
    btf_key_type_id: 1,
    btf_value_type_id: 1,
    map_flags: 1,
  });
  w.map('task_storage', 4, 4, 0, {
    btf_fd: fd,
    btf_key_type_id: 1,
    btf_value_type_id: 1,
    map_flags: 1,
  });
  w.map('sk_storage', 4, 4, 0, { btf_fd: fd, btf_key_type_id: 1, btf_value_type_id: 1 });
  w.map('sk_storage', 4, 4, 1, {
    btf_fd: fd,
    btf_key_type_id: 1,
    btf_value_type_id: 1,
    map_flags: 1,
  });
});

export const programScripts = scripts;
