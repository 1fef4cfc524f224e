/** Several XDP programs on one interface: a dispatcher, programs in its places, programs around it. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readObject } from '../../bpf/elf/object.ts';
import type { Engine } from '../../bpf/engine.ts';
import { BPF_LINK_INFO, BPF_LINK_INFO_BYTES } from '../../bpf/info.ts';
import { createInterpreter } from '../../bpf/interp/interp.ts';
import { createWasmJit } from '../../bpf/jit/jit.ts';
import { Globals } from '../../bpf/loader/globals.ts';
import { loadObject, type LoadedObject, type LoadOptions } from '../../bpf/loader/load.ts';
import { runDirect } from '../../bpf/loader/user.ts';
import { ATTACH_TYPES } from '../../bpf/uapi.ts';
import { BareMachine } from '../../hooks/bare-machine.ts';
import { kernelBtf } from '../../kernel/bpf/kernel-btf.ts';
import { errno } from '../../kernel/types/errno.ts';
import { coreModule } from '../support/assets.ts';

const object = (name: string) =>
  readObject(new Uint8Array(readFileSync(`test/objects/${name}.o`)), `${name}.o`);
const [DROP, PASS, NOBODY] = [1, 2, 31];
const dispatcherSpec = object('xdp_dispatcher');

async function machineWith(engine: Engine) {
  const btf = kernelBtf([]);
  const machine = new BareMachine(
    { core: await coreModule() },
    {
      level: '6.1',
      kernelBtf: btf,
      engine,
    },
  );
  const user = machine.loaderUser();
  const load = (name: string, options: LoadOptions = {}): LoadedObject => {
    const loaded = runDirect(loadObject(user, object(name), { kernel: { btf }, ...options }));
    if (loaded.kind === 'failed') throw new Error(loaded.messages.join('\n'));
    return loaded;
  };
  const fdOf = ({ programs }: LoadedObject, name: string) =>
    programs.find((one) => one.name === name)!.fd;
  const goesOn = ((1 << PASS) | (1 << NOBODY)) >>> 0;
  const settings = new Globals(dispatcherSpec);
  settings.set('places', 2);
  settings.set('goes_on_after', [goesOn, goesOn]);
  /** With two places, each followed by the next after XDP_PASS or where nobody is. */
  const dispatcher = fdOf(load('xdp_dispatcher', { editData: settings.editData }), 'dispatcher');
  const replaces = { progFd: dispatcher, btf: dispatcherSpec.btf! };
  const run = (sizeBytes: number) => {
    const data_in = machine.caller.place(new Uint8Array(sizeBytes));
    const asked = { prog_fd: dispatcher, data_in, data_size_in: sizeBytes };
    const { result, attr } = machine.call('prog_test_run', asked);
    return result < 0 ? result : attr.retval;
  };
  const attach = (fd: number) => machine.call('raw_tracepoint_open', { prog_fd: fd }).result;
  const packets = ({ maps }: LoadedObject) => {
    const { fd } = maps.find(({ name }) => name === 'packets')!;
    const value = machine.caller.place(new Uint8Array(8));
    const key = machine.caller.place(new Uint8Array(4));
    machine.call('map_lookup_elem', { map_fd: fd, key, value });
    return machine.caller.bytesAt(value, 8)[0];
  };
  const close = (fd: number) => machine.caller.close(fd);
  return { machine, user, load, fdOf, dispatcher, replaces, run, attach, packets, close };
}

describe.each([
  ['interpreter', createInterpreter],
  ['WASM JIT', createWasmJit],
])('a dispatcher of XDP programs on the %s', (_, engine) => {
  it('runs who has taken a place, and goes on as it was told', async () => {
    const { load, fdOf, replaces, run, attach, packets, close } = await machineWith(engine());
    expect(run(60)).toBe(PASS);
    const chained = load('xdp_chained', { replaces });
    const counting = attach(fdOf(chained, 'count'));
    expect([run(60), run(61), packets(chained)]).toEqual([PASS, PASS, 2]);
    const dropping = attach(fdOf(chained, 'drop_odd'));
    expect([run(60), run(61), packets(chained)]).toEqual([PASS, DROP, 4]);
    close(counting);
    expect([run(60), run(61), packets(chained)]).toEqual([PASS, DROP, 4]);
    close(dropping);
    expect([run(60), run(61), packets(chained)]).toEqual([PASS, PASS, 4]);
  });

  it('takes a program in another place than the one it was loaded for', async () => {
    const { machine, load, fdOf, replaces, dispatcher, run } = await machineWith(engine());
    const chained = load('xdp_chained', {
      replaces,
      wanted: ({ name }) => name === 'drop_odd',
      attachTo: () => ({ func: 'prog0', program: replaces }),
    });
    const btfId = dispatcherSpec.btf!.find('prog1', 'func')!;
    const at = { target_fd: dispatcher, target_btf_id: btfId };
    const asked = { prog_fd: fdOf(chained, 'drop_odd'), ...at };
    expect(machine.call('link_create', asked).result).toBeGreaterThan(0);
    expect([run(60), run(61)]).toEqual([PASS, DROP]);
  });

  it('is looked at from outside, while others hold its places', async () => {
    const m = await machineWith(engine());
    const { machine, load, fdOf, replaces, run, attach, close } = m;
    const traced = load('xdp_traced', { replaces });
    const globals = new Globals(object('xdp_traced'));
    const seen = () => {
      runDirect(globals.pull(m.user, traced));
      const names = ['last_length', 'last_action', 'last_place_action', 'runs'];
      return names.map((name) => Number(globals.get(name)));
    };
    const links = ['before', 'behind', 'behind_place'].map((name) => attach(fdOf(traced, name)));
    expect([run(100), ...seen()]).toEqual([PASS, 100, PASS, NOBODY, 1]);
    // What is looked at cannot be replaced.
    const chained = load('xdp_chained', { replaces });
    expect(attach(fdOf(chained, 'count'))).toBe(-errno.EBUSY);
    attach(fdOf(chained, 'drop_odd'));
    expect([run(61), ...seen()]).toEqual([DROP, 61, DROP, NOBODY, 2]);
    const info = machine.caller.place(new Uint8Array(BPF_LINK_INFO_BYTES));
    const asked = { bpf_fd: links[1]!, info, info_len: BPF_LINK_INFO_BYTES };
    machine.call('obj_get_info_by_fd', asked);
    expect(BPF_LINK_INFO.decode(machine.caller.bytesAt(info, BPF_LINK_INFO_BYTES))).toMatchObject({
      tracing_attach_type: ATTACH_TYPES.indexOf('trace_fexit'),
      tracing_target_btf_id: dispatcherSpec.btf!.find('dispatcher', 'func'),
    });
    for (const link of links) close(link);
    expect([run(99), ...seen()]).toEqual([DROP, 61, DROP, NOBODY, 2]);
  });

  it('gives everything back', async () => {
    const { machine, load, replaces, run, attach } = await machineWith(engine());
    const before = machine.bpf.host.runtime.ram.usedBytes;
    const fds: number[] = [];
    for (const name of ['xdp_chained', 'xdp_traced']) {
      const { programs, maps, btfFd } = load(name, { replaces });
      const links = programs.filter(({ name }) => name !== 'count').map(({ fd }) => attach(fd));
      fds.push(...programs.map(({ fd }) => fd), ...maps.map(({ fd }) => fd), btfFd!, ...links);
    }
    run(64);
    for (const fd of fds) machine.caller.close(fd);
    expect([run(61), machine.bpf.host.runtime.ram.usedBytes]).toEqual([PASS, before]);
  });
});
