/** Types that only the kernel's own tests of BPF use (net/bpf/test_run.c of 6.1). */
import { embed, i32, pointer, struct } from './struct.ts';

export const ProgTestMember1 = struct('prog_test_member1', { a: i32 });
export const ProgTestMember = struct('prog_test_member', { m: embed(ProgTestMember1), c: i32 });
export const ProgTestRefKfunc = struct('prog_test_ref_kfunc', {
  a: i32,
  b: i32,
  memb: embed(ProgTestMember),
  next: pointer('prog_test_ref_kfunc'),
  cnt: i32,
});
