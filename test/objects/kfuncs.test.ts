/** A program in C that calls kernel functions: loaded, run on both engines, shown, its map freed. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readObject } from '../../bpf/elf/object.ts';
import { createInterpreter } from '../../bpf/interp/interp.ts';
import { createWasmJit } from '../../bpf/jit/jit.ts';
import { loadObject } from '../../bpf/loader/load.ts';
import { runDirect } from '../../bpf/loader/user.ts';
import { bpfSymbols, dumpableInsns } from '../../bpf/syscall/xlated.ts';
import { BareMachine } from '../../hooks/bare-machine.ts';
import { kernelBtf } from '../../kernel/bpf/kernel-btf.ts';
import { ProgTestRefKfunc } from '../../kernel/types/prog-test.ts';
import { coreModule } from '../support/assets.ts';

const spec = readObject(new Uint8Array(readFileSync('test/objects/kfuncs.o')), 'kfuncs.o');
/** Where BPF_PSEUDO_KFUNC_CALL stands. */
const KFUNC_CALL = { code: 0x85, src: 2 };

async function loaded(engine = createInterpreter()) {
  const btf = kernelBtf([]);
  const options = { level: '6.1', kernelBtf: btf, engine } as const;
  const machine = new BareMachine({ core: await coreModule() }, options);
  const object = runDirect(loadObject(machine.loaderUser(), spec, { kernel: { btf } }));
  if (object.kind === 'failed') throw new Error(object.messages.join('\n'));
  const packet = machine.caller.place(new Uint8Array(64));
  const run = (name: string) => {
    const program = object.programs.find((one) => one.name === name)!;
    const asked = { prog_fd: program.fd, data_in: packet, data_size_in: 64 };
    const { result, attr } = machine.call('prog_test_run', asked);
    return result < 0 ? result : attr.retval;
  };
  const { runtime } = machine.bpf.host;
  /** References to the one object, with the one that the kernel keeps. */
  const count = () => ProgTestRefKfunc.at(runtime.ram, runtime.kfuncTestObject!).cnt;
  return { machine, object, run, count };
}

describe.each([
  ['interpreter', createInterpreter],
  ['WASM JIT', createWasmJit],
])('a program in C on the %s', (_, engine) => {
  it('calls what the kernel has, and passes over what it has not', async () => {
    const { run, count } = await loaded(engine());
    expect(run('both')).toBe(42 + 108);
    expect(count()).toBe(1);
  });

  it('leaves an object to a map, which gives it back at its end', async () => {
    const { machine, object, run, count } = await loaded(engine());
    expect([run('keep'), count()]).toEqual([0, 2]);
    expect([run('keep'), count()]).toEqual([1, 2]);
    for (const { fd } of [...object.programs, ...object.maps]) machine.caller.close(fd);
    expect(count()).toBe(1);
  });
});

it('shows calls as distances of the functions in the kernel’s text', async () => {
  const { machine } = await loaded();
  const { verified } = [...machine.bpf.progs.values()].find(
    ({ prog }) => prog.name === 'both',
  )!.prog;
  const base = bpfSymbols()[0]!.address;
  const names = new Map(bpfSymbols().map(({ name, address }) => [Number(address - base), name]));
  const calls = dumpableInsns(verified).filter(
    ({ code, src }) => code === KFUNC_CALL.code && src === KFUNC_CALL.src,
  );
  expect(calls.map(({ imm }) => names.get(imm))).toEqual([
    'bpf_kfunc_call_test_acquire',
    'bpf_kfunc_call_test_get_rdwr_mem',
    'bpf_kfunc_call_test_release',
  ]);
});
