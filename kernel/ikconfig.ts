/**
 * What this kernel was built with, as far as Linux has an option for it: /proc/config.gz and
 * /boot/config-RELEASE. Tools and programs' __kconfig variables decide by it.
 */
import { KERNEL_RELEASE } from './version.ts';

type Arch = 'x86_64' | 'arm64';

/** One fact a line, in the order of Linux's menus. What is not modelled is not set. */
const COMMON = `CONFIG_64BIT=y
CONFIG_MMU=y
CONFIG_LOCALVERSION="-skep"
CONFIG_DEFAULT_HOSTNAME="skep"
CONFIG_PREEMPT_DYNAMIC=y
CONFIG_HIGH_RES_TIMERS=y
CONFIG_BPF=y
CONFIG_HAVE_EBPF_JIT=y
CONFIG_BPF_SYSCALL=y
CONFIG_BPF_JIT=y
# CONFIG_BPF_JIT_ALWAYS_ON is not set
CONFIG_BPF_UNPRIV_DEFAULT_OFF=y
CONFIG_IKCONFIG=y
CONFIG_IKCONFIG_PROC=y
CONFIG_LOG_BUF_SHIFT=17
CONFIG_PRINTK=y
CONFIG_FUTEX=y
CONFIG_EPOLL=y
CONFIG_SHMEM=y
CONFIG_KALLSYMS=y
CONFIG_PERF_EVENTS=y
CONFIG_SMP=y
CONFIG_HZ_250=y
CONFIG_HZ=250
# CONFIG_MODULES is not set
CONFIG_NET=y
CONFIG_UNIX=y
CONFIG_INET=y
CONFIG_NET_CORE=y
CONFIG_RPS=y
CONFIG_DEVTMPFS=y
CONFIG_TTY=y
CONFIG_UNIX98_PTYS=y
CONFIG_PROC_FS=y
CONFIG_PROC_SYSCTL=y
CONFIG_SYSFS=y
CONFIG_TMPFS=y
CONFIG_DEBUG_FS=y
CONFIG_DEBUG_INFO=y
CONFIG_DEBUG_INFO_BTF=y
CONFIG_TRACEPOINTS=y
CONFIG_TRACING=y
CONFIG_FTRACE=y
CONFIG_FTRACE_SYSCALLS=y
CONFIG_BPF_EVENTS=y
`;

const ARCHITECTURE: Readonly<Record<Arch, string>> = {
  x86_64: `CONFIG_X86_64=y
CONFIG_X86=y
CONFIG_X86_TSC=y
CONFIG_ARCH_HAS_SYSCALL_WRAPPER=y
`,
  arm64: `CONFIG_ARM64=y
CONFIG_ARM64_4K_PAGES=y
CONFIG_ARCH_HAS_SYSCALL_WRAPPER=y
`,
};

export function kernelConfigText(arch: Arch): string {
  const version = KERNEL_RELEASE.replace(/-.*/, '');
  const title = arch === 'x86_64' ? 'x86' : 'arm64';
  return `#
# Automatically generated file; DO NOT EDIT.
# Linux/${title} ${version} Kernel Configuration
#
${ARCHITECTURE[arch]}${COMMON}`;
}

/** The text in gzip's format (RFC 1952), not made smaller: there is little of it. */
export function kernelConfigGzip(arch: Arch): Uint8Array {
  return gzipStored(new TextEncoder().encode(kernelConfigText(arch)));
}

/** A stored block of deflate holds so much (RFC 1951, 3.2.4). */
const MAX_STORED_BYTES = 0xffff;

function gzipStored(data: Uint8Array): Uint8Array {
  // ID, deflate, no flags, no time, no hint, made on Unix.
  const parts: Uint8Array[] = [Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3)];
  for (let at = 0; at === 0 || at < data.length; at += MAX_STORED_BYTES) {
    const block = data.subarray(at, at + MAX_STORED_BYTES);
    const isLast = at + MAX_STORED_BYTES >= data.length;
    const [low, high] = [block.length & 0xff, block.length >> 8];
    parts.push(Uint8Array.of(isLast ? 1 : 0, low, high, low ^ 0xff, high ^ 0xff), block);
  }
  const trailer = new Uint8Array(8);
  const view = new DataView(trailer.buffer);
  view.setUint32(0, crc32(data), true);
  view.setUint32(4, data.length, true);
  parts.push(trailer);
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function crc32(data: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const byte of data) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb8_8320 : 0);
  }
  return ~crc >>> 0;
}
