/**
 * An image stage by stage, one packet after the other: the values of its nodes as numbers, reads and
 * writes on the real maps. Elements are known by small numbers, as in the hardware.
 */
import type { BpfMap } from '../../../bpf/maps/map.ts';
import type { BpfRuntime } from '../../../bpf/runtime.ts';
import type { RamOffset } from '../../../kernel/types/units.ts';
import { Bug } from '../../../kernel/types/units.ts';
import { type DeviceCpu, DeviceRun } from '../../device-cpu.ts';
import type { PacketInputs } from './inputs.ts';
import { isArray } from './accesses.ts';
import { evaluate } from './evaluate.ts';
import { maskOf, type MapAccess, type Node } from './node.ts';
import type { PipelineImage } from './image.ts';
import { PACKET_BASE } from './values.ts';
import { xdpMember, XDP_MD } from '../../xdp-context.ts';

export class PipelineRun extends DeviceRun {
  /** Of the last run: some map got or lost an element. */
  wrote = false;
  /** Of the last run: the interface that it redirects to, or 0. */
  redirect = 0;
  readonly #image: PipelineImage;
  readonly #values: bigint[] = [];
  readonly #order: readonly Node[];
  readonly #scratch: RamOffset;
  readonly #valueAt: RamOffset;
  /** Where elements that were found have their values. */
  readonly #elements = new Map<BpfMap, RamOffset[]>();
  #packet: PacketInputs | undefined;

