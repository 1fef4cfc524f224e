/**
 * A task's credentials. Immutable, as Linux's struct cred: whoever changes ids or capabilities
 * makes a new one with `with()`, and the task's struct cred in RAM is rewritten from it.
 */
import type { Cred } from '../fs/cred.ts';
import { inGroup } from '../fs/cred.ts';

/** UAPI linux/capability.h: capability numbers, as far as something here asks for them. */
export const CAP_KILL = 5;
export const CAP_SETGID = 6;
export const CAP_SETUID = 7;
export const CAP_SETPCAP = 8;
export const CAP_NET_ADMIN = 12;
export const CAP_NET_RAW = 13;
export const CAP_SYS_BOOT = 22;
export const CAP_SYS_NICE = 23;
export const CAP_SYSLOG = 34;
export const CAP_PERFMON = 38;
export const CAP_BPF = 39;
/** CAP_CHECKPOINT_RESTORE */
export const CAP_LAST_CAP = 40;
export const CAP_FULL_SET = (1n << BigInt(CAP_LAST_CAP + 1)) - 1n;

export interface CredentialValues {
  readonly uid: number;
  readonly gid: number;
  readonly euid: number;
  readonly egid: number;
  readonly suid: number;
  readonly sgid: number;
  readonly fsuid: number;
  readonly fsgid: number;
  readonly groups: readonly number[];
  readonly capInheritable: bigint;
  readonly capPermitted: bigint;
  readonly capEffective: bigint;
  readonly capBounding: bigint;
  readonly capAmbient: bigint;
}

const ROOT: CredentialValues = {
  uid: 0,
  gid: 0,
  euid: 0,
  egid: 0,
  suid: 0,
  sgid: 0,
  fsuid: 0,
  fsgid: 0,
  groups: [],
  capInheritable: 0n,
  capPermitted: CAP_FULL_SET,
  capEffective: CAP_FULL_SET,
  capBounding: CAP_FULL_SET,
  capAmbient: 0n,
};

export class Credentials implements Cred {
  readonly values: CredentialValues;

  constructor(values: CredentialValues) {
    this.values = values;
  }

  /** What the first process starts with. */
  static root(): Credentials {
    return new Credentials(ROOT);
  }

  get uid(): number {
    return this.values.uid;
  }
  get gid(): number {
    return this.values.gid;
  }
  get euid(): number {
    return this.values.euid;
  }
  get egid(): number {
    return this.values.egid;
  }
  get fsuid(): number {
    return this.values.fsuid;
  }
  get fsgid(): number {
    return this.values.fsgid;
  }
  get groups(): readonly number[] {
    return this.values.groups;
  }

  capable(capability: number): boolean {
    return ((this.values.capEffective >> BigInt(capability)) & 1n) === 1n;
  }

  inGroup(gid: number): boolean {
    return inGroup(this, gid);
  }

  with(changes: Partial<CredentialValues>): Credentials {
    return new Credentials({ ...this.values, ...changes });
  }

  /**
   * After a change of uids: leaving root drops capabilities, coming back raises them
   * (security/commoncap.c, cap_emulate_setxuid).
   */
  static afterSetuid(old: Credentials, next: Credentials): Credentials {
    const had = old.values;
    const has = next.values;
    const anyRoot = (v: CredentialValues) => v.uid === 0 || v.euid === 0 || v.suid === 0;
    let { capPermitted, capEffective, capAmbient } = has;
    if (anyRoot(had) && !anyRoot(has)) {
      capPermitted = 0n;
      capEffective = 0n;
      capAmbient = 0n;
    }
    if (had.euid === 0 && has.euid !== 0) capEffective = 0n;
    if (had.euid !== 0 && has.euid === 0) capEffective = capPermitted;
    return next.with({ capPermitted, capEffective, capAmbient });
  }

  /** exec: root gets everything it is bounded by, anyone else what is inheritable or ambient. */
  afterExec(): Credentials {
    const { euid, uid, capBounding, capInheritable, capAmbient } = this.values;
    const rootish = euid === 0 || uid === 0;
    const capPermitted = rootish ? capInheritable | capBounding : capAmbient;
    return this.with({
      suid: euid,
      sgid: this.values.egid,
      capPermitted,
      capEffective: euid === 0 ? capPermitted : capAmbient,
    });
  }
}
