import { describe, expect, it } from 'vitest';
import { coreModule } from '../test/support/assets.ts';
import { bootMachine } from './machine.ts';

describe('kallsyms', () => {
  it('is sorted, without doubles, and finds a symbol by address and by name', async () => {
    const machine = await bootMachine({}, { core: await coreModule() });
    const lines = machine.kallsyms.text(true).trimEnd().split('\n');
    const addresses = lines.map((line) => line.slice(0, 16));
    expect(addresses).toEqual([...new Set(addresses)].sort());
    const openat = machine.kallsyms.address('__x64_sys_openat')!;
    expect(machine.kallsyms.at(openat + 5n)).toEqual({ name: '__x64_sys_openat', offset: 5 });
    /** A register holds an address as a signed number. */
    expect(machine.kallsyms.at(BigInt.asIntN(64, openat))?.name).toBe('__x64_sys_openat');
    expect(machine.kallsyms.at(0n)).toBeUndefined();
    expect(machine.kallsyms.text(false)).not.toMatch(/^0*[1-9a-f]/m);
  });
});
