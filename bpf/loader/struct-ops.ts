/**
 * struct_ops: a table of functions that a program provides to the kernel, laid out as the object
 * has it and brought into the kernel's layout, member by member, as libbpf does.
 *
 *   const table = kernelStructOps(map, objectBtf, kernelBtf);
 *   table.value                        what the map's element gets, without the programs
 *   table.functions                    where each program's descriptor goes in it
 */
import { errno } from '../../kernel/types/errno.ts';
import type { Btf } from '../btf/btf.ts';
import type { BtfComposite, BtfMember } from '../btf/types.ts';
import type { ObjectMap, ObjectSpec } from '../elf/object-spec.ts';
import { LoadError } from './failure.ts';

export interface KernelStructOps {
  /** The kernel's struct, which programs name as what they attach to. */
  readonly structTypeId: number;
  /** `bpf_struct_ops_NAME`: the struct with a head, the value of the map. */
  readonly valueTypeId: number;
  readonly value: Uint8Array;
  readonly functions: readonly StructOpsFunction[];
}

export interface StructOpsFunction {
  readonly program: string;
  /** Of the member in the kernel's struct; loading takes it in place of an attach type. */
  readonly memberIndex: number;
  /** Byte offset in the map's value. */
  readonly offset: number;
}

export function kernelStructOps(
  map: ObjectMap,
  local: Btf,
  kernel: Btf | undefined,
): KernelStructOps {
  const localStruct = local.typeAs(map.structOps!.typeId, 'struct')!;
  const { name } = localStruct;
  const fail = (code: number, why: string): never => {
    throw new LoadError(code, [`libbpf: struct_ops init_kern${why}`]);
  };
  const structTypeId = kernel?.find(name, 'struct');
  if (kernel === undefined || structTypeId === undefined) {
    return fail(errno.ENOENT, `: struct ${name} is not found in kernel BTF`);
  }
  const valueName = `bpf_struct_ops_${name}`;
  const valueTypeId = kernel.find(valueName, 'struct');
  if (valueTypeId === undefined) {
    return fail(errno.ENOENT, `: struct ${valueName} is not found in kernel BTF`);
  }
  const valueStruct = kernel.typeAs(valueTypeId, 'struct')!;
  const place = valueStruct.members.find(({ type }) => type === structTypeId);
  if (place === undefined) {
    return fail(errno.EINVAL, `: struct ${name} data is not found in struct ${valueName}`);
  }
  const member = new MemberCopy(map, local, kernel, (why) =>
    fail(errno.EOPNOTSUPP, ` ${map.name}: ${why}`),
  );
  const value = new Uint8Array(valueStruct.size);
  const kernelStruct = kernel.typeAs(structTypeId, 'struct')!;
  const base = place.bitOffset / 8;
  const functions = localStruct.members.flatMap(
    (one) => member.copy(one, kernelStruct, value, base) ?? [],
  );
  return { structTypeId, valueTypeId, value, functions };
}

class MemberCopy {
  readonly #map: ObjectMap;
  readonly #local: Btf;
  readonly #kernel: Btf;
  readonly #fail: (why: string) => never;

  constructor(map: ObjectMap, local: Btf, kernel: Btf, fail: (why: string) => never) {
    this.#map = map;
    this.#local = local;
    this.#kernel = kernel;
    this.#fail = fail;
  }

  /** The function that the member holds; data goes into `value`, whose struct starts at `base`. */
  copy(
    { name, type, bitOffset, bitSize }: BtfMember,
    struct: BtfComposite,
    value: Uint8Array,
    base: number,
  ): StructOpsFunction | undefined {
    const memberIndex = struct.members.findIndex((one) => one.name === name);
    const target = struct.members[memberIndex];
    if (target === undefined) return this.#fail(`Cannot find member ${name} in kernel BTF`);
    if (bitSize !== 0 || target.bitSize !== 0) this.#fail(`bitfield ${name} is not supported`);
    const [from, to] = [this.#local.resolved(type), this.#kernel.resolved(target.type)];
    if (from.kind !== to.kind) {
      this.#fail(`Unmatched member type ${name} ${from.kind} != ${to.kind}(kernel)`);
    }
    const offset = base + target.bitOffset / 8;
    if (from.kind === 'ptr') {
      const known = this.#map.structOps!.functions.find((one) => one.offset === bitOffset / 8);
      if (known === undefined) return undefined;
      const pointed = to.kind === 'ptr' ? this.#kernel.resolved(to.type) : to;
      if (pointed.kind !== 'func_proto') this.#fail(`kernel member ${name} is not a func ptr`);
      return { program: known.program, memberIndex, offset };
    }
    const size = this.#local.sizeOf(type) ?? 0;
    const targetSize = this.#kernel.sizeOf(target.type) ?? 0;
    if (size !== targetSize) {
      this.#fail(`Error in size of member ${name}: ${size} != ${targetSize}(kernel)`);
    }
    value.set(this.#map.data!.subarray(bitOffset / 8, bitOffset / 8 + size), offset);
    return undefined;
  }
}

/** Tables of an object by the map's name. */
export function allStructOps(
  spec: ObjectSpec,
  kernel: Btf | undefined,
): ReadonlyMap<string, KernelStructOps> {
  const tables = spec.maps.filter(({ structOps }) => structOps !== undefined);
  return new Map(tables.map((map) => [map.name, kernelStructOps(map, spec.btf!, kernel)]));
}

/** What BPF_MAP_UPDATE_ELEM registers the table with. */
export function structOpsValue(
  { value, functions }: KernelStructOps,
  programs: ReadonlyMap<string, number>,
): Uint8Array {
  const filled = value.slice();
  const view = new DataView(filled.buffer);
  for (const { program, offset } of functions) {
    view.setBigUint64(offset, BigInt(programs.get(program) ?? 0), true);
  }
  return filled;
}
