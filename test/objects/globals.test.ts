/** Globals by name on a machine: set before the load, changed by a program, read and set again. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readObject } from '../../bpf/elf/object.ts';
import { Globals } from '../../bpf/loader/globals.ts';
import { kernelConfigOf } from '../../bpf/loader/kconfig.ts';
import { loadObject } from '../../bpf/loader/load.ts';
import { runDirect } from '../../bpf/loader/user.ts';
import { BareMachine } from '../../hooks/bare-machine.ts';
import { coreModule } from '../support/assets.ts';

const spec = readObject(new Uint8Array(readFileSync('test/objects/globals.o')), 'globals.o');

async function loaded(globals: Globals) {
  const machine = new BareMachine({ core: await coreModule() }, { level: 'latest' });
  const user = machine.loaderUser();
  const config = kernelConfigOf(undefined, '6.1.7');
  const options = { kernel: { config }, editData: globals.editData };
  const object = runDirect(loadObject(user, spec, options));
  if (object.kind === 'failed') throw new Error(object.messages.join('\n'));
  const packet = machine.caller.place(new Uint8Array(64));
  const run = () => {
    const { result, attr } = machine.call('prog_test_run', {
      prog_fd: object.programs[0]!.fd,
      data_in: packet,
      data_size_in: 64,
    });
    return result < 0 ? result : attr.retval;
  };
  return { user, object, run };
}

describe('globals', () => {
  it('have the initialisers of the source, typed', () => {
    const globals = new Globals(spec);
    expect(globals.get('limits')).toEqual({
      port: 53,
      burst: 9,
      bias: -3,
      rate: 1000n,
      halves: [1000, 0],
      label: '',
    });
    expect(globals.get('enabled')).toBe(true);
    expect(globals.get('mode')).toBe(5);
    expect(globals.get('stats')).toHaveLength(3);
    expect(globals.get('hidden_total')).toBe(11);
    const sections = [...globals.variables.values()].map(({ name, section }) => [name, section]);
    expect(Object.fromEntries(sections)).toEqual({
      limits: '.rodata',
      enabled: '.rodata.switch',
      mode: '.data',
      packets: '.bss',
      stats: '.bss',
      own_section: '.data.own',
      hidden_total: '.data',
      LINUX_KERNEL_VERSION: '.kconfig',
    });
  });

  it('are set before a load and read after a run', async () => {
    const globals = new Globals(spec);
    globals.set('limits', { rate: 7n, bias: -5, label: 'uplink' });
    globals.set('limits.burst', 31);
    globals.set('own_section', 100);
    globals.set('stats[1]', { seen: 41, sum: -1n });
    const { user, object, run } = await loaded(globals);
    expect(globals.get('LINUX_KERNEL_VERSION')).toBe(0x60107);
    expect(run()).toBe(2);
    expect(runDirect(globals.pull(user, object))).toBe(0);
    expect(globals.get('packets')).toBe(7n);
    expect(globals.get('stats[1].seen')).toBe(42);
    expect(globals.get('stats[1].sum')).toBe(-6n);
    expect(globals.get('own_section')).toBe(131);
    expect(globals.get('hidden_total')).toBe(12);
    expect(globals.get('limits.port')).toBe(53);
    expect(globals.get('limits.label')).toBe('uplink');
  });

  it('are set while the program runs; what is read-only is frozen', async () => {
    const globals = new Globals(spec);
    const { user, object, run } = await loaded(globals);
    globals.set('mode', 'MODE_DROP');
    expect(runDirect(globals.push(user, object))).toBe(0);
    expect(run()).toBe(1);
    expect(() => globals.set('limits.rate', 3n)).toThrow('limits.rate in .rodata is frozen');
    expect(() => globals.set('LINUX_KERNEL_VERSION', 3)).toThrow("is the kernel's");
  });

  it('refuse what does not fit', () => {
    const globals = new Globals(spec);
    expect(() => globals.get('nothing')).toThrow("no global variable 'nothing'");
    expect(() => globals.get('limits.colour')).toThrow("'limits' has no '.colour'");
    expect(() => globals.get('stats[3]')).toThrow("'stats' has no '[3]'");
    expect(() => globals.set('limits.port', 65536)).toThrow('65536 does not fit in u16');
    expect(() => globals.set('limits.bias', -65)).toThrow('-65 does not fit in s7');
    expect(() => globals.set('limits.label', 'twelve bytes')).toThrow('do not fit in 12 bytes');
    expect(() => globals.set('limits', { colour: 1 })).toThrow("has no member 'colour'");
    expect(() => globals.set('mode', 'MODE_NONE')).toThrow('is no value of type');
    expect(() => globals.set('packets', 1.5)).toThrow('is no value of type');
    expect(globals.get('limits.burst')).toBe(9);
    globals.set('limits.burst', 0);
    expect(globals.get('limits.bias')).toBe(-3);
  });
});
