/** Statements that call helpers other than those of plain maps. */
import type { MapJson } from '../request.ts';
import { useFound, loadBack } from './maps.ts';
import { access } from './memory.ts';
import { CONTEXT, NONE, SCALAR, type Value } from './state.ts';
import type { FunctionWriter } from './writer.ts';

const RINGBUF: MapJson = { type: 'ringbuf', key_size: 0, value_size: 0, max_entries: 4096 };
const RECORD_SIZES = [8, 16, 24] as const;

/** UAPI linux/bpf.h, enum bpf_func_id. */
const ID = {
  ktime_get_ns: 5,
  get_prandom_u32: 7,
  get_smp_processor_id: 8,
  skb_store_bytes: 9,
  l3_csum_replace: 10,
  l4_csum_replace: 11,
  redirect: 23,
  skb_load_bytes: 26,
  csum_diff: 28,
  skb_change_tail: 38,
  skb_pull_data: 39,
  csum_update: 40,
  get_numa_node_id: 42,
  xdp_adjust_head: 44,
  redirect_map: 51,
  xdp_adjust_meta: 54,
  xdp_adjust_tail: 65,
  skb_load_bytes_relative: 68,
  strtol: 105,
  strtoul: 106,
  probe_read_kernel: 113,
  jiffies64: 118,
  ringbuf_output: 130,
  ringbuf_reserve: 131,
  ringbuf_submit: 132,
  ringbuf_discard: 133,
  ringbuf_query: 134,
  xdp_get_buff_len: 188,
  xdp_load_bytes: 189,
  xdp_store_bytes: 190,
  dynptr_from_mem: 197,
  ringbuf_reserve_dynptr: 198,
  ringbuf_submit_dynptr: 199,
  ringbuf_discard_dynptr: 200,
  dynptr_read: 201,
  dynptr_write: 202,
  dynptr_data: 203,
} as const;

/** What differs from run to run is called and thrown away. */
export function clock(w: FunctionWriter): void {
  const { random } = w;
  const id = random.pick([ID.ktime_get_ns, ID.get_prandom_u32, ID.jiffies64]);
  w.callHelper(id, NONE);
  if (random.chance(0.5)) w.emit('and64_imm', { dst: 0, imm: 0 });
  else w.emit('mov64_imm', { dst: 0, imm: random.below(9) });
  w.set(0, SCALAR);
}

export function machineFacts(w: FunctionWriter): void {
  w.callHelper(w.random.pick([ID.get_smp_processor_id, ID.get_numa_node_id]));
}

export function checksumDifference(w: FunctionWriter): void {
  if (!w.program.offers(ID.csum_diff)) return;
  const { random } = w;
  const [from, to] = [random.below(5) * 4, random.below(5) * 4];
  const at = w.scratch(16);
  if (!w.isData(at, 16)) w.fill(at, 16);
  const seed = w.scalar();
  if (seed !== 5) w.emit('mov64_reg', { dst: 5, src: seed });
  if (from > 0) w.stackPointer(1, at);
  else w.emit('mov64_imm', { dst: 1, imm: 0 });
  w.emit('mov64_imm', { dst: 2, imm: Math.min(16, from) });
  if (to > 0) w.stackPointer(3, at);
  else w.emit('mov64_imm', { dst: 3, imm: 0 });
  w.emit('mov64_imm', { dst: 4, imm: Math.min(16, to) });
  w.callHelper(ID.csum_diff);
}

export function parseNumber(w: FunctionWriter): void {
  if (!w.program.offers(ID.strtol)) return;
  const { random } = w;
  const text = w.scratch(8);
  const result = w.scratch(8);
  if (Math.abs(text - result) < 8) return;
  const written = random.pick(['42', '-7', '0x1f', '  9x', '', '077', '99999999']);
  w.emit64(1, Buffer.from(written.padEnd(8, '\0')).readBigUInt64LE());
  w.emit('stx64', { dst: 10, src: 1, off: -text });
  w.stored(text, 8);
  if (!w.isData(result, 8)) w.fill(result, 8);
  w.stackPointer(1, text);
  w.emit('mov64_imm', { dst: 2, imm: random.pick([1, 4, 8]) });
  w.emit('mov64_imm', { dst: 3, imm: random.pick([0, 8, 10, 16, 3]) });
  w.stackPointer(4, result);
  w.callHelper(random.pick([ID.strtol, ID.strtoul]));
  loadBack(w, result);
}

