import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { errno } from '../../kernel/types/errno.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import { NetDeviceStruct } from '../../kernel/types/net-device.ts';
import { XdpBuff, XdpRxqInfo } from '../../kernel/types/xdp.ts';
import type { BareMachine } from '../../test/support/assets.ts';
import { bareMachine } from '../../test/support/assets.ts';
import { callHelper, mapFor, type HelperValue } from '../../test/support/call-helper.ts';
import type { MapSpec } from '../maps/map.ts';
import type { RunningProgram } from '../runtime.ts';
import { uapi } from '../uapi.ts';
import { parseLong } from './strtol.ts';
import { helperByProto } from './table.ts';

let machine: BareMachine;
/** 4 KiB to play with. */
let buffer: RamOffset;

beforeEach(async () => {
  machine = await bareMachine({ ramMiB: 16, cpuCount: 2, comm: 'worker', pid: 1234 });
  buffer = machine.ram.kzalloc(4096);
});

type Value = HelperValue;
const call = (proto: string, ...args: Value[]): Value =>
  callHelper(machine.runtime, proto, ...args);

const at = (distance: number) => (buffer + distance) as RamOffset;
const putText = (text: string, to: RamOffset = buffer) => {
  const bytes = new TextEncoder().encode(`${text}\0`);
  machine.ram.u8.set(bytes, to);
  return to;
};
const textAt = (from: number) => {
  const { u8 } = machine.ram;
  return new TextDecoder().decode(u8.slice(from, u8.indexOf(0, from)));
};

const make = (spec: Partial<MapSpec>) => mapFor(machine.runtime, spec);

describe('fib_lookup', () => {
  const AF_INET = 2;
  const lookup = (flags = 0) => {
    const { view } = machine.ram;
    const dev = NetDeviceStruct.at(machine.ram, at(0x200));
    const rxq = XdpRxqInfo.at(machine.ram, at(0x400));
    const xdp = XdpBuff.at(machine.ram, at(0x600));
    dev.ifindex = 2;
    rxq.dev = dev.offset;
    xdp.rxq = rxq.offset;
    machine.ram.u8.fill(0xee, at(0x800), at(0x840));
    machine.ram.u8[at(0x800)] = AF_INET;
    view.setUint16(at(0x806), 1400, true);
    view.setUint32(at(0x808), 2, true);
    view.setUint32(at(0x820), 0x0a000007, false);
    return call('xdp_fib_lookup', xdp.offset, at(0x800), 64, flags);
  };
  const hop = {
    ifindex: 3,
    mtu: 1500,
    metric: 20,
    gateway: 0x0a000001,
    source: 0x0a0000fe,
    mac: Uint8Array.of(2, 0, 0, 0, 0, 3),
    neighbour: Uint8Array.of(2, 0, 0, 0, 0, 1),
  };
  const route = (changes: Partial<typeof hop> | undefined, queries: unknown[] = []) =>
    Object.assign(machine.kernel, {
      forwards4: () => true,
      fibHop4: (query: unknown) => {
        queries.push(query);
        return changes && { ...hop, ...changes };
      },
    });

  it('gives the way to the next hop', () => {
    const queries: unknown[] = [];
    route({}, queries);
    expect(lookup()).toBe(0);
    const { view, u8 } = machine.ram;
    expect(queries).toEqual([
      { destination: 0x0a000007, table: undefined, outputIndex: undefined },
    ]);
    expect(view.getUint32(at(0x808), true)).toBe(3);
    expect(view.getUint32(at(0x80c), true)).toBe(20);
    expect(view.getUint32(at(0x820), false)).toBe(0x0a000001);
    expect([...u8.slice(at(0x830), at(0x840))]).toEqual([0, 0, 0, 0, ...hop.mac, ...hop.neighbour]);
    expect(view.getUint16(at(0x806), true)).toBe(1500);
    // Only the main table; out of that interface; the source that goes with it.
    lookup(1 | 2 | 16);
    expect(queries[1]).toEqual({ destination: 0x0a000007, table: 254, outputIndex: 2 });
    expect(view.getUint32(at(0x810), false)).toBe(0x0a0000fe);
  });

  it('says why a packet would not be forwarded', () => {
    expect(lookup()).toBe(5);
    route(undefined);
    expect(lookup()).toBe(4);
    route({ mtu: 1399 });
    expect(lookup()).toBe(8);
    expect(machine.ram.view.getUint16(at(0x806), true)).toBe(1399);
    Object.assign(machine.kernel, { fibHop4: () => ({ ...hop, neighbour: undefined }) });
    expect(lookup()).toBe(7);
    // Without asking for the neighbour there is no error, and no addresses.
    expect(lookup(4)).toBe(0);
    expect(machine.ram.u8[at(0x834)]).toBe(0xee);
  });
});

