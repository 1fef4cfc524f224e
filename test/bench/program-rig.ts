/**
 * A program of programs/ in a machine of its own: loaded through bpf(2) and the verifier, its maps
 * filled, on the packets of a capture.
 *
 *   const rig = loadProgram(assets, 'hash', engine)
 *   rig.run()              every packet once through the program; the sum of what it returned
 *   rig.frames             the packets
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readObject } from '../../bpf/elf/object.ts';
import type { Engine, Executable } from '../../bpf/engine.ts';
import { loadObject } from '../../bpf/loader/load.ts';
import { runDirect } from '../../bpf/loader/user.ts';
import type { BpfMap } from '../../bpf/maps/map.ts';
import type { RingbufMap } from '../../bpf/maps/ringbuf.ts';
import type { VerifiedProgram } from '../../bpf/program.ts';
import type { BpfRuntime } from '../../bpf/runtime.ts';
import type { ProgObject } from '../../bpf/syscall/objects.ts';
import { readCapture } from '../../hw/nic/pcap.ts';
import type { HostAssets } from '../../kernel/config.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import { XDP_PACKET_HEADROOM, XdpBuff, XdpRxqInfo } from '../../kernel/types/xdp.ts';
import { BareMachine } from '../../hooks/bare-machine.ts';

/** What only computes: no map, no helper. */
export const COMPUTE_PROGRAMS = [
  'alu', 'checksum', 'parse', 'rewrite', 'jhash', 'siphash', 'division', 'sort', 'calls',
] as const; // prettier-ignore
/** What calls helpers. */
export const HELPER_PROGRAMS = [
  'array', 'percpu', 'hash', 'lru', 'lpm', 'maglev', 'ringbuf', 'tailcall', 'loop',
] as const; // prettier-ignore
export type ProgramName = (typeof COMPUTE_PROGRAMS | typeof HELPER_PROGRAMS)[number];

export interface ProgramRig {
  readonly verified: VerifiedProgram;
  readonly runtime: BpfRuntime;
  readonly executable: Executable;
  /** Packets of real traffic, each with the xdp_buff that describes it. */
  readonly frames: readonly Frame[];
  /** All packets once. */
  run(): number;
}

export interface Frame {
  readonly ctx: RamOffset;
  readonly data: RamOffset;
  readonly bytes: number;
}

const readFile = (path: string): Uint8Array => readFileSync(join(import.meta.dirname, path));

export function loadProgram(assets: HostAssets, name: ProgramName, engine: Engine): ProgramRig {
  const machine = new BareMachine(assets, { level: '6.1', engine });
  const file = `${name}.bpf.o`;
  const spec = readObject(readFile(`programs/${file}`), file);
  const outcome = runDirect(loadObject(machine.loaderUser(), spec, { logLevel: 0 }));
  if (outcome.kind === 'failed') throw new Error(`${name}: ${outcome.messages.join('\n')}`);
  const programs = outcome.programs.map(
    ({ fd }) => machine.caller.handleOfFd(fd)!.object as ProgObject,
  );
  const entry = programs.find(({ prog }) => prog.name === name)!;
  const { executable, verified } = entry.prog;
  const { runtime } = machine.bpf.host;
  const maps = new Map(verified.usedMaps.map((map) => [map.spec.name, map]));
  return rig({ verified, runtime, executable }, PREPARE[name]?.({ runtime, maps, programs }));
}

/** Of a program that needs no maps. */
export function rigOf(verified: VerifiedProgram, runtime: BpfRuntime, engine: Engine): ProgramRig {
  return rig({ verified, runtime, executable: engine.compile(verified, runtime) });
}

