/** Runs scripts in skep: the first process of a booted machine plays them one after another. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { bootProgram, type User } from '../support/programs.ts';
import { play, type Player } from './play.ts';
import type { Answer, Script } from './script.ts';
import { syscallRows } from '../../kernel/syscall/rows.ts';

/** Room for the buffers of one script. */
const ARENA_BYTES = 4 << 20;
/** CAP_LAST_CAP of 6.1 is 40. */
const ALL_CAPS = (1n << 41n) - 1n;
const names = new Map(syscallRows.map((row) => [row.nr, row.name]));

export async function runOnMachine(scripts: readonly Script[]): Promise<Answer[][]> {
  const answers: Answer[][] = [];
  const { machine, output } = await bootProgram(
    function* (u) {
      yield* u.call('umask', 0o022);
      yield* u.call('mkdir', '/sys/fs/bpf', 0o755);
      yield* u.call('mount', 'bpf', '/sys/fs/bpf', 'bpf', 0, 0);
      for (const script of scripts) {
        yield* setUid(u, 0);
        answers.push(yield* inArena(u, script, kernelId));
        for (let fd = 3; fd < 200; fd++) yield* u.call('close', fd);
      }
      yield* u.powerOff();
    },
    { cpus: 2, cmdline: 'quiet skep.level=6.1' },
  );
  const kernelId = (reference: string): number => {
    const [kind, name = ''] = reference.slice(1).split(':');
    if (kind === 'tp') return machine.tracing.events(name.split('/')[1]!)[0]?.id ?? 0;
    return machine.bpf.kernelBtf!.btf.find(name, kind as 'func') ?? 0;
  };
  const ended = machine.run({ untilNs: 3600e9 });
  if (ended.reason !== 'halted') throw new Error(`${JSON.stringify(ended)}: ${output()}`);
  return answers;
}

function* inArena(
  u: User,
  script: Script,
  kernelId: (reference: string) => number,
): UserFlow<Answer[]> {
  const MAP_PRIVATE_ANONYMOUS = 0x22;
  const arena = yield* u.call('mmap', 0, ARENA_BYTES, 3, MAP_PRIVATE_ANONYMOUS, -1, 0);
  let used = 0;
  const call = (number: number, args: readonly number[]) => u.call(names.get(number)!, ...args);
  const player: Player = {
    *place(bytes) {
      const at = arena + used;
      used += Math.ceil((bytes.length + 1) / 16) * 16;
      if (used > ARENA_BYTES) throw new Error(`${script.name}: no room`);
      u.memory.write(at as never, bytes);
      return BigInt(at);
    },
    bytesAt: (address, sizeBytes) => u.memory.read(Number(address) as never, sizeBytes),
    bpf: (command, attr, sizeBytes) => u.call('bpf', command, Number(attr), sizeBytes),
    sys: call,
    *close(fd) {
      yield* u.call('close', fd);
    },
    setCaps: (mask) => setCaps(u, mask),
    setUid: (uid) => setUid(u, uid),
    *sysctl(path, value) {
      const fd = yield* u.call('open', path, 1, 0);
      yield* u.call('write', fd, new TextEncoder().encode(value), value.length);
      yield* u.call('close', fd);
    },
    kernelId,
  };
  const answers = yield* play(player, script);
  yield* u.call('munmap', arena, ARENA_BYTES);
  return answers;
}

function* setUid(u: User, uid: number): UserFlow<void> {
  yield* u.call('setresuid', 0, 0, 0);
  yield* setCaps(u, ALL_CAPS);
  if (uid !== 0) yield* u.call('setresuid', uid, uid, 0);
}

function* setCaps(u: User, mask: bigint): UserFlow<void> {
  const words = (value: bigint, at: number) => Number((value >> BigInt(at)) & 0xffff_ffffn);
  const header = new Uint8Array(Uint32Array.of(0x2008_0522, 0).buffer);
  const data = new Uint8Array(
    Uint32Array.of(words(mask, 0), words(ALL_CAPS, 0), 0, words(mask, 32), words(ALL_CAPS, 32), 0)
      .buffer,
  );
  yield* u.call('capset', header, data);
}
