/** Programs that replace functions of others (freplace), or run around them (fentry, fexit). */
import { BPF_LINK_INFO_BYTES, BPF_PROG_INFO } from '../../bpf/info.ts';
import { type AttachType } from '../../bpf/uapi.ts';
import { attachType, info, type Values } from './kernel-objects.ts';
import { int, ID, loader, loadTarget, run, replacing, around } from './prog-target-programs.ts';
import { type Value } from './script.ts';
import { scriptList, word } from './writer.ts';

const onBare = scriptList(false);
const onMachine = scriptList(true);

onBare.script('replacing: what fits', (w) => {
  const load = loader(w);
  const target = loadTarget(load);
  for (const [id, own] of [
    [ID.main, ID.extCtx],
    [ID.glob, ID.extCtx],
    [ID.num, ID.extNum],
    [ID.stat, ID.extOne],
    [ID.loose, ID.extOne],
    [ID.dead, ID.extCtx],
    [ID.num, ID.extOne],
    [ID.num, ID.extLong],
    [ID.num, ID.extShort],
    [ID.num, ID.extEnum],
    [ID.glob, ID.extSkb],
    [ID.glob, ID.extVoid],
    [ID.glob, ID.extReturnsLong],
    [ID.glob, ID.extStatic],
    [ID.glob, ID.extOne],
    [ID.glob, ID.extPointer],
    [ID.glob, ID.extMixed],
    [0, ID.extCtx],
    [int, ID.extCtx],
    [999, ID.extCtx],
  ] as const) {
    replacing(load, target, id, own);
  }
  load('ext', 'r0 = 0\nexit', [], { attach_prog_fd: target, attach_btf_id: ID.glob });
  load('ext', 'r0 = 0\nexit', [[0, ID.extCtx]]);
  load('ext', 'r0 = 0\nexit', [[0, ID.extCtx]], {
    attach_prog_fd: target,
    attach_btf_id: ID.glob,
    expected_attach_type: attachType('trace_fentry'),
  });
  load('ext', 'r0 = 0\nexit', [[0, ID.extCtx]], {
    attach_prog_fd: target,
    attach_btf_id: ID.glob,
    prog_flags: 16,
  });
  load('xdp', 'r0 = 0\nexit', [[0, ID.extCtx]], { attach_prog_fd: target });
  load('xdp', 'r0 = 0\nexit', [[0, ID.extCtx]], { attach_prog_fd: target, attach_btf_id: ID.glob });
  const plain = w.prog('xdp');
  replacing(load, plain, ID.glob, ID.extCtx);
  // A global function that takes a pointer to a number.
  const pointers = load(
    'xdp',
    '*(u32 *)(r10 -4) = 0\nr1 = r10\nr1 += -4\ncall f\nexit\nf:\nr0 = 0\nexit',
    [
      [0, ID.main],
      [5, ID.byPointer],
    ],
  );
  replacing(load, pointers, ID.byPointer, ID.extPointer);
});

onBare.script('replacing: the type of what is replaced', (w) => {
  const load = loader(w);
  const target = loadTarget(load);
  const one = (asm: string, id: number = ID.glob, own: number = ID.extCtx) =>
    replacing(load, target, id, own, asm);
  one(
    'r2 = *(u32 *)(r1 +0)\nr3 = *(u32 *)(r1 +4)\nr0 = r2\nr0 += 14\nif r0 > r3 goto pc+1\nr0 = *(u8 *)(r2 +3)\nr0 = 9\nexit',
  );
  one('r0 = *(u32 *)(r1 +24)\nexit');
  one('r2 = 8\ncall xdp_adjust_head#44\nexit');
  one('r2 = 8\ncall skb_change_tail#38\nexit');
  one('r0 = r1\nexit');
  one('exit');
  one('r0 = r1\nr0 += r2\nexit', ID.num, ID.extNum);
  one('r0 = *(u32 *)(r1 +0)\nexit', ID.num, ID.extNum);
  one('r0 = r3\nexit', ID.num, ID.extNum);
  const cgroup = load('cgroup_skb', 'r0 = 1\nexit', [[0, ID.filter]]);
  replacing(load, cgroup, ID.filter, ID.extSkb, 'r0 = 1\nexit');
  replacing(load, cgroup, ID.filter, ID.extSkb, 'r0 = 7\nexit');
  const socket = load('socket_filter', 'r0 = 1\nexit', [[0, ID.filter]]);
  replacing(load, socket, ID.filter, ID.extSkb, 'r0 = *(u32 *)(r1 +0)\nexit');
  replacing(load, socket, ID.filter, ID.extSkb, 'r0 = *(u32 *)(r1 +76)\nexit');
  replacing(load, socket, ID.filter, ID.extSkb, 'r6 = r1\nr0 = *(u8 *)skb[0]\nexit');
});