describe('the current task and time', () => {
  it('are the kernel’s', () => {
    machine.kernel.clockNs = 10_000_123;
    expect(call('ktime_get_ns')).toBe(10_000_123n);
    expect(call('ktime_get_coarse_ns')).toBe(8_000_000n);
    expect(call('jiffies64')).toBe(4294892298n);
    expect(call('get_current_pid_tgid')).toBe((1234n << 32n) | 1234n);
    machine.kernel.setCpu(1);
    expect(call('get_smp_processor_id')).toBe(1);
  });

  it('get_current_comm pads with zeros and always ends in one', () => {
    machine.ram.u8.fill(0xff, buffer, buffer + 32);
    expect(call('get_current_comm', buffer, 16)).toBe(0);
    expect([...machine.ram.u8.slice(buffer + 6, buffer + 17)]).toEqual([
      ...Array(10).fill(0),
      0xff,
    ]);
    expect(textAt(buffer)).toBe('worker');
    call('get_current_comm', buffer, 4);
    expect(textAt(buffer)).toBe('wor');
  });

  it('get_prandom_u32 is the same sequence on the same machine', async () => {
    const other = await bareMachine({ ramMiB: 16 });
    const helper = helperByProto('get_prandom_u32').implementation!;
    const [mine, theirs] = [machine, other].map(({ runtime }) => {
      const next = helper.bind(runtime) as () => bigint;
      return [next(), next(), next()];
    });
    expect(mine).toEqual(theirs);
    expect(new Set(mine).size).toBe(3);
    expect(mine!.every((value) => value >= 0n && value < 2n ** 32n)).toBe(true);
  });
});

describe('probe_read', () => {
  it('copies from the kernel and says what went wrong, leaving zeros', () => {
    putText('secret', at(100));
    expect(call('probe_read_kernel', buffer, 6, machine.ram.kernelAddress(at(100)))).toBe(0);
    expect(textAt(buffer)).toBe('secret');
    const outside = machine.ram.kernelAddress(machine.ram.sizeBytes as RamOffset);
    for (const [address, error] of [
      [0n, errno.ERANGE],
      [0x5000n, errno.ERANGE],
      [0x1234_5678_9abc_def0n, errno.ERANGE],
      [outside - 3n, errno.EFAULT],
      [outside, errno.EFAULT],
      [0xffff_ffff_8100_0000n, errno.EFAULT],
    ] as const) {
      machine.ram.u8.fill(0xff, buffer, buffer + 9);
      expect(call('probe_read_kernel', buffer, 8, address), address.toString(16)).toBe(-error);
      expect([...machine.ram.u8.slice(buffer, buffer + 9)]).toEqual([...Array(8).fill(0), 0xff]);
    }
    expect(call('probe_read_kernel', buffer, 0, outside)).toBe(0);
  });

  it('copies from user memory; the old helper goes by the address', () => {
    machine.kernel.userMemory.set(0x7000n, new TextEncoder().encode('path/to\0rest'));
    expect(call('probe_read_user', buffer, 4, 0x7005n)).toBe(0);
    expect(textAt(buffer)).toBe('to');
    expect(call('probe_read_user', buffer, 8, 0x7009n)).toBe(-errno.EFAULT);
    expect(call('probe_read_compat', buffer, 4, 0x7000n)).toBe(0);
    expect(textAt(buffer)).toBe('path');
    putText('kern', at(64));
    expect(call('probe_read_compat', buffer, 4, machine.ram.kernelAddress(at(64)))).toBe(0);
    expect(textAt(buffer)).toBe('kern');
  });

  it('strings: the length with the NUL, cut ones end in a NUL, nothing after it is touched', () => {
    machine.kernel.userMemory.set(0x7000n, new TextEncoder().encode('path/to\0rest'));
    putText('kernel', at(200));
    for (const [proto, address, text] of [
      ['probe_read_user_str', 0x7000n, 'path/to'],
      ['probe_read_kernel_str', machine.ram.kernelAddress(at(200)), 'kernel'],
    ] as const) {
      machine.ram.u8.fill(0xff, buffer, buffer + 20);
      expect(call(proto, buffer, 16, address)).toBe(text.length + 1);
      expect(textAt(buffer)).toBe(text);
      expect(machine.ram.u8[buffer + text.length + 1]).toBe(0xff);
      expect(call(proto, buffer, 4, address)).toBe(4);
      expect(textAt(buffer)).toBe(text.slice(0, 3));
      expect(call(proto, buffer, text.length, address)).toBe(text.length);
      expect(textAt(buffer)).toBe(text.slice(0, -1));
      expect(call(proto, buffer, 0, address)).toBe(0);
    }
    expect(call('probe_read_user_str', buffer, 16, 0x9000n)).toBe(-errno.EFAULT);
    expect(call('probe_read_kernel_str', buffer, 16, 0x7000n)).toBe(-errno.ERANGE);
  });
});