function rig(
  loaded: Pick<ProgramRig, 'verified' | 'runtime' | 'executable'>,
  beforeEach?: () => void,
): ProgramRig {
  const { executable } = loaded;
  const frames = placeCapture(loaded.runtime);
  const contexts = Uint32Array.from(frames, ({ ctx }) => ctx);
  return {
    ...loaded,
    frames,
    run: () => {
      let sum = 0;
      for (let i = 0; i < contexts.length; i++) {
        if (beforeEach) beforeEach();
        sum += executable.run(contexts[i] as RamOffset);
      }
      return sum;
    },
  };
}

/** Real traffic, each frame in an xdp_buff of its own. */
function placeCapture({ ram }: BpfRuntime): Frame[] {
  const { frames } = readCapture(readFile('../../scenarios/first-light/traffic.pcap'), 'traffic');
  const rxq = XdpRxqInfo.alloc(ram);
  return frames.map(({ data }) => {
    const xdp = XdpBuff.alloc(ram);
    const frameBytes = 2048;
    xdp.data_hard_start = ram.kzalloc(frameBytes);
    xdp.data = (xdp.data_hard_start + XDP_PACKET_HEADROOM) as RamOffset;
    xdp.data_meta = xdp.data;
    xdp.data_end = (xdp.data + data.length) as RamOffset;
    xdp.rxq = rxq.offset;
    xdp.frame_sz = frameBytes;
    ram.u8.set(data, xdp.data);
    return { ctx: xdp.offset, data: xdp.data, bytes: data.length };
  });
}

interface Loaded {
  readonly runtime: BpfRuntime;
  readonly maps: ReadonlyMap<string, BpfMap>;
  readonly programs: readonly ProgObject[];
}

/** Fills maps; may return what user space does before each packet. */
const PREPARE: Partial<Record<ProgramName, (loaded: Loaded) => (() => void) | undefined>> = {
  array: ({ runtime, maps }) => {
    for (let i = 0; i < 256; i++) put(runtime, maps.get('table')!, words(i), words(7 * i + 1));
    return undefined;
  },
  lpm: ({ runtime, maps }) => {
    // Prefixes of 8, 16 and 24 bits, of which some cover others.
    for (let i = 0; i < 600; i++) {
      const address = Uint8Array.of(10 + (i % 200), i % 7, (i * 13) & 255, 0);
      const key = Uint8Array.from([...words(8 * (1 + (i % 3))), ...address]);
      put(runtime, maps.get('routes')!, key, words(i));
    }
    put(runtime, maps.get('routes')!, Uint8Array.from([...words(0), 0, 0, 0, 0]), words(1));
    return undefined;
  },
  maglev: ({ runtime, maps }) => {
    for (let i = 0; i < 65537; i++) put(runtime, maps.get('table')!, words(i), words(i % 64));
    const server = Uint8Array.from([2, 0, 0, 0, 0, 1, 1, 0, ...new Uint8Array(8)]);
    for (let i = 0; i < 64; i++) put(runtime, maps.get('servers')!, words(i), server);
    return undefined;
  },
  ringbuf: ({ runtime, maps }) => {
    const [consumer, producer] = (maps.get('events') as RingbufMap).pages;
    const { u32 } = runtime.ram;
    return () => (u32[consumer! >>> 2] = u32[producer! >>> 2]!);
  },
  tailcall: ({ runtime, maps, programs }) => {
    const chain = maps.get('chain')!;
    programs.forEach(({ id }, i) => put(runtime, chain, words(i), words(id)));
    return undefined;
  },
};

const words = (...values: number[]): Uint8Array => new Uint8Array(Uint32Array.from(values).buffer);

function put({ ram }: BpfRuntime, map: BpfMap, key: Uint8Array, value: Uint8Array): void {
  const at = ram.kzalloc(key.length + value.length + 8);
  const valueAt = (at + ((key.length + 7) & ~7)) as RamOffset;
  ram.u8.set(key, at);
  ram.u8.set(value, valueAt);
  const result = map.updateFromUser(at, valueAt, 0);
  if (result < 0) throw new Error(`filling ${map.spec.name}: ${result}`);
  ram.kfree(at);
}
