/** Who a task is: user and group ids, supplementary groups, capabilities. */
import { fromUser, structToUser } from '../mm/user-copy.ts';
import { CAP_SETGID, CAP_SETUID, Credentials } from '../sched/credentials.ts';
import type { Task } from '../sched/task.ts';
import { errno } from '../types/errno.ts';
import { syscall } from './row.ts';

const UNCHANGED = -1;
const NGROUPS_MAX = 65536;
/** _LINUX_CAPABILITY_VERSION_3 and the one before, both of two words a set. */
const CAPABILITY_VERSION_3 = 0x20080522;
const CAPABILITY_VERSION_2 = 0x20071026;

function becomeUser(task: Task, changes: { uid?: number; euid?: number; suid?: number }): number {
  const old = task.cred;
  const fsuid = changes.euid ?? old.euid;
  task.cred = Credentials.afterSetuid(old, old.with({ ...changes, fsuid }));
  return 0;
}

function setuid(task: Task, uid: number): number {
  const { cred } = task;
  if (cred.capable(CAP_SETUID)) return becomeUser(task, { uid, euid: uid, suid: uid });
  if (uid !== cred.uid && uid !== cred.values.suid) return -errno.EPERM;
  return becomeUser(task, { euid: uid });
}

function setgid(task: Task, gid: number): number {
  const { cred } = task;
  if (cred.capable(CAP_SETGID)) {
    task.cred = cred.with({ gid, egid: gid, sgid: gid, fsgid: gid });
    return 0;
  }
  if (gid !== cred.gid && gid !== cred.values.sgid) return -errno.EPERM;
  task.cred = cred.with({ egid: gid, fsgid: gid });
  return 0;
}

/** setresuid and setreuid: `saved` undefined is what setreuid derives. */
function setresuid(task: Task, ruid: number, euid: number, suid: number): number {
  const { uid, euid: oldE, suid: oldS } = task.cred.values;
  const wanted = [ruid | 0, euid | 0, suid | 0];
  const may = (id: number) => id === UNCHANGED || [uid, oldE, oldS].includes(id);
  if (!task.cred.capable(CAP_SETUID) && !wanted.every(may)) return -errno.EPERM;
  const [r, e, s] = wanted as [number, number, number];
  return becomeUser(task, {
    ...(r === UNCHANGED ? {} : { uid: r }),
    ...(e === UNCHANGED ? {} : { euid: e }),
    ...(s === UNCHANGED ? {} : { suid: s }),
  });
}

function setresgid(task: Task, rgid: number, egid: number, sgid: number): number {
  const { gid, egid: oldE, sgid: oldS } = task.cred.values;
  const wanted = [rgid | 0, egid | 0, sgid | 0];
  const may = (id: number) => id === UNCHANGED || [gid, oldE, oldS].includes(id);
  if (!task.cred.capable(CAP_SETGID) && !wanted.every(may)) return -errno.EPERM;
  const [r, e, s] = wanted as [number, number, number];
  task.cred = task.cred.with({
    ...(r === UNCHANGED ? {} : { gid: r }),
    ...(e === UNCHANGED ? {} : { egid: e, fsgid: e }),
    ...(s === UNCHANGED ? {} : { sgid: s }),
  });
  return 0;
}

function storeIds(task: Task, addresses: readonly number[], ids: readonly number[]): number {
  for (const [i, address] of addresses.entries()) {
    const stored = structToUser(task, address, 4, (view) => view.setUint32(0, ids[i]!, true));
    if (stored < 0) return stored;
  }
  return 0;
}

function getgroups(task: Task, size: number, address: number): number {
  const { groups } = task.cred;
  const room = size | 0;
  if (room < 0) return -errno.EINVAL;
  if (room === 0) return groups.length;
  if (room < groups.length) return -errno.EINVAL;
  const stored = structToUser(task, address, groups.length * 4, (view) =>
    groups.forEach((gid, i) => view.setUint32(i * 4, gid, true)),
  );
  return stored < 0 ? stored : groups.length;
}

function setgroups(task: Task, size: number, address: number): number {
  if (!task.cred.capable(CAP_SETGID)) return -errno.EPERM;
  if (size > NGROUPS_MAX) return -errno.EINVAL;
  const list = fromUser(task, address, size * 4);
  if (!list) return -errno.EFAULT;
  const groups = Array.from({ length: size }, (_, i) => list.getUint32(i * 4, true));
  task.cred = task.cred.with({ groups: groups.sort((a, b) => a - b) });
  return 0;
}

