import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { coreModule } from '../../test/support/assets.ts';
import { bootSession, type ConsoleSession } from '../testing/console.ts';

const scenario = new URL('../../scenarios/first-light/', import.meta.url);
const linux = (name: string): string =>
  readFileSync(new URL(`linux-6.1/${name}`, scenario), 'utf8');
let session: ConsoleSession;
const run = (line: string): Promise<string> => session.run(line);

beforeAll(async () => {
  const files = Object.fromEntries(
    ['xdp_count', 'trace_hello', 'bad_bounds'].map((name) => [
      `/root/${name}.bpf.o`,
      readFileSync(new URL(`${name}.bpf.o`, scenario)),
    ]),
  );
  const assets = { core: await coreModule() };
  session = await bootSession(assets, { files, nics: [{ name: 'eth0', queues: 2 }] });
});

/** Ids of maps, places of functions and names of the JIT's symbols are each machine's own. */
function comparable(line: string): string {
  return line
    .replace(/map\[id:\d+\]/g, 'map[id:N]')
    .replace(/call pc\S+/, 'call pc')
    .replace(/(call \w+)#\d+/, '$1');
}

describe('bpftool on the objects of first-light', () => {
  it('loads and shows a program as Linux does', async () => {
    expect(await run('bpftool prog show; bpftool map show')).toBe('');
    expect(
      await run('bpftool prog load xdp_count.bpf.o /sys/fs/bpf/x pinmaps /sys/fs/bpf/maps'),
    ).toBe('');
    expect(await run('bpftool -f prog show name xdp_count')).toMatch(
      /^1: xdp {2}name xdp_count {2}tag e7bb4e4d7969cf2e {2}gpl\n\tloaded_at 2025-12-01T00:00:\d\d\+0000 {2}uid 0\n\txlated \d+B {2}jited \d+B {2}memlock \d+B {2}map_ids [\d,]+\n\tpinned \/sys\/fs\/bpf\/x\n\tbtf_id \d+\n$/,
    );
    const json = JSON.parse(await run('bpftool -j prog show id 1')) as Record<string, unknown>;
    expect(json).toMatchObject({
      id: 1,
      type: 'xdp',
      tag: 'e7bb4e4d7969cf2e',
      jited: true,
      uid: 0,
    });
  });

  it('dumps the rewritten program as Linux 6.1 does', async () => {
    const lines = (await run('bpftool prog dump xlated pinned /sys/fs/bpf/x')).split('\n');
    const expected = linux('xdp_count.xlated.txt').split('\n');
    // Up to where Linux's verifier puts hash lookups in line, which shifts what follows.
    const end = expected.findIndex((line) => line.includes('__htab_map_lookup_elem'));
    expect(end).toBeGreaterThan(350);
    expect(lines.slice(0, end).map(comparable)).toEqual(expected.slice(0, end).map(comparable));
  });

  it('shows opcodes, line numbers, JSON and the JIT image', async () => {
    expect(await run('bpftool prog dump xlated id 1 opcodes | head -4')).toBe(
      'int xdp_count(struct xdp_md * ctx):\n; .end = (void *)(long)ctx->data_end,\n' +
        '   0: (79) r8 = *(u64 *)(r1 +8)\n       79 18 08 00 00 00 00 00\n',
    );
    expect(await run('bpftool prog dump xlated id 1 linum | head -2')).toMatch(
      /; .end = .* \[file:.*xdp_count.bpf.c line_num:\d+ line_col:\d+\]\n$/,
    );
    const insns = JSON.parse(await run('bpftool -j prog dump xlated id 1 opcodes')) as object[];
    expect(insns[0]).toMatchObject({
      proto: 'int xdp_count(struct xdp_md * ctx)',
      disasm: '(79) r8 = *(u64 *)(r1 +8)',
      opcodes: { code: '0x79', src_reg: '0x1', dst_reg: '0x8', off: ['0x08', '0x00'] },
    });
    const jited = await run('bpftool prog dump jited id 1');
    expect(jited).toMatch(
      /^int xdp_count\(struct xdp_md \* ctx\):\nbpf_prog_[0-9a-f]{16}_xdp_count:\n/,
    );
    expect(jited).toMatch(/\n +[0-9a-f]+:\tlocal\.get \d+\n/);
  });

  it('refuses what the verifier refuses, with its log', async () => {
    const text = await run('bpftool prog load bad_bounds.bpf.o /sys/fs/bpf/bad; echo $?');
    expect(text).toContain(
      "libbpf: prog 'bad_bounds': BPF program load failed: Permission denied\n",
    );
    expect(text).toContain('invalid access to packet, off=12 size=1, R1(id=0,off=12,r=0)\n');
    expect(text).toMatch(/Error: failed to load object file\n255\n$/);
  });

  it('shows and dumps maps', async () => {
    const text = await run('bpftool map show name protocols');
    expect(text).toMatch(
      /^\d+: percpu_array {2}name protocols {2}flags 0x0\n\tkey 4B {2}value 16B {2}max_entries 8 {2}memlock \d+B\n\tbtf_id \d+\n$/,
    );
    expect(await run('bpftool map show name xdp_coun.rodata')).toMatch(
      /\n\tbtf_id \d+ {2}frozen\n$/,
    );
    expect(await run('bpftool map dump pinned /sys/fs/bpf/maps/_data')).toBe(
      '[{\n        "value": {\n            ".data": [{\n                    "blocked_port": 2323\n                }\n            ]\n        }\n    }\n]\n',
    );
  });

  it('makes and dumps ternary maps, each entry by its own key', async () => {
    const map = 'pinned /sys/fs/bpf/t';
    await run('bpftool map create /sys/fs/bpf/t type tcam key 8 value 1 entries 4 name mine');
    await run(`bpftool map update ${map} key hex 09 0 0 0 0a 00 ff 00 value hex 01`);
    await run(`bpftool map update ${map} key hex 01 0 0 0 0a 01 ff ff value hex 02`);
    expect(await run(`bpftool map show ${map} | head -1`)).toMatch(/^\d+: tcam {2}name mine /);
    expect(await run(`bpftool map dump ${map}`)).toBe(
      'key: 01 00 00 00 0a 01 ff ff  value: 02\n' +
        'key: 09 00 00 00 0a 00 ff 00  value: 01\nFound 2 elements\n',
    );
    await run('rm /sys/fs/bpf/t');
  });

  it('works on elements of a map without types', async () => {
    const create = 'bpftool map create /sys/fs/bpf/m type hash key 4 value 8 entries 10 name mine';
    expect(await run(create)).toBe('');
    const map = 'pinned /sys/fs/bpf/m';
    expect(await run(`bpftool map update ${map} key 1 0 0 0 value hex 0a 0b 0 0 0 0 0 ff`)).toBe(
      '',
    );
    expect(await run(`bpftool map update ${map} key 2 0 0 0 value 1 2 3 4 5 6 7 8 noexist`)).toBe(
      '',
    );
    expect(await run(`bpftool map update ${map} key 2 0 0 0 value 1 2 3 4 5 6 7 8 noexist`)).toBe(
      'Error: update failed: File exists\n',
    );
    expect(await run(`bpftool map lookup ${map} key 1 0 0 0`)).toBe(
      'key: 01 00 00 00  value: 0a 0b 00 00 00 00 00 ff\n',
    );
    expect(await run(`bpftool map lookup ${map} key 9 0 0 0; echo $?`)).toBe(
      'key:\n09 00 00 00\n\nNot found\n254\n',
    );
    expect(await run(`bpftool map dump ${map} | tail -1`)).toBe('Found 2 elements\n');
    expect(await run(`bpftool -j map lookup ${map} key 2 0 0 0`)).toBe(
      '{"key":["0x02","0x00","0x00","0x00"],"value":["0x01","0x02","0x03","0x04","0x05","0x06","0x07","0x08"]}\n',
    );
    expect(await run(`bpftool map delete ${map} key 2 0 0 0; bpftool map getnext ${map}`)).toBe(
      'key: None\nnext key:\n01 00 00 00\n',
    );
    expect(await run(`bpftool map update ${map} key 1 0 value 1`)).toBe(
      'Error: error parsing byte: value\n',
    );
    expect(await run(`bpftool map update ${map} key 1 0`)).toBe(
      'Error: key expected 4 bytes got 2\n',
    );
  });

  it('attaches to a device and takes off again', async () => {
    expect(await run('bpftool net attach xdpdrv id 1 dev eth0; bpftool net show')).toBe(
      'xdp:\neth0(2) driver id 1\n\ntc:\n\nflow_dissector:\n\n',
    );
    expect(await run('bpftool net attach xdp id 1 dev eth0; echo $?')).toMatch(
      /Error: interface xdp attach failed: Device or resource busy\n240\n$/,
    );
    expect(await run('bpftool -j net show')).toBe(
      '[{"xdp":[{"devname":"eth0","ifindex":2,"mode":"driver","id":1}],"tc":[],"flow_dissector":[]}]\n',
    );
    expect(await run('ip link show eth0 | tail -1')).toMatch(
      /^ {4}prog\/xdp id 1 name xdp_count tag e7bb4e4d7969cf2e jited \n$/,
    );
    expect(await run('bpftool net detach xdpdrv dev eth0; bpftool net show | head -2')).toBe(
      'xdp:\n\n',
    );
    expect(await run('bpftool net attach xdp id 1 dev nope')).toBe('Error: invalid devname nope\n');
  });

  it('runs a program on given data', async () => {
    await run('head -c 64 /dev/zero > /tmp/packet');
    expect(await run('bpftool prog run id 1 data_in /tmp/packet')).toMatch(
      /^Return value: 2, duration: \d+ns\n$/,
    );
    expect(
      await run('bpftool prog run id 1 data_in /tmp/packet data_out - repeat 3 | head -1'),
    ).toBe('0000000\t0000 0000 0000 0000 0000 0000 0000 0000 | ........ ........\n');
  });

  it('attaches tracepoints when asked, and shows the link', async () => {
    await run('bpftool prog loadall trace_hello.bpf.o /sys/fs/bpf/hello autoattach');
    expect(await run('ls /sys/fs/bpf/hello')).toMatch(/^\S+\n$/);
    expect(await run('bpftool -f link show')).toMatch(
      /^\d+: perf_event {2}prog \d+ {2}\n\tpinned \/sys\/fs\/bpf\/hello\/\S+\n$/,
    );
    await run('cat /etc/hostname');
    session.take();
    await session.type('bpftool prog tracelog\r');
    await session.pass(50e6);
    expect(session.take()).toMatch(
      /cat-\d+ +\[00\d\] \S+ +\d+\.\d{6}: bpf_trace_printk: .*\/etc\/hostname/,
    );
    await session.type('\x03');
    await run('rm -r /sys/fs/bpf/hello');
    expect(await run('bpftool link show; bpftool prog show | grep -c tag')).toBe('1\n');
  });

  it('dumps BTF raw and as C', async () => {
    const raw = await run('bpftool btf dump file xdp_count.bpf.o');
    expect(raw).toContain("STRUCT 'xdp_md' size=24 vlen=6\n\t'data' type_id=");
    expect(raw).toMatch(/\[\d+\] FUNC 'xdp_count' type_id=\d+ linkage=global\n/);
    const c = await run('bpftool btf dump file xdp_count.bpf.o format c');
    expect(c).toMatch(/^#ifndef __VMLINUX_H__\n/);
    expect(c).toMatch(/struct xdp_md \{\n\t__u32 data;\n\t__u32 data_end;\n/);
    expect(await run('bpftool btf show | head -1')).toMatch(
      /^\d+: name (\[vmlinux\]|<anon>) {2}size \d+B/,
    );
  });

  it('complains as bpftool does', async () => {
    expect(await run('bpftool prog show id 99; echo $?')).toBe(
      'Error: get by id (99): No such file or directory\n255\n',
    );
    expect(await run('bpftool -j prog show id 99')).toBe(
      '{"error":"get by id (99): No such file or directory"}\n',
    );
    expect(await run('bpftool prog load /nope /sys/fs/bpf/n')).toBe(
      'libbpf: elf: failed to open /nope: No such file or directory\nError: failed to open object file\n',
    );
    expect(await run('bpftool prog show foo 1')).toBe(
      "Error: expected 'id', 'tag', 'name' or 'pinned', got: 'foo'?\n",
    );
    expect(await run('bpftool prog dump foo id 1')).toBe(
      "Error: expected 'xlated' or 'jited', got: foo\n",
    );
    expect(await run('bpftool map pin id 1')).toBe(
      "Error: 'pin' needs at least 3 arguments, 2 found\n",
    );
    expect(await run('bpftool prog load /etc/passwd /sys/fs/bpf/n; echo $?')).toMatch(
      /^libbpf: .*\/etc\/passwd.*\nError: failed to open object file\n255\n$/,
    );
  });

  it('runs batches', async () => {
    await run('printf "version\\n# a comment\\nprog show id 1 # more\\n" > /tmp/batch');
    expect(await run('bpftool batch file /tmp/batch | tail -1')).toBe('processed 2 commands\n');
    const json = JSON.parse(await run('bpftool -j batch file /tmp/batch')) as object[];
    expect(json[1]).toMatchObject({ command: ['prog', 'show', 'id', '1'], output: { id: 1 } });
  });

  it('leaves nothing behind', async () => {
    await run('rm -r /sys/fs/bpf/x /sys/fs/bpf/maps /sys/fs/bpf/m');
    expect(await run('bpftool prog show; bpftool map show; bpftool link show')).toBe('');
  });
});