/** Reads its own stack as kernel memory. */
export function probeRead(w: FunctionWriter): void {
  if (!w.program.offers(ID.probe_read_kernel)) return;
  const [from, to] = [w.scratch(8), w.scratch(8)];
  if (Math.abs(from - to) < 8) return;
  for (const at of [from, to]) if (!w.isData(at, 8)) w.fill(at, 8);
  w.stackPointer(1, to);
  w.emit('mov64_imm', { dst: 2, imm: w.random.between(1, 8) });
  w.stackPointer(3, from);
  w.callHelper(ID.probe_read_kernel);
  loadBack(w, to);
}

export function ringbuf(w: FunctionWriter, then: () => void): void {
  if (!w.program.offers(ID.ringbuf_reserve)) return;
  const { random } = w;
  const map = w.program.map(RINGBUF);
  const size = random.pick(RECORD_SIZES);
  switch (random.below(3)) {
    case 0: {
      const at = w.scratch(size);
      if (!w.isData(at, size)) w.fill(at, size);
      w.loadMap(1, map);
      w.stackPointer(2, at);
      w.emit('mov64_imm', { dst: 3, imm: size });
      w.emit('mov64_imm', { dst: 4, imm: random.pick([0, 1, 2]) });
      return w.callHelper(ID.ringbuf_output);
    }
    case 1:
      w.loadMap(1, map);
      w.emit('mov64_imm', { dst: 2, imm: random.below(5) });
      return w.callHelper(ID.ringbuf_query);
    default:
      return reserve(w, map, size, then);
  }
}

/** What is reserved must be given back on every path, so nothing may end the function meanwhile. */
function reserve(w: FunctionWriter, map: number, size: number, then: () => void): void {
  const { random } = w;
  const keep = w.keeper();
  if (keep === undefined) return then();
  w.loadMap(1, map);
  w.emit('mov64_imm', { dst: 2, imm: size });
  w.emit('mov64_imm', { dst: 3, imm: 0 });
  w.callHelper(ID.ringbuf_reserve, NONE);
  const missing = w.emit('jeq64_imm', { dst: 0, imm: 0 });
  w.optional(missing, () => {
    w.emit('mov64_reg', { dst: keep, src: 0 });
    // Its bytes are whatever the ring held: written first, and only that is read.
    const record: Value = { kind: 'memory', bytes: size, place: 'unaligned', access: 'w' };
    w.set(keep, record);
    for (let i = 0; i < random.between(1, 3); i++) access(w, keep, record);
    w.emit('mov64_reg', { dst: 1, src: keep });
    w.emit('mov64_imm', { dst: 2, imm: random.pick([0, 1, 2]) });
    w.callHelper(random.chance(0.7) ? ID.ringbuf_submit : ID.ringbuf_discard, NONE);
    w.set(keep, NONE);
  });
  w.emit('mov64_imm', { dst: 0, imm: 4 });
  w.set(0, SCALAR);
}

/** A dynptr on a map's value: written, read, and a slice of it. */
export function dynptr(w: FunctionWriter): void {
  // A second round of a loop would find the slots taken.
  if (!w.program.offers(ID.dynptr_from_mem) || w.loops > 0) return;
  const { random } = w;
  const map = w.program.map({ type: 'array', key_size: 4, value_size: 40, max_entries: 1 });
  const [dynptr, buffer] = [w.scratch(16), w.scratch(8)];
  if (buffer > dynptr - 24 && buffer < dynptr + 16) return;
  w.pinnedStack.add(dynptr).add(dynptr - 8);
  w.loadMap(1, map, 0);
  w.emit('mov64_imm', { dst: 2, imm: random.between(1, 40) });
  w.emit('mov64_imm', { dst: 3, imm: random.chance(0.9) ? 0 : 1 });
  w.stackPointer(4, dynptr);
  w.stored(dynptr, 16);
  for (let i = 0; i < 16; i++) w.state.data[dynptr - 1 - i] = 0;
  w.callHelper(ID.dynptr_from_mem);
  if (!w.isData(buffer, 8)) w.fill(buffer, 8);
  if (random.chance(0.6)) {
    w.stackPointer(1, dynptr);
    w.emit('mov64_imm', { dst: 2, imm: random.below(12) });
    w.stackPointer(3, buffer);
    w.emit('mov64_imm', { dst: 4, imm: random.between(1, 8) });
    w.emit('mov64_imm', { dst: 5, imm: 0 });
    w.callHelper(ID.dynptr_write);
  }
  if (random.chance(0.6)) {
    w.stackPointer(1, buffer);
    w.emit('mov64_imm', { dst: 2, imm: random.between(1, 8) });
    w.stackPointer(3, dynptr);
    w.emit('mov64_imm', { dst: 4, imm: random.below(12) });
    w.emit('mov64_imm', { dst: 5, imm: 0 });
    w.callHelper(ID.dynptr_read);
    loadBack(w, buffer);
  }
  if (random.chance(0.4)) {
    const bytes = random.between(1, 16);
    w.stackPointer(1, dynptr);
    w.emit('mov64_imm', { dst: 2, imm: random.below(8) });
    w.emit('mov64_imm', { dst: 3, imm: bytes });
    w.callHelper(ID.dynptr_data, NONE);
    useFound(w, { kind: 'memory', bytes, place: 'unaligned', access: 'rw' }, () => {});
  }
}

