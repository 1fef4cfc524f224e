/**
 * bpf(2): the commands of Linux 6.1 over the objects of one machine.
 *
 *   new BpfSubsystem(host)
 *   bpf.command(cmd, attrAddress, sizeBytes, caller)   0 or more, or a negative errno
 *   bpf.maps, bpf.progs, bpf.btfs, bpf.links           the objects, by id
 *   bpf.kernelBtf                                      what /sys/kernel/btf/vmlinux shows
 *
 * What a command needs beyond BPF itself (attaching, test runs of a program type) comes from
 * `BpfHost`, which the kernel implements and a bare RAM can do without.
 */
import { errno } from '../../kernel/types/errno.ts';
import type { Ns, RamOffset } from '../../kernel/types/units.ts';
import { ATTR, type AttrOf, BPF_ATTR_BYTES, decodeAttr, encodeAttr, tailIsZero } from '../attr.ts';
import type { Btf } from '../btf/btf.ts';
import type { Engine } from '../engine.ts';
import type { BpfMap, MapSpec } from '../maps/map.ts';
import type { ProgHost } from '../prog.ts';
import type { ProgTypeOps } from '../prog-type.ts';
import type { ProgramSpec, Verdict, VerifiedProgram } from '../program.ts';
import type { BpfRuntime, ProgramHold } from '../runtime.ts';
import { BPF_COMMANDS, type BpfCommand, type ProgType } from '../uapi.ts';
import type { VerifierEnv } from '../verifier/env.ts';
import * as attachCommands from './attach-commands.ts';
import * as btfCommands from './btf-commands.ts';
import type { BpfCaller, BpfCaps } from './caller.ts';
import * as idCommands from './id-commands.ts';
import { objGetInfoByFd } from './info.ts';
import * as linkCommands from './link-commands.ts';
import * as mapBatch from './map-batch.ts';
import * as mapCommands from './map-commands.ts';
import { BtfObject, IdTable, type LinkObject, type MapObject, type ProgObject } from './objects.ts';
import type { Attachment } from './objects.ts';
import type { OffloadDevice } from './offload.ts';
import { progBindMap, progLoad } from './prog-load.ts';
import { type TestRun, progTestRun } from './test-run.ts';

/** What the kernel around bpf(2) provides. */
export interface BpfHost {
  readonly runtime: BpfRuntime;
  /** The reference engine, and the JIT that hot programs are compiled with, once it is there. */
  readonly interpreter: Engine;
  jit(): Engine | undefined;
  readonly level: '6.1' | 'latest';
  progType(type: ProgType): ProgTypeOps | undefined;
  createMap(spec: MapSpec, caps: BpfCaps): BpfMap | number;
  nowNs(): Ns;
  /** kernel.bpf_stats_enabled; without a kernel nobody sets it. */
  statsEnabled?(): boolean;
  /** kernel.unprivileged_bpf_disabled is not 0. */
  unprivilegedDisabled(): boolean;
  /** Programs are only judged, never run: see VerifierEnv. */
  readonly checkOnly?: true;
  /** Address of a kernel variable by name, for ksyms. */
  symbolAddress?(name: string): bigint | undefined;
  /** Flags of a kernel function that programs of this type may call; absent: kfuncs/table.ts. */
  kfuncs?(type: ProgType, name: string): number | undefined;
  /** A program faulted while it ran: the kernel prints its oops. */
  reportOops: ProgHost['reportOops'];
  /** How test_run runs programs of a type; absent: -EOPNOTSUPP, as Linux has it. */
  testRun(type: ProgType): TestRun | undefined;
  /** Told of each verdict, with what it was reached under, for those who explain it. */
  verified?(spec: ProgramSpec, env: VerifierEnv, verdict: Verdict): void;
  /** The device that takes programs, or a negative errno; absent: none does. */
  offloadDevice?(ifindex: number): OffloadDevice | number;
  /** Attach points; without a kernel there are none. */
  readonly attach?: AttachPoints;
}

export interface AttachPoints {
  /** BPF_LINK_CREATE; `attr` is the whole union. */
  createLink(
    program: ProgObject,
    attr: Attr<'link_create'>,
    caller: BpfCaller,
  ): Attachment | number;
  rawTracepoint(program: ProgObject, name: string | undefined): Attachment | number;
  taskFdQuery(attr: Attr<'task_fd_query'>, caller: BpfCaller): number;
}

/** The values of a command's attr; what a handler changes is written back to the caller's. */
export type Attr<C extends BpfCommand> = { -readonly [K in keyof AttrOf<C>]: AttrOf<C>[K] };

/** `raw` is the attr's bytes, for the few members that are more than their value. */
type Handler<C extends BpfCommand> = (
  bpf: BpfSubsystem,
  attr: Attr<C>,
  caller: BpfCaller,
  raw: Uint8Array,
) => number;