describe('strings', () => {
  it('strncmp', () => {
    putText('alpha');
    putText('alpine', at(64));
    expect(call('strncmp', buffer, 6, at(64))).toBe(-1);
    expect(call('strncmp', at(64), 6, buffer)).toBe(1);
    expect(call('strncmp', buffer, 3, at(64))).toBe(0);
    putText('alpha', at(64));
    machine.ram.u8[at(70)] = 1;
    expect(call('strncmp', buffer, 64, at(64))).toBe(0);
  });

  it.each<[string, bigint, boolean, number | [bigint, number]]>([
    ['42', 0n, true, [42n, 2]],
    ['  -17 apples', 0n, true, [-17n, 5]],
    ['0x1fg', 0n, true, [0x1fn, 4]],
    ['0x', 0n, true, [0n, 1]],
    ['0755', 0n, true, [0o755n, 4]],
    ['0755', 10n, true, [755n, 4]],
    ['ff', 16n, false, [255n, 2]],
    ['-9223372036854775808', 10n, true, [-(2n ** 63n), 20]],
    ['9223372036854775808', 10n, true, -errno.ERANGE],
    ['18446744073709551615', 10n, false, [2n ** 64n - 1n, 20]],
    ['18446744073709551616', 10n, false, -errno.ERANGE],
    ['-1', 10n, false, -errno.EINVAL],
    ['', 10n, true, -errno.EINVAL],
    ['  ', 10n, true, -errno.EINVAL],
    ['abc', 10n, true, -errno.EINVAL],
    ['12', 2n, true, -errno.EINVAL],
    ['12', 0x20n, true, -errno.EINVAL],
  ])('strtol of %j, flags %d, signed %s', (text, flags, signed, expected) => {
    const parsed = parseLong(new TextEncoder().encode(text), flags, signed);
    expect(typeof parsed === 'number' ? parsed : [parsed.value, parsed.consumedBytes]).toEqual(
      expected,
    );
  });

  it('strtol agrees with BigInt on any number', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (number) => {
        const text = putText(String(number));
        expect(call('strtol', text, 32, 10n, at(128))).toBe(String(number).length);
        expect(machine.ram.view.getBigInt64(at(128), true)).toBe(number);
      }),
    );
  });
});

