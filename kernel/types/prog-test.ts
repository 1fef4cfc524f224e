/** Types that only kernel functions for BPF have (net/bpf/test_run.c, kernel/trace/bpf_trace.c, 6.1). */
import {
  array,
  bool,
  charArray,
  embed,
  i16,
  i32,
  pointer,
  struct,
  u32,
  ulong,
  type ViewOf,
} from './struct.ts';

export const ProgTestMember1 = struct('prog_test_member1', { a: i32 });
export const ProgTestMember = struct('prog_test_member', { m: embed(ProgTestMember1), c: i32 });
export const ProgTestRefKfunc = struct('prog_test_ref_kfunc', {
  a: i32,
  b: i32,
  memb: embed(ProgTestMember),
  next: pointer('prog_test_ref_kfunc'),
  cnt: i32,
});
export type ProgTestRefKfuncView = ViewOf<typeof ProgTestRefKfunc>;

/** Structs inside of structs, which have no names in Linux. */
const Nested3 = struct('prog_test_pass1_3', { x3: i32 });
const Nested2 = struct('prog_test_pass1_2', { x2: i32, in: embed(Nested3) });
const Nested1 = struct('prog_test_pass1_1', { x1: i32, in: embed(Nested2) });
export const ProgTestPass1 = struct('prog_test_pass1', { x0: i32, in: embed(Nested1) });
const Arrays = struct('prog_test_pass2_x', { arr2: charArray(4), arr3: array(ulong, 8) });
export const ProgTestPass2 = struct('prog_test_pass2', {
  len: i32,
  arr1: array(i16, 4),
  x: embed(Arrays),
});
export const ProgTestFail1 = struct('prog_test_fail1', { p: pointer('void'), x: i32 });
export const ProgTestFail2 = struct('prog_test_fail2', { x8: i32, x: embed(ProgTestPass1) });
export const ProgTestFail3 = struct('prog_test_fail3', {
  len: i32,
  arr1: charArray(2),
  arr2: charArray(0),
});

export const BpfKey = struct('bpf_key', { key: pointer('key'), has_ref: bool });
export const BpfDynptrKern = struct('bpf_dynptr_kern', {
  data: pointer('void'),
  size: u32,
  offset: u32,
});
