/**
 * The objects that bpf(2) hands out descriptors for, counted by reference: file descriptors, pins,
 * attachments and programs (for their maps) each hold one. The last put frees.
 *
 *   object.get() / object.put()    take and give up a reference
 *   object.getUser() / putUser()   the same for descriptors and pins
 *   IdTable                        ids in the order of creation, as Linux's cyclic idr gives them
 */
import type { Ns } from '../../kernel/types/units.ts';
import { Bug } from '../../kernel/types/units.ts';
import type { Btf } from '../btf/btf.ts';
import type { BpfIteration } from '../iter/iterator.ts';
import type { BpfMap } from '../maps/map.ts';
import type { BpfProg } from '../prog.ts';
import type { AttachType, LinkType, ProgType } from '../uapi.ts';
import { uapi } from '../uapi.ts';
import type { DeviceCode, OffloadDevice } from './offload.ts';
import type { Trampoline } from '../trampoline.ts';

export abstract class Counted {
  #references = 1;

  get(): this {
    if (this.#references === 0) throw new Bug('reference taken to a freed BPF object');
    this.#references++;
    return this;
  }

  put(): void {
    if (this.#references === 0) throw new Bug('BPF object freed twice');
    if (--this.#references === 0) this.destroy();
  }

  get references(): number {
    return this.#references;
  }

  /**
   * A reference of user space's: a descriptor or a pin. Maps tell these from others (`usercnt`),
   * since some of what they hold ends with the last of them.
   */
  getUser(): this {
    return this.get();
  }

  putUser(): void {
    this.put();
  }

  protected abstract destroy(): void;
}

/** Ids of one kind of object. They only grow, so an id is never another object's within a run. */
export class IdTable<T> {
  readonly #byId = new Map<number, T>();
  #next = 1;

  add(object: T): number {
    const id = this.#next++;
    this.#byId.set(id, object);
    return id;
  }

  remove(id: number): void {
    this.#byId.delete(id);
  }

  byId(id: number): T | undefined {
    return this.#byId.get(id);
  }

  /** The smallest id above `id`; undefined at the end. */
  after(id: number): number | undefined {
    for (const candidate of this.#byId.keys()) if (candidate > id) return candidate;
    return undefined;
  }

  values(): Iterable<T> {
    return this.#byId.values();
  }
}

export class MapObject extends Counted {
  readonly kind = 'map';
  readonly map: BpfMap;
  readonly btf: BtfObject | undefined;
  /** The network device that has it. */
  readonly device: OffloadDevice | undefined;
  /** Kind of the programs in a prog_array: all must agree with the first. */
  owner: { readonly type: ProgType; readonly hasFrags: boolean } | undefined;
  /** Programs of a socket map, by where its sockets run them. */
  readonly sockProgs = new Map<AttachType, ProgObject>();
  /** Objects that elements refer to, by key. */
  readonly #held = new Map<string, Counted>();
  readonly #addedBy = new Map<number, object>();
  readonly #ids: IdTable<MapObject>;
  readonly #byOffset: Map<number, MapObject>;
  /** Writable mmaps of the map; while there are any it cannot be frozen. */
  writableMappings = 0;
  /** The creator's descriptor is the first. */
  #users = 1;

  constructor(
    map: BpfMap,
    btf: BtfObject | undefined,
    ids: IdTable<MapObject>,
    byOffset: Map<number, MapObject>,
    device?: OffloadDevice,
  ) {
    super();
    this.map = map;
    this.btf = btf?.get();
    this.device = device;
    this.#ids = ids;
    this.#byOffset = byOffset;
    map.id = ids.add(this);
    byOffset.set(map.offset, this);
  }

  /** An element now refers to `object`; the caller's reference passes to the map. */
  hold(key: string, object: Counted): void {
    if (this.#isProgArray) (object as ProgObject).slotsHeld++;
    this.drop(key);
    this.#held.set(key, object);
  }

  drop(key: string): void {
    const object = this.#held.get(key);
    if (!object) return;
    this.#held.delete(key);
    this.#release(object);
  }

  /** A perf event has come into slot `index` through the descriptor behind `handle`. */
  noteAdded(index: number, handle: object): void {
    this.#addedBy.set(index, handle);
  }

  /** Perf events leave with the descriptor by which they came (perf_event_fd_array_release). */
  dropAddedBy(handle: object): void {
    if ((this.map.spec.flags & uapi.BPF_F_PRESERVE_ELEMS) !== 0) return;
    for (const [index, by] of this.#addedBy) {
      if (by !== handle) continue;
      this.map.clearSlot?.(index);
      this.#addedBy.delete(index);
    }
  }

  override getUser(): this {
    this.map.setUsers(++this.#users);
    return this.get();
  }

  /**
   * With the last one, programs leave a prog_array or a socket map, and timers in values end
   * (map_release_uref).
   */
  override putUser(): void {
    this.map.setUsers(--this.#users);
    if (this.#users === 0 && this.map.spec.type === 'prog_array') this.#dropAll();
    if (this.#users === 0) this.#dropSockProgs();
    this.put();
  }

  protected override destroy(): void {
    this.#ids.remove(this.map.id);
    this.#byOffset.delete(this.map.offset);
    this.#dropAll();
    this.map.free();
    this.btf?.put();
  }

  #dropSockProgs(): void {
    for (const program of this.sockProgs.values()) program.put();
    this.sockProgs.clear();
  }

  #dropAll(): void {
    for (const object of this.#held.values()) this.#release(object);
    this.#held.clear();
  }

  get #isProgArray(): boolean {
    return this.map.spec.type === 'prog_array';
  }

  #release(object: Counted): void {
    if (this.#isProgArray) (object as ProgObject).slotsHeld--;
    object.put();
  }
}

/** A function of a program: what something is attached to. */
export interface ProgFunction {
  readonly program: ProgObject;
  readonly btfId: number;
}

export class ProgObject extends Counted {
  readonly kind = 'prog';
  readonly id: number;
  readonly prog: BpfProg;
  readonly maps: MapObject[];
  readonly btf: BtfObject | undefined;
  readonly loadedAtNs: Ns;
  readonly uid: number;
  readonly attachType: AttachType;
  /** The network device that it was loaded for, and what that made of it. */
  readonly offload: { readonly device: OffloadDevice; readonly code: DeviceCode } | undefined;
  /** What it was loaded for, until it is attached (dst_prog); the reference is its own. */
  loadedFor: ProgFunction | undefined;
  /** What is attached to its functions, by their BTF id. */
  readonly trampolines = new Map<number, Trampoline>();
  /**
   * Slots of prog_arrays that it is in, and whether one of its functions is replaced: never both,
   * as a replacement that tail-calls the program that it is in would never end.
   */
  slotsHeld = 0;
  isExtended = false;
  readonly #ids: IdTable<ProgObject>;

  constructor(
    of: {
      readonly prog: BpfProg;
      readonly maps: readonly MapObject[];
      readonly btf: BtfObject | undefined;
      readonly loadedAtNs: Ns;
      readonly uid: number;
      readonly attachType: AttachType;
      readonly offload?: ProgObject['offload'];
      readonly loadedFor?: ProgFunction | undefined;
    },
    ids: IdTable<ProgObject>,
  ) {
    super();
    this.prog = of.prog;
    this.maps = of.maps.map((map) => map.get());
    this.btf = of.btf?.get();
    this.loadedAtNs = of.loadedAtNs;
    this.uid = of.uid;
    this.attachType = of.attachType;
    this.offload = of.offload;
    this.loadedFor = of.loadedFor;
    of.loadedFor?.program.get();
    this.#ids = ids;
    this.id = ids.add(this);
  }

  /** Keep a map alive that no instruction names (.rodata of metadata, for one). */
  bindMap(map: MapObject): void {
    if (!this.maps.includes(map)) this.maps.push(map.get());
  }

  protected override destroy(): void {
    this.#ids.remove(this.id);
    this.offload?.code.free();
    this.prog.free();
    this.loadedFor?.program.put();
    for (const map of this.maps) map.put();
    this.btf?.put();
  }
}

export class BtfObject extends Counted {
  readonly kind = 'btf';
  readonly id: number;
  readonly btf: Btf;
  readonly name: string;
  readonly isKernel: boolean;
  readonly #ids: IdTable<BtfObject>;

  constructor(
    btf: Btf,
    ids: IdTable<BtfObject>,
    { name = '', isKernel = false }: { readonly name?: string; readonly isKernel?: boolean } = {},
  ) {
    super();
    this.btf = btf;
    this.name = name;
    this.isKernel = isKernel;
    this.#ids = ids;
    this.id = ids.add(this);
  }

  protected override destroy(): void {
    this.#ids.remove(this.id);
  }
}

/** What a hook gives back for an attachment; bpf(2) makes a link of it. */
export interface Attachment {
  readonly type: LinkType;
  /** BPF_LINK_DETACH is allowed; detach() itself is also what the last put does. */
  readonly detachable: boolean;
  detach(): void;
  /** Swap the program in place: 0 or a negative errno. Absent: links of this type cannot. */
  replace?(program: ProgObject): number;
  /** Iterators: a new reading of what the link is attached to. */
  iterate?(program: ProgObject): BpfIteration;
  /** The type's part of struct bpf_link_info, after `prog_id`. */
  info(): LinkInfo;
}

/** Fields of the union in struct bpf_link_info by their names in bpf/info.ts; strings apart. */
export interface LinkInfo {
  readonly fields: Readonly<Record<string, number | bigint>>;
  /** A name that goes to the caller's buffer: a tracepoint's, an iterator's target. */
  readonly name?: string;
}

export class LinkObject extends Counted {
  readonly kind = 'link';
  readonly id: number;
  program: ProgObject;
  readonly attachment: Attachment;
  #attached = true;
  readonly #ids: IdTable<LinkObject>;

  constructor(program: ProgObject, attachment: Attachment, ids: IdTable<LinkObject>) {
    super();
    this.program = program.get();
    this.attachment = attachment;
    this.#ids = ids;
    this.id = ids.add(this);
  }

  detach(): void {
    if (!this.#attached) return;
    this.#attached = false;
    this.attachment.detach();
  }

  replaceProgram(program: ProgObject): void {
    program.get();
    this.program.put();
    this.program = program;
  }

  protected override destroy(): void {
    this.detach();
    this.#ids.remove(this.id);
    this.program.put();
  }
}

/** Counts run times while its descriptor is open (BPF_ENABLE_STATS). */
export class StatsObject extends Counted {
  readonly kind = 'stats';
  readonly #end: () => void;

  constructor(end: () => void) {
    super();
    this.#end = end;
  }

  protected override destroy(): void {
    this.#end();
  }
}

/** A reading of an iterator (BPF_ITER_CREATE). */
export class IterObject extends Counted {
  readonly kind = 'iter';
  readonly iteration: BpfIteration;
  readonly #link: LinkObject;

  constructor(link: LinkObject, iteration: BpfIteration) {
    super();
    this.#link = link.get();
    this.iteration = iteration;
  }

  protected override destroy(): void {
    this.iteration.free();
    this.#link.put();
  }
}

export type BpfObject = IterObject | MapObject | ProgObject | BtfObject | LinkObject | StatsObject;