/** Helpers on the packet; what pointed into it is lost where it may move. */
export function packetHelper(w: FunctionWriter): void {
  const contexts = w.registersOf(({ kind }) => kind === 'context');
  const context = contexts.find((register) => register > 5) ?? contexts[0];
  if (context === undefined || w.program.packetStays) return clock(w);
  const { family, type } = w.program.kind;
  if (family === 'xdp') return xdpHelper(w, context);
  if (family === 'skb') return skbHelper(w, context, type);
  return clock(w);
}

function passContext(w: FunctionWriter, context: number): void {
  if (context !== 1) w.emit('mov64_reg', { dst: 1, src: context });
  w.set(1, CONTEXT);
}

function copyBytes(w: FunctionWriter, context: number, id: number, flags: boolean): void {
  const { random } = w;
  const at = w.scratch(8);
  if (!w.isData(at, 8)) w.fill(at, 8);
  const length = random.between(1, 8);
  passContext(w, context);
  w.emit('mov64_imm', { dst: 2, imm: random.between(0, 60) });
  w.stackPointer(3, at);
  w.emit('mov64_imm', { dst: 4, imm: length });
  if (flags) w.emit('mov64_imm', { dst: 5, imm: random.pick([0, 0, 1]) });
  w.callHelper(id);
  loadBack(w, at);
}

function movePacket(
  w: FunctionWriter,
  context: number,
  id: number,
  imm: number,
  flags?: number,
): void {
  passContext(w, context);
  w.emit('mov64_imm', { dst: 2, imm });
  if (flags !== undefined) w.emit('mov64_imm', { dst: 3, imm: flags });
  w.callHelper(id);
  w.forgetPackets();
}

function xdpHelper(w: FunctionWriter, context: number): void {
  const { random } = w;
  switch (random.below(7)) {
    case 0:
      return movePacket(w, context, ID.xdp_adjust_head, random.between(-40, 20));
    case 1:
      return movePacket(w, context, ID.xdp_adjust_tail, random.between(-20, 40));
    case 2:
      return movePacket(w, context, ID.xdp_adjust_meta, random.pick([-4, -8, -32, -6, 4, -36]));
    case 3:
      passContext(w, context);
      return w.callHelper(ID.xdp_get_buff_len);
    case 4:
      return copyBytes(w, context, ID.xdp_load_bytes, false);
    case 5:
      copyBytes(w, context, ID.xdp_store_bytes, false);
      return w.forgetPackets();
    default: {
      const map = w.program.map({
        type: random.pick(['devmap', 'cpumap', 'xskmap', 'devmap_hash']),
        key_size: 4,
        value_size: 4,
        max_entries: 1,
      });
      w.loadMap(1, map);
      w.emit('mov64_imm', { dst: 2, imm: random.below(3) });
      w.emit('mov64_imm', { dst: 3, imm: random.pick([0, 1, 2, 3]) });
      return w.callHelper(ID.redirect_map);
    }
  }
}

function skbHelper(w: FunctionWriter, context: number, type: string): void {
  const { random } = w;
  const isTc = type.startsWith('sched_');
  switch (isTc ? random.below(6) : random.below(2)) {
    case 0:
      return copyBytes(w, context, ID.skb_load_bytes, false);
    case 1:
      if (!w.program.offers(ID.skb_load_bytes_relative)) return;
      return copyBytes(w, context, ID.skb_load_bytes_relative, true);
    case 2:
      copyBytes(w, context, ID.skb_store_bytes, true);
      return w.forgetPackets();
    case 3:
      return movePacket(w, context, ID.skb_pull_data, random.pick([0, 20, 40, 2000]));
    case 4:
      return movePacket(w, context, ID.skb_change_tail, random.between(14, 100), 0);
    default: {
      passContext(w, context);
      w.emit('mov64_imm', { dst: 2, imm: random.between(14, 40) });
      w.emit('mov64_imm', { dst: 3, imm: random.below(0x10000) });
      w.emit('mov64_imm', { dst: 4, imm: random.below(0x10000) });
      w.emit('mov64_imm', { dst: 5, imm: random.pick([2, 0x22]) });
      w.callHelper(random.pick([ID.l3_csum_replace, ID.l4_csum_replace]));
      return w.forgetPackets();
    }
  }
}
