/** poweroff(8), reboot(8), halt(8): reboot(2) at once; nothing has to be written back. */
import { syscall } from '../libc/files.ts';
import { getopt } from '../libc/getopt.ts';
import { NR } from '../libc/nr.ts';
import type { Tool } from '../libc/process.ts';
import { strerror } from '../libc/strerror.ts';

/** UAPI linux/reboot.h. */
const MAGIC1 = 0xfee1dead;
const MAGIC2 = 672274793;
const COMMANDS: Readonly<Record<string, number>> = {
  poweroff: 0x4321fedc,
  halt: 0xcdef0123,
  reboot: 0x01234567,
};

export const power: Tool = function* (p, args) {
  yield* getopt(p, args, {
    usage: '',
    about: 'Power off, halt or restart the machine.',
    options: [{ short: 'f', long: 'force', help: '(always so)' }],
  });
  const failed = yield* syscall(
    NR.reboot,
    MAGIC1,
    MAGIC2,
    COMMANDS[p.name] ?? COMMANDS.poweroff!,
    0,
  );
  if (failed < 0) yield* p.error(strerror(failed));
  return failed < 0 ? 1 : 0;
};