onBare.script('around: what fits', (w) => {
  const load = loader(w);
  const target = loadTarget(load);
  const FIRST = 'r0 = *(u64 *)(r1 +0)\nr0 = 0\nexit';
  const at = (n: number) => `r0 = *(u64 *)(r1 +${n})\nr0 = 0\nexit`;
  for (const how of ['trace_fentry', 'trace_fexit'] as const) {
    for (const id of [ID.main, ID.glob, ID.num, ID.stat, ID.loose, ID.dead, int, 0, 999]) {
      around(load, how, target, id);
    }
    for (const off of [0, 4, 8, 16, 24, 32, 40, 48, 96]) {
      around(load, how, target, ID.num, at(off));
      around(load, how, target, ID.loose, at(off));
    }
  }
  for (const how of ['modify_return', 'trace_raw_tp', 'trace_iter', 'lsm_mac'] as const) {
    around(load, how, target, ID.num, FIRST);
    around(load, how, target, ID.loose);
  }
  around(load, 'trace_fentry', target, ID.num, 'r0 = 1\nexit');
  around(load, 'trace_fentry', target, ID.num, '*(u64 *)(r1 +0) = 1\nr0 = 0\nexit');
  around(load, 'trace_fentry', w.prog('xdp'), ID.num);
  load('tracing', 'r0 = 0\nexit', [], {
    attach_prog_fd: target,
    attach_btf_id: ID.num,
    expected_attach_type: attachType('trace_fentry'),
    prog_flags: 16,
  });
  load('lsm', 'r0 = 0\nexit', [], { attach_prog_fd: target, attach_btf_id: ID.num });
});

onBare.script('chains of what is attached', (w) => {
  const load = loader(w);
  const target = loadTarget(load);
  const traced = load('tracing', 'r0 = 0\nexit', [[0, ID.main]], {
    attach_prog_fd: target,
    attach_btf_id: ID.num,
    expected_attach_type: attachType('trace_fexit'),
  });
  const ext = replacing(load, target, ID.glob, ID.extCtx, 'r0 = 20\nexit');
  around(load, 'trace_fentry', traced, ID.main);
  replacing(load, traced, ID.main, ID.extCtx);
  replacing(load, ext, ID.extCtx, ID.glob);
  const onExt = around(load, 'trace_fentry', ext, ID.extCtx);
  w.close(w.call('raw_tracepoint_open', { prog_fd: ext }));
  const link = w.call('raw_tracepoint_open', { prog_fd: onExt });
  run(w, target);
  w.close(link);
});

const ATTR_ID = [4, 8, 20];

onBare.script('replacing: links', (w) => {
  const load = loader(w, false);
  const target = loadTarget(load);
  const second = loadTarget(load);
  run(w, target);
  const ext = replacing(load, target, ID.glob, ID.extCtx, 'r0 = 21\nexit');
  const ATTACH_IDS = [
    BPF_PROG_INFO.offsets.attach_btf_obj_id,
    ...Array.from({ length: 56 }, (_, i) => i * 4),
  ];
  const told = () => w.dump(info(w, ext, BPF_PROG_INFO.sizeBytes), ATTACH_IDS);
  told();
  const create = (more: Values = {}) => w.call('link_create', { prog_fd: ext, ...more });
  create({ target_fd: target });
  create({ target_btf_id: ID.glob });
  create({ target_fd: 99, target_btf_id: ID.glob });
  create({ target_fd: target, target_btf_id: ID.num });
  create({ target_fd: target, target_btf_id: ID.stat });
  create({ target_fd: target, target_btf_id: 999 });
  create({ attach_type: attachType('trace_fentry') });
  run(w, target);
  const first = w.call('raw_tracepoint_open', { prog_fd: ext });
  w.dump(info(w, first, BPF_LINK_INFO_BYTES), ATTR_ID);
  told();
  run(w, target);
  w.call('raw_tracepoint_open', { prog_fd: ext });
  create();
  create({ target_fd: target, target_btf_id: ID.glob });
  w.call('link_update', { link_fd: first, new_prog_fd: ext });
  w.call('link_detach', { link_fd: first });
  w.call('iter_create', { link_fd: first });
  const another = create({ target_fd: second, target_btf_id: ID.glob });
  w.dump(info(w, another, BPF_LINK_INFO_BYTES), ATTR_ID);
  run(w, second);
  const main = create({ target_fd: second, target_btf_id: ID.main });
  run(w, second);
  const trace = around(load, 'trace_fentry', second, ID.glob);
  w.call('raw_tracepoint_open', { prog_fd: trace });
  w.close(main);
  run(w, second);
  w.close(another);
  run(w, second);
  w.call('raw_tracepoint_open', { prog_fd: trace });
  w.close(first);
  run(w, target);
  const again = create({ target_fd: target, target_btf_id: ID.glob });
  run(w, target);
  w.close(again);
  create({ target_fd: second, target_btf_id: ID.glob });
  const numbers = replacing(load, target, ID.num, ID.extNum, 'r0 = r1\nr0 -= r2\nexit');
  const byNumbers = w.call('link_create', { prog_fd: numbers });
  run(w, target);
  w.close(target);
  w.close(byNumbers);
});

