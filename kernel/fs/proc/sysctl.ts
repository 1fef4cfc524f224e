/**
 * /proc/sys: the settings that something in this kernel reads or that tools look for. A setting is
 * a value with its bounds; other subsystems add theirs through procfs.sysctl.
 */
import { errno } from '../../types/errno.ts';
import { CAP_SYS_ADMIN } from '../cred.ts';
import type { IntegerSetting } from '../../settings.ts';
import { KERNEL_RELEASE, KERNEL_VERSION } from '../../version.ts';
import type { Procfs } from './procfs.ts';
import { PID_MAX } from '../../sched/process-table.ts';

export interface SysctlValue {
  /** Without the newline. */
  readonly show: () => string;
  /** 0 or -errno. */
  readonly store?: (text: string) => number;
  readonly mode?: number;
}

/** proc_dointvec_minmax: one decimal number in range, else -EINVAL. */
export function integerSysctl(setting: IntegerSetting, isAllowed?: (value: number) => boolean) {
  return {
    show: () => String(setting.value),
    store: (text: string): number => {
      const word = text.trim();
      if (!/^-?\d+$/.test(word)) return -errno.EINVAL;
      const value = Number(word);
      if (value < setting.min || value > setting.max) return -errno.EINVAL;
      if (isAllowed && !isAllowed(value)) return -errno.EPERM;
      setting.value = value;
      return 0;
    },
  } satisfies SysctlValue;
}

export function addSysctls(procfs: Procfs): void {
  const { uts } = procfs.kernel;
  const readOnly = (path: string, show: () => string): void => procfs.sysctl(path, { show });
  readOnly('kernel/ostype', () => 'Linux');
  readOnly('kernel/osrelease', () => KERNEL_RELEASE);
  readOnly('kernel/version', () => KERNEL_VERSION);
  readOnly('kernel/ngroups_max', () => '65536');
  readOnly('kernel/pid_max', () => String(PID_MAX));
  procfs.sysctl('kernel/hostname', {
    show: () => uts.hostname,
    store: (text) => {
      uts.hostname = text.replace(/\n.*$/s, '').slice(0, 64);
      return 0;
    },
  });
  procfs.sysctl('kernel/domainname', {
    show: () => uts.domainname,
    store: (text) => {
      uts.domainname = text.replace(/\n.*$/s, '').slice(0, 64);
      return 0;
    },
  });
  addPrintk(procfs);
  addBpf(procfs);
}

/** console_loglevel, default_message_loglevel, minimum and default console level. */
function addPrintk(procfs: Procfs): void {
  const levels = procfs.kernel.settings.printkLevels;
  procfs.sysctl('kernel/printk', {
    show: () => levels.join('\t'),
    store: (text) => {
      const words = text.trim().split(/\s+/);
      if (words.length > levels.length || !words.every((word) => /^\d+$/.test(word))) {
        return -errno.EINVAL;
      }
      for (const [i, word] of words.entries()) levels[i] = Number(word);
      return 0;
    },
  });
}

function addBpf(procfs: Procfs): void {
  const { sched } = procfs.kernel;
  const settings = procfs.kernel.settings.bpf;
  const admin = () => sched.current.cred.capable(CAP_SYS_ADMIN);
  procfs.sysctl('kernel/bpf_stats_enabled', integerSysctl(settings.statsEnabled, admin));
  // Once it is 1 it stays so until the next boot (bpf_unpriv_handler).
  const unprivileged = settings.unprivilegedDisabled;
  procfs.sysctl(
    'kernel/unprivileged_bpf_disabled',
    integerSysctl(unprivileged, (value) => admin() && (unprivileged.value !== 1 || value === 1)),
  );
  procfs.sysctl('net/core/bpf_jit_enable', integerSysctl(settings.jitEnable));
  const secret = { mode: 0o600 };
  procfs.sysctl('net/core/bpf_jit_harden', { ...integerSysctl(settings.jitHarden), ...secret });
  procfs.sysctl('net/core/bpf_jit_kallsyms', {
    ...integerSysctl(settings.jitKallsyms),
    ...secret,
  });
  procfs.sysctl('net/core/bpf_jit_limit', { ...integerSysctl(settings.jitLimit), ...secret });
}
