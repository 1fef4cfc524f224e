/** The machine as a whole: uname, sysinfo, the kernel log, random bytes, affinity, reboot. */
import type { Kernel } from '../machine-types.ts';
import { bytesFromUser, structToUser, toUser } from '../mm/user-copy.ts';
import { CAP_SYS_ADMIN } from '../fs/cred.ts';
import { KERNEL_MACHINE, KERNEL_RELEASE, KERNEL_VERSION } from '../version.ts';
import { CAP_SYS_BOOT, CAP_SYS_NICE, CAP_SYSLOG } from '../sched/credentials.ts';
import { reweigh } from '../sched/nice.ts';
import type { Task } from '../sched/task.ts';
import { errno } from '../types/errno.ts';
import { syscall } from './row.ts';
import { decodeText, encodeText } from '../types/text.ts';

/** struct new_utsname: six fields of __NEW_UTS_LEN + 1. */
const UTS_FIELD_BYTES = 65;

function uname(kernel: Kernel, task: Task, address: number): number {
  const { hostname, domainname } = kernel.uts;
  const fields = [
    'Linux',
    hostname,
    KERNEL_RELEASE,
    KERNEL_VERSION,
    KERNEL_MACHINE[kernel.config.arch],
    domainname,
  ];
  return structToUser(task, address, UTS_FIELD_BYTES * 6, (view) =>
    fields.forEach((text, i) => {
      for (let j = 0; j < text.length && j < UTS_FIELD_BYTES - 1; j++) {
        view.setUint8(i * UTS_FIELD_BYTES + j, text.charCodeAt(j));
      }
    }),
  );
}

function setName(
  kernel: Kernel,
  task: Task,
  field: 'hostname' | 'domainname',
  address: number,
  length: number,
): number {
  if (!task.cred.capable(CAP_SYS_ADMIN)) return -errno.EPERM;
  if (length < 0 || length > UTS_FIELD_BYTES - 1) return -errno.EINVAL;
  const bytes = bytesFromUser(task, address, length);
  if (!bytes) return -errno.EFAULT;
  kernel.uts[field] = decodeText(bytes).replace(/\0.*$/s, '');
  return 0;
}

/** sizeof(struct sysinfo) on 64 bit. */
const SYSINFO_BYTES = 112;

function sysinfo(kernel: Kernel, task: Task, address: number): number {
  const { pages } = kernel.ram;
  return structToUser(task, address, SYSINFO_BYTES, (view) => {
    view.setBigInt64(0, BigInt(Math.floor(kernel.clock() / 1e9)), true);
    view.setBigUint64(32, BigInt(pages.totalBytes), true);
    view.setBigUint64(40, BigInt(pages.freeBytes), true);
    view.setUint16(80, kernel.processes.taskCount, true);
    view.setUint32(104, 1, true); // mem_unit
  });
}

/** SYSLOG_ACTION_* (include/linux/syslog.h). */
const READ_ALL = 3;
const READ_CLEAR = 4;
const CLEAR = 5;
const CONSOLE_OFF = 6;
const CONSOLE_ON = 7;
const CONSOLE_LEVEL = 8;
const SIZE_UNREAD = 9;
const SIZE_BUFFER = 10;