const handlers: { readonly [C in BpfCommand]: Handler<C> } = {
  map_create: mapCommands.mapCreate,
  map_lookup_elem: mapCommands.mapLookupElem,
  map_update_elem: mapCommands.mapUpdateElem,
  map_delete_elem: mapCommands.mapDeleteElem,
  map_get_next_key: mapCommands.mapGetNextKey,
  map_lookup_and_delete_elem: mapCommands.mapLookupAndDeleteElem,
  map_freeze: mapCommands.mapFreeze,
  map_lookup_batch: mapBatch.mapLookupBatch,
  map_lookup_and_delete_batch: mapBatch.mapLookupAndDeleteBatch,
  map_update_batch: mapBatch.mapUpdateBatch,
  map_delete_batch: mapBatch.mapDeleteBatch,
  prog_load: progLoad,
  prog_bind_map: progBindMap,
  prog_test_run: progTestRun,
  obj_pin: idCommands.objPin,
  obj_get: idCommands.objGet,
  prog_get_next_id: idCommands.nextId((bpf) => bpf.progs),
  map_get_next_id: idCommands.nextId((bpf) => bpf.maps),
  btf_get_next_id: idCommands.nextId((bpf) => bpf.btfs),
  link_get_next_id: idCommands.nextId((bpf) => bpf.links),
  prog_get_fd_by_id: idCommands.progGetFdById,
  map_get_fd_by_id: idCommands.mapGetFdById,
  btf_get_fd_by_id: idCommands.btfGetFdById,
  link_get_fd_by_id: idCommands.linkGetFdById,
  obj_get_info_by_fd: objGetInfoByFd,
  btf_load: btfCommands.btfLoad,
  prog_attach: attachCommands.progAttach,
  prog_detach: attachCommands.progDetach,
  prog_query: attachCommands.progQuery,
  raw_tracepoint_open: linkCommands.rawTracepointOpen,
  task_fd_query: linkCommands.taskFdQuery,
  link_create: linkCommands.linkCreate,
  link_update: linkCommands.linkUpdate,
  link_detach: linkCommands.linkDetach,
  iter_create: linkCommands.iterCreate,
  enable_stats: linkCommands.enableStats,
};

/** Linux refuses a larger attr outright (bpf_check_uarg_tail_zero). */
const PAGE_SIZE = 4096;

export class BpfSubsystem {
  readonly host: BpfHost;
  readonly maps = new IdTable<MapObject>();
  readonly progs = new IdTable<ProgObject>();
  readonly btfs = new IdTable<BtfObject>();
  readonly links = new IdTable<LinkObject>();
  /** Maps by the offset of their struct bpf_map. */
  readonly mapsByOffset = new Map<number, MapObject>();
  /** The object of a program that engines know. */
  readonly progOf = new WeakMap<VerifiedProgram, ProgObject>();
  kernelBtf: BtfObject | undefined;
  #iterSessions = 0n;
  /** Holders of BPF_ENABLE_STATS. */
  statsUsers = 0;
  /** What programs see of all this. */
  readonly progHost: ProgHost;

  constructor(host: BpfHost, kernelBtf?: Btf) {
    this.host = host;
    this.progHost = {
      runtime: host.runtime,
      interpreter: host.interpreter,
      jit: () => host.jit(),
      statsEnabled: () => this.statsUsers > 0 || (host.statsEnabled?.() ?? false),
      reportOops: (prog, oops) => host.reportOops(prog, oops),
    };
    host.runtime.holdProgram = (program) => this.#holdProgram(program);
    if (kernelBtf) {
      host.runtime.kernelBtf = kernelBtf;
      this.kernelBtf = new BtfObject(kernelBtf, this.btfs, { name: 'vmlinux', isKernel: true });
    }
  }

  /** @param attrAddress user address of the attr, @param sizeBytes its size as the caller has it */
  command(command: number, attrAddress: bigint, sizeBytes: number, caller: BpfCaller): number {
    const name = BPF_COMMANDS[command];
    const privileged = caller.caps.bpf || !this.host.unprivilegedDisabled();
    if (!privileged && (name === 'map_create' || name === 'prog_load')) return -errno.EPERM;
    if (sizeBytes > PAGE_SIZE) return -errno.E2BIG;
    const given = caller.copyFromUser(attrAddress, sizeBytes);
    if (!given) return -errno.EFAULT;
    if (given.subarray(BPF_ATTR_BYTES).some((byte) => byte !== 0)) return -errno.E2BIG;
    if (name === undefined || !tailIsZero(name, given)) return -errno.EINVAL;
    const raw = new Uint8Array(ATTR[name].sizeBytes);
    raw.set(given.subarray(0, raw.length));
    const attr = decodeAttr(name, raw);
    const handler = handlers[name] as (
      bpf: BpfSubsystem,
      attr: unknown,
      caller: BpfCaller,
      raw: Uint8Array,
    ) => number;
    const result = handler(this, attr, caller, raw);
    const before = encodeAttr(name, decodeAttr(name, raw));
    const written = writeBack(before, encodeAttr(name, attr), attrAddress, caller);
    return written ? result : -errno.EFAULT;
  }

  /** A number for one reading of an iterator, which the program sees. */
  nextIterSession(): bigint {
    return ++this.#iterSessions;
  }

  #holdProgram(program: VerifiedProgram): ProgramHold | undefined {
    const object = this.progOf.get(program)?.get();
    return object && { guard: (call) => object.prog.guard(call), put: () => object.put() };
  }

  /** Room in RAM for bytes of a user's, freed by `use`'s end. */
  withScratch<T>(sizeBytes: number, use: (scratch: RamOffset) => T): T {
    const { ram } = this.host.runtime;
    const scratch = ram.kzalloc(Math.max(sizeBytes, 8));
    try {
      return use(scratch);
    } finally {
      ram.kfree(scratch);
    }
  }
}

/** What the command changed in its attr goes back to the caller, byte runs only. */
function writeBack(
  before: Uint8Array,
  after: Uint8Array,
  address: bigint,
  caller: BpfCaller,
): boolean {
  for (let i = 0; i < after.length; i += 4) {
    const word = after.subarray(i, i + 4);
    if (word.every((byte, k) => byte === before[i + k])) continue;
    if (!caller.copyToUser(address + BigInt(i), word)) return false;
  }
  return true;
}
