/** bpf_timer over bpf(2): what programs may do with it, and what it keeps alive. */
import { beforeEach, describe, expect, it } from 'vitest';
import { errno } from '../kernel/types/errno.ts';
import { bpfSyscalls, u32, u64, type BpfSyscalls } from '../test/support/bpf-syscalls.ts';
import { BtfBuilder } from './btf/builder.ts';
import { intType } from './btf/structs.ts';
import { engineState } from './engine-state.ts';
import { uapi } from './uapi.ts';

/** struct value { struct bpf_timer timer; u64 count; u64 seen_key; } */
const VALUE_BYTES = 32;
const ETH = new Uint8Array(64);

let m: BpfSyscalls;
let valueBtf: { readonly fd: number; readonly key: number; readonly value: number };
let usedBytes: number;

beforeEach(async () => {
  m = await bpfSyscalls();
  engineState(m.runtime); // Its stack stays.
  usedBytes = m.ram.usedBytes;
  const builder = new BtfBuilder();
  const key = builder.intern(intType('int', 4, true));
  const u64Type = builder.intern(intType('unsigned long', 8, false));
  const member = (name: string, type: number, byte: number) => ({
    name,
    type,
    bitOffset: byte * 8,
    bitSize: 0,
  });
  const words = [member('a', u64Type, 0), member('b', u64Type, 8)];
  const timer = builder.add({
    kind: 'struct',
    name: 'bpf_timer',
    size: 16,
    members: words,
    kindFlag: false,
  });
  const value = builder.add({
    kind: 'struct',
    name: 'value',
    size: VALUE_BYTES,
    members: [
      member('timer', timer, 0),
      member('count', u64Type, 16),
      member('seen_key', u64Type, 24),
    ],
    kindFlag: false,
  });
  valueBtf = { fd: m.btf(builder.build().bytes), key, value };
});

function timerMap(type: 'array' | 'hash' | 'lru_hash', flags = 0): number {
  return m.map({
    type,
    valueBytes: VALUE_BYTES,
    flags,
    more: {
      btf_fd: valueBtf.fd,
      btf_key_type_id: valueBtf.key,
      btf_value_type_id: valueBtf.value,
    },
  });
}

/** Looks up key 2 and does `body` with r6 = the value; the callback counts and notes its key. */
const onValue = (map: number, body: string, callback = '') => `
*(u32 *)(r10 -4) = 2
r1 = map_fd(${map})
r2 = r10
r2 += -4
call map_lookup_elem#1
if r0 == 0 goto out
r6 = r0
${body}
out:
exit
${body.includes('func(cb)') ? callbackText(callback) : ''}`;
const callbackText = (more: string) => `
cb:
r4 = *(u64 *)(r3 +16)
r4 += 1
*(u64 *)(r3 +16) = r4
r4 = *(u32 *)(r2 +0)
*(u64 *)(r3 +24) = r4
${more}
r0 = 0
exit
`;
const INIT = (map: number, clock = 1) => `
r1 = r6
r2 = map_fd(${map})
r3 = ${clock}
call timer_init#169
`;
const SET = `
r1 = r6
r2 = func(cb)
call timer_set_callback#170
`;
const START = (ns: number, flags = 0) => `
r1 = r6
r2 = ${ns}
r3 = ${flags}
call timer_start#171
`;
const CANCEL = `
r1 = r6
call timer_cancel#172
`;

function run(text: string): number {
  const fd = m.load('sched_cls', text);
  const data_in = m.caller.place(ETH);
  const { result, attr } = m.run(fd, { data_in, data_size_in: ETH.length });
  expect(result).toBe(0);
  m.caller.close(fd);
  return attr.retval | 0;
}

/** Count and last key that the callback saw. */
function seen(map: number): readonly bigint[] {
  const value = m.lookup(map, u32(2), VALUE_BYTES) as Uint8Array;
  const words = new BigUint64Array(value.buffer, value.byteOffset, 4);
  expect(words[0], 'user space never sees the timer').toBe(0n);
  return [words[2]!, words[3]!];
}

const EMPTY = u64(0n, 0n, 0n, 0n);

