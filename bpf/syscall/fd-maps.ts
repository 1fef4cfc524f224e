/**
 * Maps whose values are objects: user space writes a descriptor and reads an id. The map itself
 * keeps a 32-bit reference in each slot (a program's id, an inner map's RAM offset); the reference
 * counts are kept here, on the MapObject.
 */
import { errno } from '../../kernel/types/errno.ts';
import type { RamOffset } from '../../kernel/types/units.ts';
import type { BpfMap } from '../maps/map.ts';
import { permanentFlags } from '../maps/map-type.ts';
import { type ProgramSpec, typeInEffect } from '../program.ts';
import { uapi } from '../uapi.ts';
import type { BpfCaller } from './caller.ts';
import { mapOfFd, progOfFd } from './lookup.ts';
import type { MapObject } from './objects.ts';
import type { BpfSubsystem } from './subsystem.ts';

const FD_TYPES: ReadonlySet<string> = new Set(['prog_array', 'array_of_maps', 'hash_of_maps']);

export function userValueIsFd(map: BpfMap): boolean {
  return FD_TYPES.has(map.spec.type);
}

/** The value at `value` is a descriptor: resolve it, check that it fits, store the reference. */
export function setUserValue(
  bpf: BpfSubsystem,
  object: MapObject,
  key: RamOffset,
  value: RamOffset,
  flags: number,
  caller: BpfCaller,
): number {
  const { ram } = bpf.host.runtime;
  const fd = ram.view.getInt32(value, true);
  const held =
    object.map.spec.type === 'prog_array'
      ? progFor(object, fd, caller)
      : innerFor(object, fd, caller);
  if (typeof held === 'number') return held;
  const reference = held.kind === 'prog' ? held.id : held.map.offset;
  ram.view.setUint32(value, reference, true);
  const result = object.map.updateFromUser(key, value, flags);
  if (result >= 0) object.hold(keyText(bpf, object, key), held.get());
  return result;
}

/**
 * A prog_array has programs of one kind only: that of the first that is in it or uses it
 * (bpf_prog_map_compatible).
 */
export function fitsProgArray(object: MapObject, spec: ProgramSpec): boolean {
  const type = typeInEffect(spec);
  const hasFrags = (spec.flags & uapi.BPF_F_XDP_HAS_FRAGS) !== 0;
  object.owner ??= { type, hasFrags };
  return object.owner.type === type && object.owner.hasFrags === hasFrags;
}

function progFor(object: MapObject, fd: number, caller: BpfCaller) {
  const program = progOfFd(caller, fd);
  if (typeof program === 'number') return program;
  const { spec } = program.prog.verified;
  if (spec.type === 'ext' || !fitsProgArray(object, spec)) return -errno.EINVAL;
  return program.isExtended ? -errno.EBUSY : program;
}

/** An inner map must look like the one the outer was created with (bpf_map_meta_equal). */
function innerFor(object: MapObject, fd: number, caller: BpfCaller) {
  const inner = mapOfFd(caller, fd);
  if (typeof inner === 'number') return inner;
  const wanted = object.map.spec.innerMap!.spec;
  const { spec } = inner.map;
  // An array's size is in the code that looks it up, unless it is made to be exchanged.
  const needsSameSize = spec.type === 'array' && (spec.flags & uapi.BPF_F_INNER_MAP) === 0;
  const same =
    spec.type === wanted.type &&
    spec.keyBytes === wanted.keyBytes &&
    spec.valueBytes === wanted.valueBytes &&
    permanentFlags(spec.flags) === permanentFlags(wanted.flags) &&
    (!needsSameSize || spec.maxEntries === wanted.maxEntries);
  return same ? inner : -errno.EINVAL;
}

/** The id of what is in the slot, as user space reads it. */
export function userValueOfFdMap(
  bpf: BpfSubsystem,
  map: BpfMap,
  key: RamOffset,
  value: RamOffset,
): number {
  const result = map.copyValue(key, value, 0);
  if (result < 0) return result;
  const { view } = bpf.host.runtime.ram;
  const reference = view.getUint32(value, true);
  if (reference === 0) return -errno.ENOENT;
  if (map.spec.type !== 'prog_array') {
    view.setUint32(value, bpf.mapsByOffset.get(reference)?.map.id ?? 0, true);
  }
  return 0;
}

/** A slot is gone: give up what it held. */
export function dropUserValue(bpf: BpfSubsystem, object: MapObject, key: RamOffset): void {
  object.drop(keyText(bpf, object, key));
}

function keyText(bpf: BpfSubsystem, object: MapObject, key: RamOffset): string {
  return bpf.host.runtime.ram.bytes(key, object.map.spec.keyBytes).join();
}
