/** The kernel's own structs, variables and functions. */
import type { Example, Setup } from './example.ts';
import { LOOKUP, tc } from './parts.ts';
import { kernel, kptrMap } from './types.ts';

const fentry: Setup = {
  type: 'tracing',
  attach: 'trace_fentry',
  kernelBtf: kernel.btf,
  attachBtfId: kernel.func,
};
const NOTE =
  'attached to `wake_up_task(struct task_struct *)`, where `task_struct` is `{ u32 pid; struct task_struct *parent; }`';

const kptrs: Setup = { type: 'sched_cls', maps: [kptrMap], kernelBtf: kernel.btf };
const KPTR_NOTE = 'a value of map 0 is `{ u64 count; struct task_struct __kptr *task; }`';

const CALL_KFUNC = (id: number) => `
      call kernel-function#${id}
      r0 = 0
      exit`;

const RETURN = `
      r0 = 0
      exit`;

export const kernelTypes: readonly Example[] = [
  {
    code: 'btf-access',
    about: 'A read that begins inside of a pointer member.',
    setup: fentry,
    note: NOTE,
    refused: `
      r1 = *(u64 *)(r1 +0)
      r0 = *(u32 *)(r1 +12)
      r0 = 0
      exit`,
    mended: `
      r1 = *(u64 *)(r1 +0)
      r1 = *(u64 *)(r1 +8)
      r0 = *(u32 *)(r1 +0)
      r0 = 0
      exit`,
  },
  {
    code: 'btf-write',
    about: 'A write to a kernel struct.',
    setup: fentry,
    note: NOTE,
    refused: `
      r1 = *(u64 *)(r1 +0)
      r2 = 0
      *(u32 *)(r1 +0) = r2
      r0 = 0
      exit`,
    mended: `
      r1 = *(u64 *)(r1 +0)
      r0 = *(u32 *)(r1 +0)
      r0 = 0
      exit`,
  },
  {
    code: 'map-struct-access',
    about: 'A store through the map itself, where its value was meant.',
    setup: { type: 'sched_cls', maps: [{}], kernelBtf: kernel.btf },
    refused: `
      r1 = map_fd(0)
      r2 = 1
      *(u32 *)(r1 +0) = r2
      r0 = 0
      exit`,
    mended: `
      ${LOOKUP}
      r2 = 1
      *(u32 *)(r0 +0) = r2
      r0 = 0
      exit`,
  },
  {
    code: 'invalid-socket-access',
    about: 'An offset at which struct bpf_sock has no member.',
    setup: tc,
    refused: `
      r0 = 0
      r1 = *(u64 *)(r1 +168)
      if r1 == 0 goto out
      r0 = *(u64 *)(r1 +0)
      out: r0 = 0
      exit`,
    mended: RETURN,
  },
  {
    code: 'kernel-variable',
    about: 'An id that is a function, not a variable.',
    setup: { type: 'kprobe', kernelBtf: kernel.btf },
    note: `id ${kernel.func} is the function \`wake_up_task\``,
    refused: `
      r1 = btf_id(${kernel.func})
      r0 = 0
      exit`,
    mended: RETURN,
  },
  {
    code: 'unknown-kernel-type',
    about: 'A helper returns a struct that this kernel’s BTF does not have.',
    setup: { type: 'kprobe' },
    mendedSetup: { type: 'kprobe', kernelBtf: kernel.btf },
    note: 'mended: on a kernel that has `struct task_struct` in its BTF',
    refused: `
      call get_current_task_btf#158
      r0 = 0
      exit`,
    mended: `
      call get_current_task_btf#158
      r0 = 0
      exit`,
  },
  {
    code: 'kfunc-unsupported',
    about: 'A kernel function is called on a kernel without BTF.',
    setup: { type: 'kprobe' },
    refused: CALL_KFUNC(1),
    mended: RETURN,
  },
  {
    code: 'kfunc-unknown',
    about: 'An id that is a struct, not a function.',
    setup: { type: 'kprobe', kernelBtf: kernel.btf },
    refused: CALL_KFUNC(kernel.task),
    mended: RETURN,
  },
  {
    code: 'kfunc-not-allowed',
    about: 'A kernel function that is not for programs.',
    setup: { type: 'kprobe', kernelBtf: kernel.btf },
    refused: CALL_KFUNC(kernel.func),
    mended: `
      call get_smp_processor_id#8
      r0 = 0
      exit`,
  },
  {
    code: 'kfunc-argument',
    about: 'A number is passed where the kernel function takes a task.',
    setup: { ...fentry, kfuncs: { wake_up_task: 0 } },
    note: `${NOTE}; programs may call it`,
    refused: `
      r1 = 42${CALL_KFUNC(kernel.func)}`,
    mended: `
      r1 = *(u64 *)(r1 +0)${CALL_KFUNC(kernel.func)}`,
  },
  {
    code: 'kptr-access',
    about: 'Half of a kernel pointer is loaded from a map value.',
    setup: kptrs,
    note: KPTR_NOTE,
    refused: `
      ${LOOKUP}
      r0 = *(u32 *)(r0 +8)
      r0 = 0
      exit`,
    mended: `
      ${LOOKUP}
      r0 = *(u64 *)(r0 +8)
      r0 = 0
      exit`,
  },
  {
    code: 'kptr-type',
    about: 'A number is stored where a kernel pointer belongs.',
    setup: kptrs,
    note: KPTR_NOTE,
    refused: `
      ${LOOKUP}
      r1 = 7
      *(u64 *)(r0 +8) = r1
      r0 = 0
      exit`,
    mended: `
      ${LOOKUP}
      r1 = 0
      *(u64 *)(r0 +8) = r1
      r0 = 0
      exit`,
  },
];