  constructor(image: PipelineImage, runtime: BpfRuntime) {
    super(image.program.device, runtime);
    this.#image = image;
    const { accesses } = image.design;
    const rank = new Map(accesses.map((node, i) => [node, i]));
    const { schedule } = image;
    // Of one stage, in the program's order.
    this.#order = [...schedule.nodes].sort((a, b) => {
      const stages = schedule.stageOf(a) - schedule.stageOf(b);
      const [x, y] = [rank.get(a), rank.get(b)];
      return stages || (x !== undefined && y !== undefined ? x - y : a.id - b.id);
    });
    const most = (bytes: (access: MapAccess) => number): number =>
      Math.max(8, ...accesses.map(({ access }) => bytes(access!)));
    const keyBytes = (most(({ map }) => map.spec.keyBytes) + 7) & ~7;
    this.#scratch = runtime.ram.kzalloc(keyBytes + most(({ map }) => map.userValueBytes));
    this.#valueAt = (this.#scratch + keyBytes) as RamOffset;
  }

  override free(): void {
    this.runtime.ram.kfree(this.#scratch);
    super.free();
  }

  protected override drive(cpu: DeviceCpu): number {
    const { ram } = this.runtime;
    const { design } = this.#image;
    const packet = cpu.packet();
    const start = packet.data;
    const member = (offset: number): bigint => xdpMember(ram, cpu.xdp, offset);
    this.#packet = {
      length: BigInt(packet.data_end - start),
      ifindex: member(XDP_MD.ingress_ifindex),
      queue: member(XDP_MD.rx_queue_index),
      time: BigInt.asUintN(64, BigInt(this.runtime.kernel.nowNs())),
      frame: (which) => this.#read(start + which * design.frameBytes, design.frameBytes),
    };
    this.wrote = false;
    this.#elements.clear();
    for (const node of this.#order) this.#values[node.id] = this.#compute(node);
    for (const [at, node] of design.written) ram.u8[start + at] = Number(this.#value(node));
    const data = (start + Number(this.#value(design.data) - PACKET_BASE)) as RamOffset;
    packet.data_meta = (packet.data_meta + data - packet.data) as RamOffset;
    packet.data = data;
    packet.data_end = (start + Number(this.#value(design.end) - PACKET_BASE)) as RamOffset;
    this.redirect = Number(this.#value(design.redirect));
    return Number(this.#value(design.verdict));
  }

  #value(node: Node): bigint {
    const value = this.#values[node.id];
    if (value === undefined) throw new Bug(`node ${node.id} (${node.op}) was not computed`);
    return value;
  }

  #compute(node: Node): bigint {
    const { op, access, args, value } = node;
    const packet = this.#packet!;
    switch (op) {
      case 'frame':
        return packet.frame(Number(value));
      case 'length':
      case 'ifindex':
      case 'queue':
      case 'time':
        return packet[op];
      default:
        return access
          ? this.#access(node, access)
          : evaluate(
              node,
              args.map((arg) => this.#value(arg)),
            );
    }
  }

  #access({ op, args, bits }: Node, access: MapAccess): bigint {
    const { map, from, bytes } = access;
    const holds = this.#value(args.at(-1)!) === 1n;
    const first = this.#value(args[0]!);
    switch (op) {
      case 'lookup':
        return holds ? this.#lookup(map, first, bits - 1) : 0n;
      case 'devmap':
        return this.#devmap(map, first);
      case 'load': {
        const at = this.#element(map, first);
        return at === 0 ? 0n : this.#read(at + from, bytes);
      }
      case 'store':
        if (holds) this.#write(this.#element(map, first) + from, bytes, this.#value(args[1]!));
        return 0n;
      case 'rmw':
        return holds ? this.#modify(this.#element(map, first) + from, access, args[1]!) : 0n;
      case 'update':
        return holds ? this.#update(map, first, args) : 0n;
      case 'delete':
        this.wrote ||= holds;
        return holds ? BigInt.asUintN(32, BigInt(map.delete(this.#key(map, first)))) : 0n;
      default:
        throw new Bug(`${op} is no access`);
    }
  }

  #key(map: BpfMap, key: bigint): RamOffset {
    this.#write(this.#scratch, map.spec.keyBytes, key);
    return this.#scratch;
  }

  #lookup(map: BpfMap, key: bigint, indexBits: number): bigint {
    const at = map.lookup(this.#key(map, key));
    if (at === 0) return 0n;
    const known = this.#elements.get(map) ?? [];
    this.#elements.set(map, known);
    if (!known.includes(at)) known.push(at);
    return (1n << BigInt(indexBits)) | BigInt(known.indexOf(at));
  }

  #element(map: BpfMap, index: bigint): RamOffset {
    if (isArray(map)) return map.lookup(this.#key(map, index));
    return this.#elements.get(map)?.[Number(index)] ?? (0 as RamOffset);
  }

  #devmap(map: BpfMap, key: bigint): bigint {
    const index = Number(key);
    if (!map.redirectTarget?.(index)) return 0n;
    map.copyValue(this.#key(map, key), this.#valueAt, 0);
    return (1n << 32n) | this.#read(this.#valueAt, 4);
  }

  #update(map: BpfMap, key: bigint, args: readonly Node[]): bigint {
    const [, value, flags] = args.map((arg) => this.#value(arg));
    this.#write(this.#valueAt, map.spec.valueBytes, value!);
    const result = map.update(this.#key(map, key), this.#valueAt, Number(flags));
    this.wrote = true;
    return BigInt.asUintN(32, BigInt(result));
  }

  #modify(at: number, { bytes, operation }: MapAccess, operand: Node): bigint {
    const before = this.#read(at, bytes);
    const value = this.#value(operand);
    this.#write(at, bytes, modified(operation, before, value) & maskOf(bytes * 8));
    return before;
  }

  #read(at: number, bytes: number): bigint {
    const { u8 } = this.runtime.ram;
    let value = 0n;
    for (let i = bytes - 1; i >= 0; i--) value = (value << 8n) | BigInt(u8[at + i]!);
    return value;
  }

  #write(at: number, bytes: number, value: bigint): void {
    const { u8 } = this.runtime.ram;
    for (let i = 0; i < bytes; i++) u8[at + i] = Number((value >> BigInt(8 * i)) & 255n);
  }
}

function modified(operation: MapAccess['operation'], a: bigint, b: bigint): bigint {
  switch (operation) {
    case 'add':
      return a + b;
    case 'or':
      return a | b;
    case 'and':
      return a & b;
    case 'xor':
      return a ^ b;
    case 'xchg':
      return b;
    case undefined:
      throw new Bug('a modification without an operation');
  }
}
