/**
 * /proc/cpuinfo: the processor that the machine pretends to have, as the kernel's CPU model of the
 * architecture describes it.
 */
import type { BootConfig } from '../../config.ts';

export function cpuinfo({ cpus, arch }: BootConfig): string {
  const describe = arch === 'arm64' ? armProcessor : x86Processor;
  let text = '';
  for (let cpu = 0; cpu < cpus; cpu++) text += `${describe(cpu, cpus)}\n`;
  return text;
}

/** Skylake server: family 6, model 85 (arch/x86/include/asm/intel-family.h). */
function x86Processor(cpu: number, cpus: number): string {
  return lines([
    ['processor', cpu],
    ['vendor_id', 'GenuineIntel'],
    ['cpu family', 6],
    ['model', 85],
    ['model name', 'Intel(R) Xeon(R) Processor (Skylake), skep'],
    ['stepping', 4],
    ['physical id', 0],
    ['siblings', cpus],
    ['core id', cpu],
    ['cpu cores', cpus],
    ['apicid', cpu],
    ['fpu', 'yes'],
    ['fpu_exception', 'yes'],
    ['wp', 'yes'],
    ['flags', 'fpu tsc cx8 cmov mmx fxsr sse sse2 syscall nx lm constant_tsc nonstop_tsc'],
    ['clflush size', 64],
    ['cache_alignment', 64],
    ['address sizes', '46 bits physical, 48 bits virtual'],
  ]);
}

/** Neoverse N1: implementer 0x41 (Arm), part 0xd0c (arch/arm64/include/asm/cputype.h). */
function armProcessor(cpu: number): string {
  return lines([
    ['processor', cpu],
    ['BogoMIPS', '50.00'],
    ['Features', 'fp asimd aes pmull sha1 sha2 crc32 atomics'],
    ['CPU implementer', '0x41'],
    ['CPU architecture', 8],
    ['CPU variant', '0x3'],
    ['CPU part', '0xd0c'],
    ['CPU revision', 1],
  ]);
}

/** Names are padded with tabs to the column of the longest ones. */
function lines(rows: readonly (readonly [name: string, value: string | number])[]): string {
  return rows
    .map(([name, value]) => `${name}${name.length < 8 ? '\t\t' : '\t'}: ${value}\n`)
    .join('');
}