describe('printing', () => {
  it('trace_printk writes a line and returns its length', () => {
    putText('pid %d of %s\n');
    putText('worker', at(64));
    const name = machine.ram.kernelAddress(at(64));
    expect(call('trace_printk', buffer, 16, 7n, name, 0n)).toBe(16);
    expect(machine.kernel.trace).toEqual(['pid 7 of worker\n']);
    expect(call('trace_printk', buffer, 4, 7n, name, 0n)).toBe(-errno.EINVAL);
    putText('%f');
    expect(call('trace_printk', buffer, 16, 7n, name, 0n)).toBe(-errno.EINVAL);
    expect(machine.kernel.trace).toHaveLength(1);
  });

  it('snprintf says how much the whole text takes', () => {
    putText('%d-%d');
    machine.ram.writeU64(at(64), 123n);
    machine.ram.writeU64(at(72), -45n);
    machine.ram.u8.fill(0xff, at(128), at(160));
    expect(call('snprintf', at(128), 32, buffer, at(64), 16)).toBe(8);
    expect(textAt(at(128))).toBe('123--45');
    expect(call('snprintf', at(128), 4, buffer, at(64), 16)).toBe(8);
    expect(textAt(at(128))).toBe('123');
    expect(call('snprintf', 0, 0, buffer, at(64), 16)).toBe(8);
    expect(call('snprintf', at(128), 32, buffer, at(64), 8)).toBe(-errno.EINVAL);
    expect(call('snprintf', at(128), 32, buffer, at(64), 12)).toBe(-errno.EINVAL);
    expect(call('snprintf', at(128), 32, buffer, at(64), 13 * 8)).toBe(-errno.EINVAL);
    expect(call('snprintf', at(128), 32, buffer, 0, 16)).toBe(-errno.EINVAL);
  });

  it('trace_vprintk takes up to twelve arguments', () => {
    putText('%d '.repeat(12));
    for (let i = 0; i < 12; i++) machine.ram.writeU64(at(64 + i * 8), BigInt(i));
    expect(call('trace_vprintk', buffer, 64, at(64), 96)).toBe(26);
    expect(machine.kernel.trace).toEqual(['0 1 2 3 4 5 6 7 8 9 10 11 ']);
  });
});

describe('dynptrs', () => {
  const local = () => call('dynptr_from_mem', at(256), 16, 0n, buffer);

  it('read and write within their bounds', () => {
    expect(local()).toBe(0);
    putText('payload', at(512));
    expect(call('dynptr_write', buffer, 4, at(512), 7, 0n)).toBe(0);
    expect(call('dynptr_read', at(600), 7, buffer, 4, 0n)).toBe(0);
    expect(textAt(at(600))).toBe('payload');
    expect(call('dynptr_data', buffer, 4, 12)).toBe(at(260));
    expect(call('dynptr_data', buffer, 4, 13)).toBe(0);
    expect(call('dynptr_read', at(600), 16, buffer, 1, 0n)).toBe(-errno.E2BIG);
    expect(call('dynptr_read', at(600), 4, buffer, -1, 0n)).toBe(-errno.E2BIG);
    expect(call('dynptr_write', buffer, 0, at(512), 4, 1n)).toBe(-errno.EINVAL);
  });

  it('are null after a failure', () => {
    expect(call('dynptr_from_mem', at(256), 0x1000000, 0n, buffer)).toBe(-errno.E2BIG);
    expect(call('dynptr_data', buffer, 0, 1)).toBe(0);
    expect(call('dynptr_read', at(600), 1, buffer, 0, 0n)).toBe(-errno.EINVAL);
    local();
    expect(call('dynptr_from_mem', at(256), 16, 1n, buffer)).toBe(-errno.EINVAL);
    expect(call('dynptr_data', buffer, 0, 1)).toBe(0);
  });

  it('carry ring buffer records', () => {
    const map = make({ type: 'ringbuf', keyBytes: 0, valueBytes: 0, maxEntries: 4096 });
    expect(call('ringbuf_reserve_dynptr', map.offset, 24, 0n, buffer)).toBe(0);
    expect(call('dynptr_data', buffer, 0, 24)).not.toBe(0);
    call('ringbuf_submit_dynptr', buffer, 0n);
    expect(call('dynptr_data', buffer, 0, 24)).toBe(0);
    call('ringbuf_submit_dynptr', buffer, 0n);
    expect(call('ringbuf_query', map.offset, 0n)).toBe(32n);
    expect(call('ringbuf_reserve_dynptr', map.offset, 5000, 0n, buffer)).toBe(-errno.EINVAL);
  });
});