describe.each(['array', 'hash', 'lru_hash'] as const)('a timer in a %s', (type) => {
  it('calls the program back with map, key and value when its time has come', () => {
    const map = timerMap(type);
    m.update(map, u32(2), EMPTY);
    expect(run(onValue(map, `${INIT(map)}${SET}${START(1000)}`))).toBe(0);
    m.kernel.advance(999);
    expect(seen(map)).toEqual([0n, 0n]);
    m.kernel.advance(1);
    expect(seen(map)).toEqual([1n, 2n]);
    m.kernel.advance(1e9);
    expect(seen(map)).toEqual([1n, 2n]);
  });

  it('starts anew when started again, and from its own callback', () => {
    const map = timerMap(type);
    m.update(map, u32(2), EMPTY);
    const restart = `r1 = r3
r2 = 500
r3 = 0
call timer_start#171`;
    run(onValue(map, `${INIT(map)}${SET}${START(1000)}${START(2000)}`, restart));
    m.kernel.advance(1999);
    expect(seen(map)[0]).toBe(0n);
    m.kernel.advance(1);
    expect(seen(map)[0]).toBe(1n);
    m.kernel.advance(1000);
    expect(seen(map)[0]).toBe(3n);
  });

  it('ends when it is cancelled, when its element goes, and with the last descriptor', () => {
    const map = timerMap(type);
    const arm = onValue(map, `${INIT(map)}${SET}${START(1000)}`);
    m.update(map, u32(2), EMPTY);
    run(arm);
    expect(run(onValue(map, CANCEL))).toBe(1);
    expect(run(onValue(map, CANCEL))).toBe(0);
    m.kernel.advance(2000);
    expect(seen(map)[0]).toBe(0n);
    // The program is gone from the timer as well: it must be given again.
    expect(run(onValue(map, START(10)))).toBe(-errno.EINVAL);

    if (type === 'array') m.update(map, u32(2), EMPTY);
    else expect(m.why('map_delete_elem', { map_fd: map, key: m.caller.place(u32(2)) })).toBe(0);
    m.update(map, u32(2), EMPTY);
    run(arm);
    if (type === 'array') m.update(map, u32(2), EMPTY);
    else m.why('map_delete_elem', { map_fd: map, key: m.caller.place(u32(2)) });
    if (type !== 'array') m.update(map, u32(2), EMPTY);
    m.kernel.advance(2000);
    expect(seen(map)[0]).toBe(0n);

    run(arm);
    const holder = m.load('sched_cls', onValue(map, 'r0 = 0'));
    m.caller.close(map);
    m.kernel.advance(2000);
    expect([...m.bpf.maps.values()]).toHaveLength(1);
    m.caller.close(holder);
    expect([...m.bpf.maps.values()]).toHaveLength(0);
    expect([...m.bpf.progs.values()]).toHaveLength(0);
    m.caller.reset();
    expect(m.ram.usedBytes).toBe(usedBytes);
  });
});

describe('timer helpers', () => {
  it('refuse as Linux does', () => {
    const map = timerMap('array');
    const result = (body: string, callback?: string) => run(onValue(map, body, callback));
    expect(result(CANCEL)).toBe(-errno.EINVAL);
    expect(result(SET)).toBe(-errno.EINVAL);
    expect(result(START(1))).toBe(-errno.EINVAL);
    // Only CLOCK_REALTIME, _MONOTONIC and _BOOTTIME.
    expect(result(INIT(map, 2))).toBe(-errno.EINVAL);
    expect(result(INIT(map, 16))).toBe(-errno.EINVAL);
    expect(result(INIT(map, 7))).toBe(0);
    expect(result(INIT(map, 1))).toBe(-errno.EBUSY);
    expect(result(START(1))).toBe(-errno.EINVAL);
    expect(result(SET + START(1, 1))).toBe(-errno.EINVAL);
  });

  it('a callback cannot cancel its own timer', () => {
    const map = timerMap('array');
    const note = `r7 = r3
r1 = r3
call timer_cancel#172
r0 = -r0
*(u64 *)(r7 +16) = r0`;
    run(onValue(map, `${INIT(map)}${SET}${START(1)}`, note));
    m.kernel.advance(1);
    expect(seen(map)[0]).toBe(BigInt(errno.EDEADLK));
  });

  it('a map without descriptors cannot get timers', () => {
    const map = timerMap('array');
    const fd = m.load('sched_cls', onValue(map, INIT(map)));
    const set = m.load('sched_cls', onValue(map, SET));
    m.caller.close(map);
    const data_in = m.caller.place(ETH);
    const retval = (program: number) =>
      m.run(program, { data_in, data_size_in: ETH.length }).attr.retval | 0;
    expect(retval(fd)).toBe(-errno.EPERM);
    expect(retval(set)).toBe(-errno.EINVAL);
  });

  it('an element may be deleted from its own callback', () => {
    const map = timerMap('hash', uapi.BPF_F_NO_PREALLOC);
    m.update(map, u32(2), EMPTY);
    const remove = `r1 = map_fd(${map})
call map_delete_elem#3`;
    run(onValue(map, `${INIT(map)}${SET}${START(1)}`, remove));
    m.kernel.advance(10);
    expect(m.lookup(map, u32(2), VALUE_BYTES)).toBe('ENOENT');
    m.caller.close(map);
    expect([...m.bpf.progs.values()]).toHaveLength(0);
  });
});
