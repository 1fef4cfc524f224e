/** BPF_PROG_TEST_RUN. */
import { ATTACH_TYPES, MAP_TYPES, PROG_TYPES } from '../../bpf/uapi.ts';
import type { Value } from './script.ts';
import { quad, scriptList, word, type Writer } from './writer.ts';

const { scripts, script } = scriptList(false);

/** A packet of that many bytes with the EtherType; its bytes count up. */
function packet(bytes: number, etherType = 0): string {
  const data = Buffer.from(Array.from({ length: bytes }, (_, i) => (i * 7 + (i >> 8)) & 0xff));
  if (bytes >= 14) data.writeUInt16BE(etherType, 12);
  return data.toString('hex');
}

type Run = Readonly<Record<string, Value>>;
const runner = (w: Writer, prog: string) => (attr: Run) =>
  w.call('prog_test_run', { prog_fd: prog, ...attr });

script('test runs of raw tracepoints', (w) => {
  const asm = 'r0 = *(u64 *)(r1 +8)\nexit';
  const run = runner(w, w.prog('raw_tracepoint', asm));
  const ctx = w.buf(quad(5) + quad(77) + '00'.repeat(96));
  const good = { ctx_in: ctx, ctx_size_in: 16 };
  run(good);
  for (const size of [0, 8, 96, 104]) run({ ctx_in: ctx, ctx_size_in: size });
  run({});
  run({ ...good, repeat: 1 });
  run({ ...good, data_in: ctx, data_size_in: 14 });
  run({ ...good, data_size_in: 14 });
  run({ ...good, data_out: ctx, data_size_out: 14 });
  run({ ...good, cpu: 1 });
  run({ ...good, cpu: 9, flags: 1 });
  run({ ...good, flags: 2 });
  run({ ...good, ctx_out: ctx, ctx_size_out: 16 });
  run({ ctx_in: 1, ctx_size_in: 16 });
  run({ ctx_size_in: 16 });
  run({ ...good, batch_size: 1 });
  run({ ...good, duration: 1 });
  const cpu = runner(w, w.prog('raw_tracepoint', 'call get_smp_processor_id#8\nexit'));
  cpu({ cpu: 1, flags: 1 });
  cpu({ cpu: 0, flags: 1 });
  const without = [
    'kprobe',
    'tracepoint',
    'perf_event',
    'cgroup_sock',
    'sock_ops',
    'sk_skb',
  ] as const;
  const others = ['sk_msg', 'cgroup_device', 'cgroup_sysctl', 'raw_tracepoint_writable'] as const;
  for (const type of [...without, ...others]) runner(w, w.prog(type, 'r0 = 1\nexit'))({});
});

script('test runs of syscall programs', (w) => {
  const asm = 'r6 = r1\nr0 = *(u32 *)(r1 +4)\nr0 += 1\n*(u32 *)(r6 +4) = r0\nexit';
  w.prog('syscall', asm);
  const run = runner(w, w.prog('syscall', asm, { prog_flags: 16 }));
  const ctx = w.buf(word(0) + word(9));
  const good = { ctx_in: ctx, ctx_size_in: 8 };
  run(good);
  w.dump(ctx);
  run({ ...good, ctx_size_in: 7 });
  run({});
  run({ ...good, repeat: 1 });
  run({ ...good, flags: 1 });
  run({ ...good, cpu: 1 });
  run({ ...good, data_in: ctx, data_size_in: 8 });
  run({ ...good, ctx_out: ctx, ctx_size_out: 8 });
  run({ ctx_in: 8, ctx_size_in: 8 });
  const nothing = runner(w, w.prog('syscall', 'r0 = 5\nexit', { prog_flags: 16 }));
  nothing({});
  const large = w.buf(65536);
  nothing({ ctx_in: large, ctx_size_in: 65535 });
  nothing({ ctx_in: large, ctx_size_in: 65536 });
});