onBare.script('replacing: tail calls', (w) => {
  const load = loader(w, false);
  const target = loadTarget(load);
  const jumps = w.map('prog_array', 4, 4, 2);
  const asm = 'r2 = map_fd(0)\nr3 = 0\ncall tail_call#12\nr0 = 4\nexit';
  const ext = load(
    'ext',
    asm,
    [[0, ID.extCtx]],
    { attach_prog_fd: target, attach_btf_id: ID.glob },
    [[0, jumps]],
  );
  const key = w.buf(word(0));
  const put = (prog: string) => w.update(jumps, key, w.buf('00'.repeat(4), [[0, prog]]));
  put(w.prog('socket_filter'));
  put(w.prog('xdp', 'r0 = 8\nexit'));
  put(ext);
  put(w.prog('xdp', 'r0 = 8\nexit'));
  const link = w.call('raw_tracepoint_open', { prog_fd: ext });
  run(w, target);
  put(ext);
  run(w, target);
  // Entered by a tail call, the target is not replaced.
  w.close(link);
  const whole = replacing(load, target, ID.main, ID.extCtx, 'r0 = 30\nexit');
  const entry = w.call('raw_tracepoint_open', { prog_fd: whole });
  const other = w.map('prog_array', 4, 4, 2);
  w.update(other, key, w.buf('00'.repeat(4), [[0, target]]));
  const first = load('xdp', asm, [[0, ID.main]], {}, [[0, other]]);
  run(w, target);
  run(w, first);
  w.close(entry);
  w.update(other, key, w.buf('00'.repeat(4), [[0, target]]));
  run(w, first);
  const open = () =>
    w.call('link_create', {
      prog_fd: whole,
      target_fd: target,
      target_btf_id: ID.main,
    });
  open();
  const traced = w.call('raw_tracepoint_open', {
    prog_fd: around(load, 'trace_fexit', target, ID.num),
  });
  run(w, first);
  w.close(traced);
  w.update(other, key, w.buf('00'.repeat(4), [[0, first]]));
  const again = open();
  w.update(other, key, w.buf('00'.repeat(4), [[0, target]]));
  w.close(again);
  w.update(other, key, w.buf('00'.repeat(4), [[0, target]]));
  w.remove(other, key);
  w.close(open());
});

/** Puts r1 to value 0, r2 to value 1 … of the array's only element. */
const keep = (loads: readonly string[]) => `r6 = r1
*(u32 *)(r10 -4) = 0
r2 = r10
r2 += -4
r1 = map_fd(0)
call map_lookup_elem#1
if r0 == 0 goto pc+${2 * loads.length + 2}
r7 = r0
${loads.map((load, i) => `${load}\n*(u64 *)(r7 +${8 * i}) = r1`).join('\n')}
r0 = 0
exit
r0 = 0
exit`;
const arg = (n: number) => `r1 = *(u64 *)(r6 +${8 * n})`;

onBare.script('around: what programs see', (w) => {
  const load = loader(w, false);
  const target = loadTarget(load);
  const map = w.map('array', 4, 48, 1);
  const see = () => w.lookup(map, w.buf(word(0)), 48);
  const attach = (how: AttachType, id: number, loads: readonly string[]) =>
    w.call('raw_tracepoint_open', {
      prog_fd: around(load, how, target, id, keep(loads), [[4, map]]),
    });
  for (const [how, id, loads] of [
    ['trace_fentry', ID.num, [arg(1)]],
    ['trace_fexit', ID.num, [arg(1), arg(2)]],
    ['trace_fexit', ID.stat, [arg(1)]],
    ['trace_fexit', ID.loose, [arg(5)]],
    ['trace_fexit', ID.glob, [arg(1)]],
    ['trace_fexit', ID.main, [arg(1)]],
  ] as const) {
    const link = attach(how, id, loads);
    w.dump(info(w, link, BPF_LINK_INFO_BYTES), ATTR_ID);
    run(w, target);
    see();
    w.close(link);
    run(w, target);
  }
});

