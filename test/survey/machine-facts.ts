/** What skep's own machine knows of itself, as far as loading and attaching programs asks for it. */
import type { ObjectProgram } from '../../bpf/elf/object-spec.ts';
import { kernelConfigOf } from '../../bpf/loader/kconfig.ts';
import type { KernelKnowledge } from '../../bpf/loader/resolve.ts';
import type { HostAssets } from '../../kernel/config.ts';
import { kernelConfigText } from '../../kernel/ikconfig.ts';
import { bootMachine } from '../../kernel/machine.ts';
import { KERNEL_RELEASE } from '../../kernel/version.ts';

export interface MachineFacts {
  readonly knowledge: KernelKnowledge;
  /** What a program would be attached to, where the machine does not have it. */
  missingTarget(program: ObjectProgram): string | undefined;
}

export async function machineFacts(assets: HostAssets): Promise<MachineFacts> {
  const machine = await bootMachine({}, assets);
  const { kallsyms, bpf } = machine;
  const registry = machine.tracing.registry;
  const symbol = (name: string) => kallsyms.address(name);
  return {
    knowledge: {
      btf: bpf.kernelBtf!.btf,
      config: kernelConfigOf(kernelConfigText('x86_64'), KERNEL_RELEASE),
      symbol,
    },
    missingTarget: ({ def, target }) => {
      // Names that tools put another one in place of when they run.
      if (target === '' || target.startsWith('dummy_')) return undefined;
      switch (def?.attach) {
        case 'tracepoint': {
          const [system = '', name = ''] = target.split('/');
          const known = registry.find(system, name) !== undefined;
          return known ? undefined : `tracepoint ${system}:${name}`;
        }
        case 'raw_tracepoint':
          return registry.findByName(target) ? undefined : `tracepoint ${target}`;
        case 'kprobe':
        case 'kretprobe':
          return symbol(target.replace(/\+.*/, '')) === undefined
            ? `function ${target}`
            : undefined;
        default:
          return undefined;
      }
    },
  };
}