function syslog(
  kernel: Kernel,
  task: Task,
  action: number,
  address: number,
  lengthArg: number,
): number {
  const { log } = kernel;
  const mayClear = task.cred.capable(CAP_SYSLOG) || task.cred.capable(CAP_SYS_ADMIN);
  if (action !== READ_ALL && action !== SIZE_BUFFER && !mayClear) return -errno.EPERM;
  switch (action) {
    case 0: // SYSLOG_ACTION_CLOSE and OPEN do nothing
    case 1:
      return 0;
    case READ_ALL:
    case READ_CLEAR: {
      const length = lengthArg | 0;
      if (address === 0 || length < 0) return -errno.EINVAL;
      const bytes = encodeText(log.text({ withLevel: true }));
      // The newest whole lines that fit, as the kernel chooses them.
      let start = Math.max(0, bytes.length - length);
      if (start > 0) start = bytes.indexOf(10, start - 1) + 1;
      const copied = toUser(task, address, bytes.subarray(start));
      if (copied < 0) return copied;
      if (action === READ_CLEAR) log.clear();
      return bytes.length - start;
    }
    case CLEAR:
      log.clear();
      return 0;
    case CONSOLE_OFF:
    case CONSOLE_ON:
    case CONSOLE_LEVEL:
      return 0;
    case SIZE_UNREAD:
      return encodeText(log.text()).length;
    case SIZE_BUFFER:
      return log.sizeBytes;
    default:
      return -errno.EINVAL;
  }
}

/** UAPI linux/reboot.h */
const REBOOT_MAGIC1 = 0xfee1dead;
const REBOOT_MAGIC2 = [0x28121969, 0x05121996, 0x16041998, 0x20112000];
const REBOOT_RESTART = 0x01234567;
const REBOOT_HALT = 0xcdef0123;
const REBOOT_CAD_ON = 0x89abcdef;
const REBOOT_CAD_OFF = 0;
const REBOOT_POWER_OFF = 0x4321fedc;

function reboot(kernel: Kernel, task: Task, magic1: number, magic2: number, cmd: number): number {
  if (!task.cred.capable(CAP_SYS_BOOT)) return -errno.EPERM;
  if (magic1 >>> 0 !== REBOOT_MAGIC1 || !REBOOT_MAGIC2.includes(magic2 >>> 0)) return -errno.EINVAL;
  switch (cmd >>> 0) {
    case REBOOT_RESTART:
      kernel.log.info('reboot: Restarting system');
      kernel.halt('reboot');
      return 0;
    case REBOOT_HALT:
      kernel.log.info('reboot: System halted');
      kernel.halt('poweroff');
      return 0;
    case REBOOT_POWER_OFF:
      kernel.log.info('reboot: Power down');
      kernel.halt('poweroff');
      return 0;
    case REBOOT_CAD_ON:
    case REBOOT_CAD_OFF:
      return 0;
    default:
      return -errno.EINVAL;
  }
}

const GRND_NONBLOCK = 1;
const GRND_RANDOM = 2;
const GRND_INSECURE = 4;
/** import_ubuf's MAX_RW_COUNT bounds it in Linux; nobody asks for that much at once. */
const MAX_RANDOM_BYTES = 2 ** 25 - 1;

/** What was stored before a fault; -EFAULT if nothing was. */
function getrandom(kernel: Kernel, task: Task, address: number, count: number): number {
  const CHUNK = 4096;
  for (let done = 0; done < count; done += CHUNK) {
    const bytes = kernel.random.bytes(Math.min(CHUNK, count - done));
    if (toUser(task, address + done, bytes) < 0) return done || -errno.EFAULT;
  }
  return count;
}

// --- CPUs and priorities ---

function affinityTarget(kernel: Kernel, task: Task, pid: number): Task | undefined {
  return (pid | 0) === 0 ? task : kernel.processes.task(pid | 0);
}

function setAffinity(
  kernel: Kernel,
  task: Task,
  pid: number,
  length: number,
  address: number,
): number {
  const mask = bytesFromUser(task, address, Math.min(length, 128));
  if (!mask) return -errno.EFAULT;
  const target = affinityTarget(kernel, task, pid);
  if (!target) return -errno.ESRCH;
  if (target.flags & 0x4000000) return -errno.EINVAL; // PF_NO_SETAFFINITY
  if (target.cred.uid !== task.cred.euid && !task.cred.capable(CAP_SYS_NICE)) return -errno.EPERM;
  const cpus = kernel.sched.cpus
    .map(({ id }) => id)
    .filter((id) => ((mask[id >> 3] ?? 0) >> (id & 7)) & 1);
  if (cpus.length === 0) return -errno.EINVAL;
  target.cpusAllowed.clear();
  for (const cpu of cpus) target.cpusAllowed.add(cpu);
  target.struct.nr_cpus_allowed = cpus.length;
  kernel.sched.enforceAffinity(target);
  return 0;
}