function capget(task: Task, headerAt: number, dataAt: number): number {
  const header = fromUser(task, headerAt, 8);
  if (!header) return -errno.EFAULT;
  const version = header.getUint32(0, true);
  if (version !== CAPABILITY_VERSION_3 && version !== CAPABILITY_VERSION_2) {
    const told = structToUser(task, headerAt, 4, (view) =>
      view.setUint32(0, CAPABILITY_VERSION_3, true),
    );
    return told < 0 || dataAt !== 0 ? -errno.EINVAL : 0;
  }
  if (dataAt === 0) return 0;
  const { capEffective, capPermitted, capInheritable } = task.cred.values;
  return structToUser(task, dataAt, 24, (view) => {
    for (const [word, shift] of [
      [0, 0n],
      [1, 32n],
    ] as const) {
      const at = word * 12;
      view.setUint32(at, Number((capEffective >> shift) & 0xffffffffn), true);
      view.setUint32(at + 4, Number((capPermitted >> shift) & 0xffffffffn), true);
      view.setUint32(at + 8, Number((capInheritable >> shift) & 0xffffffffn), true);
    }
  });
}

/** Only for oneself; sets may shrink, and the effective one grow up to the permitted. */
function capset(task: Task, headerAt: number, dataAt: number): number {
  const header = fromUser(task, headerAt, 8);
  const data = fromUser(task, dataAt, 24);
  if (!header || !data) return -errno.EFAULT;
  if (header.getUint32(0, true) !== CAPABILITY_VERSION_3) return -errno.EINVAL;
  const pid = header.getInt32(4, true);
  if (pid !== 0 && pid !== task.pid) return -errno.EPERM;
  const set = (at: number) =>
    BigInt(data.getUint32(at, true)) | (BigInt(data.getUint32(at + 12, true)) << 32n);
  const [capEffective, capPermitted, capInheritable] = [set(0), set(4), set(8)] as const;
  const old = task.cred.values;
  if (capPermitted & ~old.capPermitted) return -errno.EPERM;
  if (capEffective & ~capPermitted) return -errno.EPERM;
  if (capInheritable & ~(old.capInheritable | old.capPermitted)) return -errno.EPERM;
  task.cred = task.cred.with({ capEffective, capPermitted, capInheritable });
  return 0;
}

export const credRows = [
  syscall(102, 'getuid', '', (_kernel, task) => task.cred.uid),
  syscall(104, 'getgid', '', (_kernel, task) => task.cred.gid),
  syscall(105, 'setuid', 'uid_t uid', (_kernel, task, uid) => setuid(task, uid)),
  syscall(106, 'setgid', 'gid_t gid', (_kernel, task, gid) => setgid(task, gid)),
  syscall(107, 'geteuid', '', (_kernel, task) => task.cred.euid),
  syscall(108, 'getegid', '', (_kernel, task) => task.cred.egid),
  syscall(115, 'getgroups', 'int gidsetsize, gid_t *grouplist', (_kernel, task, size, at) =>
    getgroups(task, size, at),
  ),
  syscall(116, 'setgroups', 'int gidsetsize, gid_t *grouplist', (_kernel, task, size, at) =>
    setgroups(task, size, at),
  ),
  syscall(117, 'setresuid', 'uid_t ruid, uid_t euid, uid_t suid', (_kernel, task, r, e, s) =>
    setresuid(task, r, e, s),
  ),
  syscall(118, 'getresuid', 'uid_t *ruidp, uid_t *euidp, uid_t *suidp', (_k, task, r, e, s) => {
    const { uid, euid, suid } = task.cred.values;
    return storeIds(task, [r, e, s], [uid, euid, suid]);
  }),
  syscall(119, 'setresgid', 'gid_t rgid, gid_t egid, gid_t sgid', (_kernel, task, r, e, s) =>
    setresgid(task, r, e, s),
  ),
  syscall(120, 'getresgid', 'gid_t *rgidp, gid_t *egidp, gid_t *sgidp', (_k, task, r, e, s) => {
    const { gid, egid, sgid } = task.cred.values;
    return storeIds(task, [r, e, s], [gid, egid, sgid]);
  }),
  syscall(
    125,
    'capget',
    'cap_user_header_t header, cap_user_data_t dataptr',
    (_kernel, task, header, data) => capget(task, header, data),
  ),
  syscall(
    126,
    'capset',
    'cap_user_header_t header, const cap_user_data_t data',
    (_kernel, task, header, data) => capset(task, header, data),
  ),
];