script('test runs of socket look-ups', (w) => {
  const lookup = (family: number, more: readonly number[] = []) => {
    const words = new Uint32Array(18);
    words.set([0, 0, family, 6, 0x01020304], 0);
    if (family === 10) words.set([0x11, 0x22, 0x33, 0x44], 5);
    words.set([0x5000, 0x0a000001], 9);
    if (family === 10) words.set([0x55, 0x66, 0x77, 0x88], 11);
    words[15] = 8080;
    for (let i = 0; i < more.length; i += 2) words[more[i]!] = more[i + 1]!;
    return w.buf(Buffer.from(words.buffer).toString('hex'));
  };
  const attach = { expected_attach_type: ATTACH_TYPES.indexOf('sk_lookup') };
  const pass = runner(w, w.prog('sk_lookup', 'r0 = 1\nexit', attach));
  const drop = runner(w, w.prog('sk_lookup', 'r0 = 0\nexit', attach));
  const out = w.buf(72);
  const good = { ctx_in: lookup(2), ctx_size_in: 72 };
  pass({ ...good, ctx_out: out, ctx_size_out: 72 });
  w.dump(out);
  drop(good);
  pass({});
  pass({ ctx_out: out, ctx_size_out: 72 });
  pass({ ...good, ctx_size_in: 20 });
  pass({ ...good, repeat: 5 });
  pass({ ...good, data_in: out, data_size_in: 14 });
  pass({ ...good, flags: 1 });
  pass({ ...good, cpu: 1 });
  pass({ ...good, ctx_out: out, ctx_size_out: 16 });
  for (const wrong of [
    [15, 70000],
    [2, 1],
    [0, 1],
    [16, 1],
    [17, 1],
  ]) {
    pass({ ctx_in: lookup(2, wrong), ctx_size_in: 72 });
  }
  const map = w.map('array', 4, 8, 1);
  const key = w.buf(word(0));
  for (const [off, bits] of [
    [8, 32],
    [12, 32],
    [16, 32],
    [20, 32],
    [24, 32],
    [32, 32],
    [36, 32],
    [36, 16],
    [37, 8],
    [38, 16],
    [40, 32],
    [44, 32],
    [56, 32],
    [60, 32],
    [60, 16],
    [64, 32],
  ]) {
    const asm = `r6 = *(u${bits} *)(r1 +${off})
*(u32 *)(r10 -4) = 0
r1 = map_fd(0)
r2 = r10
r2 += -4
call map_lookup_elem#1
if r0 == 0 goto pc+1
*(u64 *)(r0 +0) = r6
r0 = 1
exit`;
    const run = runner(w, w.prog('sk_lookup', asm, attach, [[2, map]]));
    for (const family of [2, 10]) {
      run({ ctx_in: lookup(family), ctx_size_in: 72 });
      w.lookup(map, key, 8);
    }
  }
  const none = 'r2 = 0\nr3 = 0\ncall sk_assign#124\nr0 += 1\nexit';
  runner(w, w.prog('sk_lookup', none, attach))(good);
});

script('test runs of flow dissectors', (w) => {
  const attach = { expected_attach_type: ATTACH_TYPES.indexOf('flow_dissector') };
  const asm = `r2 = *(u64 *)(r1 +144)
*(u16 *)(r2 +0) = 200
*(u16 *)(r2 +2) = 3
r3 = *(u32 *)(r2 +48)
*(u32 *)(r2 +52) = r3
r0 = 0
exit`;
  const run = runner(w, w.prog('flow_dissector', asm, attach));
  const data = w.buf(packet(4200, 0x0800));
  const out = w.buf(64);
  const show = (attr: Run) => {
    run({ data_in: data, data_out: out, data_size_out: 64, ...attr });
    w.dump(out);
  };
  for (const size of [0, 13, 14, 64, 4096, 4097]) show({ data_size_in: size });
  const keys = (at: number) => w.buf('00'.repeat(at) + word(5) + '00'.repeat(52 - at));
  show({ data_size_in: 64, ctx_in: keys(48), ctx_size_in: 56 });
  show({ data_size_in: 64, ctx_in: keys(0), ctx_size_in: 56 });
  show({ data_size_in: 64, ctx_in: keys(52), ctx_size_in: 56 });
  run({ data_in: data, data_size_in: 64, flags: 1 });
  run({ data_in: data, data_size_in: 64, data_out: out, data_size_out: 10 });
  run({});
  const load = 'r2 = 0\nr3 = r10\nr3 += -8\nr4 = 8\ncall skb_load_bytes#26\nexit';
  runner(w, w.prog('flow_dissector', load, attach))({ data_in: data, data_size_in: 64 });
  const direct = `r2 = *(u32 *)(r1 +76)
r3 = *(u32 *)(r1 +80)
r4 = r2
r4 += 34
r0 = 1
if r4 > r3 goto pc+1
r0 = *(u8 *)(r2 +20)
exit`;
  const inside = runner(w, w.prog('flow_dissector', direct, attach));
  for (const size of [33, 34, 64]) inside({ data_in: data, data_size_in: size });
});