function getAffinity(
  kernel: Kernel,
  task: Task,
  pid: number,
  length: number,
  address: number,
): number {
  const bytes = 8 * Math.ceil(kernel.sched.cpus.length / 64);
  if (length < bytes || length % 8 !== 0) return -errno.EINVAL;
  const target = affinityTarget(kernel, task, pid);
  if (!target) return -errno.ESRCH;
  const mask = new Uint8Array(bytes);
  for (const cpu of target.cpusAllowed) mask[cpu >> 3]! |= 1 << (cpu & 7);
  return toUser(task, address, mask) < 0 ? -errno.EFAULT : bytes;
}

const PRIO_PROCESS = 0;

function setPriority(kernel: Kernel, task: Task, which: number, who: number, nice: number): number {
  // differs: priorities of groups and users are not settable.
  if (which !== PRIO_PROCESS) return -errno.EINVAL;
  const target = affinityTarget(kernel, task, who);
  if (!target) return -errno.ESRCH;
  const wanted = Math.max(-20, Math.min(19, nice | 0));
  if (target.cred.uid !== task.cred.euid && !task.cred.capable(CAP_SYS_NICE)) return -errno.EPERM;
  if (wanted < target.nice && !task.cred.capable(CAP_SYS_NICE)) return -errno.EACCES;
  reweigh(kernel, target, wanted);
  return 0;
}

export const systemRows = [
  syscall(63, 'newuname', 'struct new_utsname *name', uname),
  syscall(99, 'sysinfo', 'struct sysinfo *info', sysinfo),
  syscall(103, 'syslog', 'int type, char *buf, int len', syslog),
  syscall(140, 'getpriority', 'int which, int who', (kernel, task, which, who) => {
    if (which !== PRIO_PROCESS) return -errno.EINVAL;
    const target = affinityTarget(kernel, task, who);
    return target ? 20 - target.nice : -errno.ESRCH;
  }),
  syscall(141, 'setpriority', 'int which, int who, int niceval', setPriority),
  syscall(
    169,
    'reboot',
    'int magic1, int magic2, unsigned int cmd, void *arg',
    (kernel, task, magic1, magic2, cmd) => reboot(kernel, task, magic1, magic2, cmd),
  ),
  syscall(170, 'sethostname', 'char *name, int len', (kernel, task, address, length) =>
    setName(kernel, task, 'hostname', address, length),
  ),
  syscall(171, 'setdomainname', 'char *name, int len', (kernel, task, address, length) =>
    setName(kernel, task, 'domainname', address, length),
  ),
  syscall(
    203,
    'sched_setaffinity',
    'pid_t pid, unsigned int len, unsigned long *user_mask_ptr',
    setAffinity,
  ),
  syscall(
    204,
    'sched_getaffinity',
    'pid_t pid, unsigned int len, unsigned long *user_mask_ptr',
    getAffinity,
  ),
  syscall(
    309,
    'getcpu',
    'unsigned *cpup, unsigned *nodep, struct getcpu_cache *unused',
    (kernel, task, cpuAt, nodeAt) => {
      const put = (address: number, value: number) =>
        address === 0
          ? 0
          : structToUser(task, address, 4, (view) => view.setUint32(0, value, true));
      return put(cpuAt, kernel.sched.cpu.id) || put(nodeAt, 0);
    },
  ),
  syscall(
    318,
    'getrandom',
    'char *ubuf, size_t len, unsigned int flags',
    (kernel, task, address, length, flags) => {
      if (flags & ~(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE)) return -errno.EINVAL;
      return getrandom(kernel, task, address, Math.min(length, MAX_RANDOM_BYTES));
    },
  ),
];
