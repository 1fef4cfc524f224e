/**
 * Settings of a running kernel that several parts read and that user space changes through
 * /proc/sys. One object a machine, made at boot.
 */
import type { BootConfig } from './config.ts';

export interface IntegerSetting {
  value: number;
  readonly min: number;
  readonly max: number;
}

export interface KernelSettings {
  /** kernel.printk: console, default message, minimum and default console level. */
  readonly printkLevels: [number, number, number, number];
  readonly bpf: {
    readonly statsEnabled: IntegerSetting;
    /** 0 allowed, 1 forbidden for good, 2 forbidden (CONFIG_BPF_UNPRIV_DEFAULT_OFF). */
    readonly unprivilegedDisabled: IntegerSetting;
    readonly jitEnable: IntegerSetting;
    readonly jitHarden: IntegerSetting;
    readonly jitKallsyms: IntegerSetting;
    /** Bytes of JIT images that unprivileged users may have. */
    readonly jitLimit: IntegerSetting;
  };
}

export function defaultSettings(config: BootConfig): KernelSettings {
  const quiet = /(^|\s)quiet(\s|$)/.test(config.cmdline);
  return {
    // CONSOLE_LOGLEVEL_DEFAULT 7, with `quiet` 4 (include/linux/printk.h).
    printkLevels: [quiet ? 4 : 7, 4, 1, 7],
    bpf: {
      statsEnabled: { value: 0, min: 0, max: 1 },
      unprivilegedDisabled: { value: 2, min: 0, max: 2 },
      jitEnable: { value: 1, min: 0, max: 2 },
      jitHarden: { value: 0, min: 0, max: 2 },
      jitKallsyms: { value: 1, min: 0, max: 1 },
      // What an x86-64 machine computes from the size of its module area.
      jitLimit: { value: 528482304, min: 0, max: 2 ** 31 - 1 },
    },
  };
}