script('test runs of packets: sizes and arguments', (w) => {
  const skb = runner(w, w.prog('sched_cls', 'r0 = *(u32 *)(r1 +0)\nexit'));
  const xdp = runner(w, w.prog('xdp', 'r0 = 2\nexit'));
  const frags = runner(w, w.prog('xdp', 'call xdp_get_buff_len#188\nexit', { prog_flags: 32 }));
  const out = w.buf(9000);
  for (const etherType of [0, 0x0800, 0x86dd, 0x0806]) {
    const data = w.buf(packet(64, etherType));
    for (const size of [0, 13, 14, 33, 34, 53, 54, 64]) skb({ data_in: data, data_size_in: size });
  }
  const data = w.buf(packet(80000));
  for (const size of [3712, 3713, 4096]) skb({ data_in: data, data_size_in: size });
  for (const size of [0, 13, 14, 3520, 3521, 5000, 73152, 73153]) {
    xdp({ data_in: data, data_size_in: size });
    frags({ data_in: data, data_size_in: size, data_out: out, data_size_out: 9000 });
  }
  for (const run of [skb, xdp]) {
    const good = { data_in: data, data_size_in: 64 };
    run({ ...good, cpu: 1 });
    run({ ...good, flags: 1 });
    run({ ...good, batch_size: 1 });
    run({ ...good, repeat: 3 });
    run({ ...good, ctx_size_in: 4 });
    run({ ...good, ctx_out: out });
    run({ ...good, data_out: out, data_size_out: 10 });
    w.dump(out);
    run({ data_in: 8, data_size_in: 64 });
  }
  for (const size of [100, 1480, 4000]) {
    frags({ data_in: data, data_size_in: 5000, data_out: out, data_size_out: size });
    w.dump(out);
  }
});

script('test runs of packets: contexts', (w) => {
  const xdp = runner(w, w.prog('xdp', 'r0 = *(u32 *)(r1 +12)\nexit', { prog_flags: 32 }));
  const data = w.buf(packet(6000));
  const out = w.buf(24);
  const md = (...words: number[]) =>
    w.buf([...words, 0, 0, 0, 0, 0, 0].slice(0, 6).map(word).join(''));
  const run = (size: number, ...words: number[]) => {
    const ctx = { ctx_in: md(...words), ctx_size_in: 24, ctx_out: out, ctx_size_out: 24 };
    xdp({ data_in: data, data_size_in: size, ...ctx });
    w.dump(out);
  };
  run(64, 0, 64);
  run(64, 0, 63);
  run(64, 8, 64);
  run(64, 3, 64);
  run(64, 36, 64);
  run(64, 0, 64, 1);
  run(64, 0, 64, 0, 1);
  run(64, 0, 64, 0, 1, 1);
  run(64, 0, 64, 0, 77);
  run(64, 0, 64, 0, 0, 1);
  run(64, 0, 64, 0, 0, 0, 1);
  for (const end of [0, 13, 14, 3000, 4000]) run(5000, 0, end);
  run(64, 8, 7);
  run(64, 8, 22);
  run(5000, 0, 5000);
  run(5000, 8, 5000);
  xdp({ data_in: data, data_size_in: 64, ctx_in: md(0, 64), ctx_size_in: 8 });
  xdp({ data_in: data, data_size_in: 64, ctx_in: w.buf(28), ctx_size_in: 28 });
  xdp({
    data_in: data,
    data_size_in: 64,
    ctx_in: w.buf('00'.repeat(4) + word(64) + '00'.repeat(19) + '01'),
    ctx_size_in: 28,
  });

  const skb = runner(w, w.prog('sched_cls', 'r0 = *(u32 *)(r1 +8)\nexit'));
  const skbOut = w.buf(192);
  const sk = (at: number, value: number) => {
    const ctx = w.buf('00'.repeat(at) + word(value) + '00'.repeat(188 - at));
    skb({
      data_in: data,
      data_size_in: 64,
      ctx_in: ctx,
      ctx_size_in: 192,
      ctx_out: skbOut,
      ctx_size_out: 192,
    });
    w.dump(skbOut);
  };
  for (let at = 0; at < 192; at += 4) sk(at, 1);
  sk(160, 100);
  sk(160, 70000);
});

