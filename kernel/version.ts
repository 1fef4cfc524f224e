/** What the kernel says it is: uname(2), /proc/version, the first line of the boot log. */
export const KERNEL_RELEASE = '6.1.0-skep';
export const KERNEL_VERSION = '#1 SMP PREEMPT_DYNAMIC skep 6.1.0-1';
export const KERNEL_MACHINE = { x86_64: 'x86_64', arm64: 'aarch64' } as const;
/** /proc/version */
export const KERNEL_BANNER = `Linux version ${KERNEL_RELEASE} (skep@skep) (TypeScript, WebAssembly) ${KERNEL_VERSION}`;
