/** The files that user space comes with, path to content. */
import { KERNEL_RELEASE } from '../../kernel/version.ts';

const PROFILE = `# Read by login shells.
export PS1='\\u@\\h:\\w\\$ '
export PAGER=less
alias ll='ls -l'
alias la='ls -la'
alias grep='grep --color=auto'
`;

const MOTD = `
 skep: a Linux-like kernel in a tab. Programs answer to --help; 'help' lists the shell's commands.

`;

/** What this kernel is made with, as far as Linux has a name for it. */
const KERNEL_CONFIG = `CONFIG_64BIT=y
CONFIG_SMP=y
CONFIG_HZ_250=y
CONFIG_HZ=250
CONFIG_PREEMPT_DYNAMIC=y
CONFIG_LOG_BUF_SHIFT=17
CONFIG_PRINTK=y
CONFIG_BPF=y
CONFIG_BPF_SYSCALL=y
CONFIG_BPF_JIT=y
CONFIG_BPF_EVENTS=y
CONFIG_NET=y
CONFIG_INET=y
CONFIG_PROC_FS=y
CONFIG_SYSFS=y
CONFIG_TMPFS=y
CONFIG_TRACING=y
CONFIG_FTRACE_SYSCALLS=y
CONFIG_PERF_EVENTS=y
CONFIG_DEBUG_INFO_BTF=y
`;

export function userFiles(): Record<string, string> {
  return {
    '/etc/passwd':
      'root:x:0:0:root:/root:/bin/sh\n' +
      'daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n' +
      'nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n',
    '/etc/group': 'root:x:0:\ndaemon:x:1:\ntty:x:5:\nnogroup:x:65534:\n',
    '/etc/profile': PROFILE,
    '/etc/motd': MOTD,
    '/etc/shells': '/bin/sh\n',
    [`/boot/config-${KERNEL_RELEASE}`]: KERNEL_CONFIG,
  };
}