script('live test runs', (w) => {
  const run = runner(w, w.prog('xdp', 'r0 = 1\nexit'));
  const data = w.buf(packet(4000));
  const out = w.buf(64);
  const live = (attr: Run) => run({ data_in: data, data_size_in: 64, flags: 2, ...attr });
  live({});
  live({ repeat: 3, batch_size: 2 });
  live({ batch_size: 256 });
  live({ batch_size: 257 });
  live({ data_out: out, data_size_out: 64 });
  live({ data_size_out: 64 });
  live({ flags: 6 });
  live({ flags: 3 });
  const md = w.buf(word(0) + word(64) + '00'.repeat(16));
  live({ ctx_in: md, ctx_size_in: 24 });
  live({ ctx_in: md, ctx_size_in: 24, ctx_out: out, ctx_size_out: 24 });
  for (const size of [0, 13, 14, 3360, 3366, 3367, 3368, 3369, 3400, 3520])
    live({ data_size_in: size });
});

for (const caps of ['none', 'bpf', 'bpf+perfmon', 'bpf+net_admin', 'sys_admin'] as const) {
  script(`with capabilities: ${caps}`, (w) => {
    const map = w.map('array');
    const prog = w.prog('socket_filter');
    const path = w.text(`/sys/fs/bpf/caps_${caps.replace('+', '_')}`);
    w.caps(caps);
    for (let type = 1; type < MAP_TYPES.length; type++) {
      const name = MAP_TYPES[type]!;
      const noKey = ['queue', 'stack', 'bloom_filter', 'ringbuf', 'user_ringbuf'].includes(name);
      const value =
        /_array$|_of_maps|devmap|sock/.test(name) && name !== 'percpu_array'
          ? 4
          : name.includes('ringbuf')
            ? 0
            : 8;
      w.map(
        name,
        noKey ? 0 : name === 'lpm_trie' ? 8 : name.includes('cgroup_storage') ? 16 : 4,
        value,
        name.includes('ringbuf') ? 4096 : name.includes('cgroup_storage') ? 0 : 4,
        {
          map_flags: name === 'lpm_trie' ? 1 : 0,
          ...(name.includes('of_maps') && { inner_map_fd: map }),
        },
      );
    }
    w.map('hash', 4, 8, 4, { map_flags: 0x40 });
    for (const type of PROG_TYPES.slice(1)) {
      if (type !== 'lirc_mode2') w.prog(type, 'r0 = 1\nexit');
    }
    w.prog('cgroup_skb', 'r0 = 1\nexit', { expected_attach_type: 1 });
    const long = Array.from({ length: 5000 }, () => 'r0 = 0').join('\n');
    w.prog('socket_filter', `${long}\nexit`);
    const key = w.buf(word(0));
    const value = w.buf(quad(1));
    w.update(map, key, value);
    w.lookup(map, key, 8);
    w.remove(map, key);
    w.next(map, 0, 4);
    w.call('map_freeze', { map_fd: map });
    w.call('prog_test_run', { prog_fd: prog, data_in: w.buf('00'.repeat(64)), data_size_in: 64 });
    w.call('prog_get_next_id', { start_id: 0x7ffffffe });
    w.call('map_get_next_id', { start_id: 0x7ffffffe });
    w.call('btf_get_next_id', { start_id: 0x7ffffffe });
    w.call('link_get_next_id', { start_id: 0x7ffffffe });
    w.call('prog_get_fd_by_id', { prog_id: 0x7fffffff });
    w.call('map_get_fd_by_id', { map_id: 0x7fffffff });
    w.call('btf_get_fd_by_id', { btf_id: 0x7fffffff });
    w.call('link_get_fd_by_id', { link_id: 0x7fffffff });
    w.call('obj_get_info_by_fd', { bpf_fd: map, info: w.buf(88), info_len: 88 });
    w.call('obj_pin', { pathname: path, bpf_fd: map });
    w.call('btf_load', { btf: w.buf(24), btf_size: 24 });
    w.call('prog_query', { attach_type: 0 });
    w.call('prog_attach', { attach_bpf_fd: prog, attach_type: 1 });
    w.call('prog_detach', { attach_type: 1 });
    w.call('raw_tracepoint_open', { prog_fd: prog, name: w.text('sys_enter') });
    w.call('link_create', { prog_fd: prog, attach_type: 37 });
    w.call('enable_stats', {});
    w.call('iter_create', { link_fd: map });
    w.call('map_lookup_batch', { map_fd: map, count: 0 });
    w.call('prog_bind_map', { prog_fd: prog, map_fd: map });
  });
}

/** Those that need bpf(2) only come first. */

export const testRunScripts = scripts;