describe('callbacks', () => {
  /** The program's side: each call is recorded; `answer` decides what the callback returns. */
  function running(answer: (args: bigint[]) => bigint): bigint[][] {
    const calls: bigint[][] = [];
    const program: RunningProgram = {
      ctx: 0 as RamOffset,
      callback: (...args) => {
        calls.push(args);
        return answer(args);
      },
    };
    machine.runtime.running = program;
    return calls;
  }

  it('loop counts calls, until one returns 1', () => {
    const calls = running(([, i]) => (i === 4n ? 1n : 0n));
    expect(call('loop', 10, 77n, 88n, 0n)).toBe(5);
    expect(calls.map((args) => args[1])).toEqual([0n, 1n, 2n, 3n, 4n]);
    expect(calls[0]).toEqual([77n, 0n, 88n, 0n, 0n, 0n]);
    expect(call('loop', 3, 77n, 88n, 0n)).toBe(3);
    expect(call('loop', 3, 77n, 88n, 1n)).toBe(-errno.EINVAL);
    expect(call('loop', 8 * 1024 * 1024 + 1, 77n, 88n, 0n)).toBe(-errno.E2BIG);
  });

  it('for_each_map_elem visits what is there, also while the callback deletes', () => {
    for (const type of ['hash', 'percpu_hash', 'lru_hash'] as const) {
      const map = make({ type, maxEntries: 64 });
      for (let n = 0; n < 50; n++) {
        machine.ram.view.setUint32(buffer, n, true);
        machine.ram.writeU64(at(8), BigInt(n * 10));
        map.update(buffer, at(8), uapi.BPF_ANY);
      }
      const seen = new Map<number, bigint>();
      running(([, , key, value]) => {
        const keyAt = machine.ram.offsetOf(key!)!;
        const n = machine.ram.view.getUint32(keyAt, true);
        seen.set(n, machine.ram.readU64(machine.ram.offsetOf(value!)!));
        expect(map.delete(keyAt)).toBe(0);
        return 0n;
      });
      expect(call('for_each_map_elem', map.offset, 1n, 0n, 0n)).toBe(50);
      expect(seen.size).toBe(50);
      expect([...seen].every(([n, value]) => value === BigInt(n * 10))).toBe(true);
      expect(call('for_each_map_elem', map.offset, 1n, 0n, 0n)).toBe(0);
    }
    const array = make({ maxEntries: 5 });
    const calls = running(() => 0n);
    expect(call('for_each_map_elem', array.offset, 1n, 9n, 0n)).toBe(5);
    expect(calls.map((args) => args[1])).toEqual(
      Array(5).fill(machine.ram.kernelAddress(array.offset)),
    );
    expect(call('for_each_map_elem', array.offset, 1n, 0n, 1n)).toBe(-errno.EINVAL);
  });

  it('user_ringbuf_drain hands over what user space produced', () => {
    const map = make({ type: 'user_ringbuf', keyBytes: 0, valueBytes: 0, maxEntries: 4096 });
    const area = machine.core.exports.ringbuf_area(map.offset) >>> 0;
    const { ram } = machine;
    let producer = 0;
    const produce = (payload: number[], header = 0) => {
      const data = area + 3 * 4096;
      ram.view.setUint32(data + (producer % 4096), payload.length + header, true);
      payload.forEach((byte, i) => (ram.u8[data + ((producer + 8 + i) % 4096)] = byte));
      producer += Math.ceil((payload.length + 8) / 8) * 8;
      ram.writeU64((area + 2 * 4096) as RamOffset, BigInt(producer));
    };
    const received: number[][] = [];
    const read = () =>
      running(([, dynptr]) => {
        const d = ram.offsetOf(dynptr!)!;
        const size = ram.view.getUint32(d + 8, true) & 0xffffff;
        call('dynptr_read', at(64), size, d, 0, 0n);
        received.push([...ram.u8.slice(at(64), at(64) + size)]);
        return 0n;
      });
    read();
    produce([1, 2, 3]);
    produce([9, 9], uapi.BPF_RINGBUF_DISCARD_BIT);
    produce([4]);
    expect(call('user_ringbuf_drain', map.offset, 1n, 0n, 0n)).toBe(2);
    expect(received).toEqual([[1, 2, 3], [4]]);
    expect(machine.kernel.woken).toEqual([map]);
    // Round and round: records that run over the end arrive whole.
    for (let round = 0; round < 60; round++) {
      const payload = Array.from({ length: 100 + round }, (_, i) => (i * 7 + round) & 0xff);
      produce(payload);
      received.length = 0;
      read();
      expect(call('user_ringbuf_drain', map.offset, 1n, 0n, 0n)).toBe(1);
      expect(received).toEqual([payload]);
    }
    produce([5], uapi.BPF_RINGBUF_BUSY_BIT);
    expect(call('user_ringbuf_drain', map.offset, 1n, 0n, 0n)).toBe(0);
  });
});