onBare.script('around: links', (w) => {
  const load = loader(w, false);
  const target = loadTarget(load);
  const one = around(load, 'trace_fentry', target, ID.num);
  const open = (prog: Value) => w.call('raw_tracepoint_open', { prog_fd: prog });
  const create = (prog: Value, more: Values = {}) =>
    w.call('link_create', { prog_fd: prog, attach_type: attachType('trace_fentry'), ...more });
  create(one, { attach_type: attachType('trace_fexit') });
  create(one, { target_fd: target, target_btf_id: ID.num });
  create(one, { target_fd: target });
  const link = create(one, { tracing_cookie: 7 });
  w.dump(info(w, link, BPF_LINK_INFO_BYTES), ATTR_ID);
  open(one);
  create(one);
  w.call('link_update', { link_fd: link, new_prog_fd: one });
  w.call('link_detach', { link_fd: link });
  w.close(link);
  open(one);
  const ext = replacing(load, target, ID.num, ID.extNum);
  const many = Array.from({ length: 40 }, () => open(around(load, 'trace_fexit', target, ID.num)));
  open(ext);
  run(w, target);
  for (const each of many) w.close(each);
  open(ext);
  run(w, target);
  open(around(load, 'trace_fentry', target, ID.num));
});

onMachine.script('around an XDP program', (w) => {
  const load = loader(w, false);
  const told = loader(w);
  const target = loadTarget(load);
  const map = w.map('array', 4, 48, 1);
  const length = 'r1 = *(u64 *)(r6 +0)\nr2 = *(u64 *)(r1 +8)\nr1 = *(u64 *)(r1 +0)\nr2 -= r1';
  const asm = `r6 = r1
*(u32 *)(r10 -4) = 0
r2 = r10
r2 += -4
r1 = map_fd(0)
call map_lookup_elem#1
if r0 == 0 goto pc+12
r7 = r0
${length}
*(u64 *)(r7 +0) = r2
r1 = r6
call get_attach_cookie#174
*(u64 *)(r7 +8) = r0
r1 = r6
call get_func_arg_cnt#185
*(u64 *)(r7 +16) = r0
r0 = 0
exit`;
  for (const how of ['trace_fentry', 'trace_fexit'] as const) {
    for (const id of [ID.main, ID.glob]) {
      const prog = around(load, how, target, id, asm, [[4, map]]);
      const link = w.call('link_create', {
        prog_fd: prog,
        attach_type: attachType(how),
        tracing_cookie: 77,
      });
      run(w, target);
      w.lookup(map, w.buf(word(0)), 48);
      w.close(link);
    }
  }
  const results = `r6 = r1
*(u32 *)(r10 -4) = 0
r2 = r10
r2 += -4
r1 = map_fd(0)
call map_lookup_elem#1
if r0 == 0 goto pc+17
r7 = r0
*(u64 *)(r7 +0) = 5
r1 = r6
r2 = 1
r3 = r7
call get_func_arg#183
*(u64 *)(r7 +8) = r0
r1 = r6
r2 = 2
r3 = r7
r3 += 16
call get_func_arg#183
*(u64 *)(r7 +24) = r0
r1 = r6
r2 = r7
r2 += 32
call get_func_ret#184
r0 = 0
exit`;
  for (const how of ['trace_fentry', 'trace_fexit'] as const) {
    const prog = around(load, how, target, ID.num, results, [[4, map]]);
    const link = w.call('raw_tracepoint_open', { prog_fd: prog });
    run(w, target);
    w.lookup(map, w.buf(word(0)), 48);
    w.close(link);
  }
  around(
    told,
    'trace_fentry',
    target,
    ID.main,
    'r1 = *(u64 *)(r1 +0)\nr0 = *(u64 *)(r1 +4000)\nr0 = 0\nexit',
  );
  around(
    told,
    'trace_fentry',
    target,
    ID.loose,
    'r1 = *(u64 *)(r1 +0)\nr0 = *(u64 *)(r1 +0)\nr0 = 0\nexit',
  );
});

onMachine.script('replacing functions of the kernel', (w) => {
  const load = loader(w);
  load('ext', 'r0 = 0\nexit', [[0, ID.extCtx]], { attach_btf_id: ID.glob });
});

export const progTargetScripts = [...onBare.scripts, ...onMachine.scripts];
