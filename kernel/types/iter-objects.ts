/**
 * struct vm_area_struct and struct file, with the members of Linux 6.1's that iterator programs
 * print. They are made while an iterator looks at an area or a file: the kernel's own are not in
 * RAM. Order as in Linux; offsets are ours (programs relocate by BTF).
 */
import { i64, pointer, struct, u32 } from './struct.ts';

export { VmAreaStruct } from './task.ts';

export const FileStruct = struct('file', {
  f_flags: u32,
  f_mode: u32,
  f_pos: i64,
  private_data: pointer('void'),
});

/** include/linux/mm.h */
export const VM_READ = 1;
export const VM_WRITE = 2;
export const VM_EXEC = 4;
export const VM_SHARED = 8;
/** include/linux/fs.h */
export const FMODE_READ = 1;
export const FMODE_WRITE = 2;
