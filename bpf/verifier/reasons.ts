/**
 * Why a program is refused, as stable codes: what every `reject` gives and users and tools rely on.
 * A code never changes its meaning; one that goes is not used again.
 *
 *   reasons['missing-null-check'].title    what is wrong, in a few words
 *                               .means     what the verifier wants, and why
 *                               .fix       what makes such a program pass
 *
 * bpf/verifier/examples/ has a refused and a fixed program for each; docs/verifier/ is made of both.
 */
export type ReasonTopic =
  | 'memory'
  | 'pointers'
  | 'registers and stack'
  | 'helpers'
  | 'references and locks'
  | 'control flow'
  | 'program shape'
  | 'maps'
  | 'kernel types'
  | 'limits';

export interface Reason {
  readonly topic: ReasonTopic;
  readonly title: string;
  readonly means: string;
  readonly fix: string;
}

const table = {
  // ---- memory
  'missing-null-check': {
    topic: 'memory',
    title: 'a pointer that may be NULL is used',
    means:
      'Lookups, reservations and some fields give a pointer or NULL. Until the program has compared it ' +
      'with NULL, nothing may be read or written through it, added to it, or passed where a valid ' +
      'pointer is wanted.',
    fix: 'Compare the pointer with NULL right after it was obtained, and use it only where it is not.',
  },
  'invalid-packet-access': {
    topic: 'memory',
    title: 'packet bytes that were not checked to be there',
    means:
      'A packet may be shorter than any offset. Bytes may be touched only after a comparison of a ' +
      'pointer past them with the end of the packet, on the side where they lie inside.',
    fix: 'Compare pointer + size with data_end first: if (ptr + size > data_end) return …;',
  },
  'out-of-bounds': {
    topic: 'memory',
    title: 'an access outside of its object',
    means:
      'Objects have a size: map values and keys, ring buffer records, flow keys. The smallest and ' +
      'the largest address that an access may have must lie inside.',
    fix: 'Keep offset + size within the object: a smaller constant, a tighter comparison, or a mask.',
  },
  'unbounded-offset': {
    topic: 'memory',
    title: 'an offset without a bound',
    means:
      'A number that may be anything (or anything negative) was added to a pointer. The verifier only ' +
      'knows what comparisons and masks tell it of a number.',
    fix: 'Bound the number before it is added: an unsigned comparison with the size, or a mask.',
  },
  'negative-offset': {
    topic: 'memory',
    title: 'an offset that may be negative',
    means: 'The smallest value that the offset may have lies before the start of the object.',
    fix: 'Make the index unsigned, or compare it with 0 before it is used.',
  },
  'offset-too-large': {
    topic: 'memory',
    title: 'pointer arithmetic beyond what is tracked',
    means:
      'Offsets are tracked within ±2^29. No object is that large, so such a sum cannot be right.',
    fix: 'Compute with smaller offsets, bounded before they are added to a pointer.',
  },
  'misaligned-access': {
    topic: 'memory',
    title: 'an access that is not aligned',
    means:
      'Stack slots, atomics and (under strict alignment) everything must be accessed at a multiple of ' +
      'the access size.',
    fix: 'Align the object, or access it in smaller pieces.',
  },
  'read-only-memory': {
    topic: 'memory',
    title: 'a write to memory that may only be read',
    means:
      'Map keys in callbacks, sockets, read-only buffers and kernel variables may not be changed.',
    fix: 'Copy to the stack and change the copy, or use the helper that changes the object.',
  },
  'packet-write': {
    topic: 'memory',
    title: 'a packet that this program type may only read',
    means:
      'Direct writes to packets are given to some program types only (tc, XDP, lwt_xmit, sk_skb …).',
    fix: 'Use a helper that writes to the packet, or do it in a program type that may.',
  },
  'zero-sized-access': {
    topic: 'memory',
    title: 'a size that may be 0',
    means: 'The helper wants memory of at least one byte, and the size that it is given may be 0.',
    fix: 'Make sure that the size is at least 1 before the call.',
  },
  'negative-size': {
    topic: 'memory',
    title: 'a size that may be negative',
    means: 'A helper takes the size as an unsigned number; a negative one would be huge.',
    fix: 'Make the size unsigned, mask it, or compare it with 0 and with the size of the memory.',
  },
  'unbounded-size': {
    topic: 'memory',
    title: 'a size without an upper bound',
    means:
      'The memory that a helper is given must be valid for the largest size that may be passed.',
    fix: 'Bound the size: if (size > sizeof(buf)) size = sizeof(buf); or size &= sizeof(buf) - 1.',
  },
  'size-not-constant': {
    topic: 'memory',
    title: 'a size that must be a constant',
    means:
      'The verifier tracks reserved memory by its size, which must be one number on all paths.',
    fix: 'Pass a constant size; where it varies, use the helper’s dynptr or output variant.',
  },
  'kernel-field-access': {
    topic: 'memory',
    title: 'the kernel’s own field of a map value is touched',
    means:
      'A spin lock or timer in a map value belongs to the kernel: only its helpers may use it.',
    fix: 'Access the members around it, and the field through its helpers only.',
  },

  // ---- pointers
  'invalid-pointer': {
    topic: 'pointers',
    title: 'something that is no valid pointer is used as one',
    means:
      'Only values that the verifier has followed from a known pointer may be dereferenced. Numbers, ' +
      'pointers read from memory that keeps none, and pointers that lost their validity are not.',
    fix: 'Use the original pointer, or read with bpf_probe_read_kernel where it points into the kernel.',
  },
  'modified-pointer': {
    topic: 'pointers',
    title: 'a pointer that must not be moved was moved',
    means:
      'Context pointers, sockets and objects for release must be used as they were given: a fixed ' +
      'offset in the instruction is fine, arithmetic on the pointer is not.',
    fix: 'Access members through the unmodified pointer.',
  },
  'pointer-arithmetic': {
    topic: 'pointers',
    title: 'arithmetic that a pointer does not allow',
    means:
      'Numbers may be added to and subtracted from most pointers, in 64 bits. All else (two pointers ' +
      'added, shifts, masks, 32-bit operations, moving a socket) loses track of where it points.',
    fix: 'Do the arithmetic on a number, then add that to the pointer.',
  },
  'unprivileged-pointer-arithmetic': {
    topic: 'pointers',
    title: 'pointer arithmetic that is unsafe when the CPU runs ahead',
    means:
      'Without CAP_PERFMON, arithmetic must stay inside its object even under wrong speculation: one ' +
      'direction, one object per instruction, and never out of bounds.',
    fix: 'Keep the pointer within its object, with one sign of offset, or load with CAP_PERFMON.',
  },
  'pointer-comparison': {
    topic: 'pointers',
    title: 'pointers are compared without CAP_PERFMON',
    means: 'Comparing pointers tells where the kernel has its objects, which is not for everybody.',
    fix: 'Compare what they point at, or load the program with CAP_PERFMON.',
  },
  'pointer-leak': {
    topic: 'pointers',
    title: 'a kernel address would leave the kernel',
    means:
      'Without CAP_PERFMON no pointer may be returned, stored in maps or packets, or copied in part: ' +
      'it would tell where the kernel has its objects.',
    fix: 'Store what it points at instead, or load the program with CAP_PERFMON.',
  },
  'different-pointers': {
    topic: 'pointers',
    title: 'one instruction accesses different kinds of objects',
    means:
      'Accesses of the context and of sockets are rewritten when the program is loaded, so an ' +
      'instruction that does so may not access anything else on another path.',
    fix: 'Access each kind in its own branch, before the paths join.',
  },
  'stack-pointer-escape': {
    topic: 'pointers',
    title: 'a pointer to a stack frame outlives the frame',
    means: 'A function’s stack is gone when it returns: a pointer to it may not go to its caller.',
    fix: 'Let the caller pass a pointer to its own stack.',
  },
  'context-store': {
    topic: 'pointers',
    title: 'a constant is stored in the context',
    means: 'Stores to the context are rewritten, which needs the value in a register.',
    fix: 'Store from a register.',
  },
  'atomic-target': {
    topic: 'pointers',
    title: 'an atomic operation on memory that has none',
    means: 'Atomics work on stack, map values and other plain memory, not on context or packets.',
    fix: 'Load, change and store, or keep the counter in a map value.',
  },

  // ---- registers and stack
  'uninitialised-register': {
    topic: 'registers and stack',
    title: 'a register is read that was not set',
    means:
      'At entry only r1 (the context) and r10 (the frame) are set; a call leaves r0 and r6 to r9. A ' +
      'register must be set on every path that reads it, and r0 before the program ends.',
    fix: 'Set it on all paths; keep values across calls in r6 to r9 or on the stack.',
  },
  'invalid-register': {
    topic: 'registers and stack',
    title: 'a register that does not exist',
    means: 'There are r0 to r10.',
    fix: 'Use r0 to r9, and r10 as the frame pointer.',
  },
  'frame-pointer-write': {
    topic: 'registers and stack',
    title: 'the frame pointer is written',
    means: 'r10 points at the end of the stack frame and is read-only.',
    fix: 'Copy r10 to another register and change that.',
  },
  'uninitialised-stack': {
    topic: 'registers and stack',
    title: 'stack bytes are read that were not written',
    means:
      'What lay on the stack before is the kernel’s. All bytes that are read must have been written.',
    fix: 'Initialise the whole object, padding included: struct key k = {}; or memset.',
  },
  'stack-out-of-bounds': {
    topic: 'registers and stack',
    title: 'an access outside of the stack frame',
    means: 'A frame has 512 bytes, from r10 - 512 to r10 - 1.',
    fix: 'Keep the offset between -512 and -size; large objects go to a per-CPU array map.',
  },
  'variable-stack-offset': {
    topic: 'registers and stack',
    title: 'a stack offset that is not a constant',
    means:
      'Without CAP_PERFMON, or for atomics, the stack may only be accessed at constant offsets.',
    fix: 'Use constant offsets (unroll the loop), or a map value for arrays.',
  },
  'partial-pointer-spill': {
    topic: 'registers and stack',
    title: 'a part of a pointer is stored on the stack',
    means: 'A pointer on the stack stays one only if all its 8 bytes are stored at once.',
    fix: 'Store all 8 bytes.',
  },
  'partial-pointer-fill': {
    topic: 'registers and stack',
    title: 'a part of a pointer is read from the stack',
    means: 'A stack slot that holds a pointer must be read whole.',
    fix: 'Read all 8 bytes.',
  },
  'spilled-pointer-overwrite': {
    topic: 'registers and stack',
    title: 'a pointer on the stack is partly overwritten',
    means: 'Without CAP_PERFMON a slot that holds a pointer may only be overwritten as a whole.',
    fix: 'Use another slot, or overwrite all 8 bytes.',
  },
  'return-value': {
    topic: 'registers and stack',
    title: 'a return value that the hook does not know',
    means: 'What calls the program understands a range of values; r0 must be known to lie in it.',
    fix: 'Return one of the values that the hook understands, on every path.',
  },

  // ---- helpers
  'unknown-helper': {
    topic: 'helpers',
    title: 'no helper has this id',
    means: 'The kernel does not know the helper: it is of a later kernel, or the id is wrong.',
    fix: 'Check the id; guard helpers of later kernels with bpf_core_enum_value_exists.',
  },
  'helper-not-allowed': {
    topic: 'helpers',
    title: 'a helper that this program may not call',
    means:
      'Each program type has its set of helpers, and some need capabilities or a certain hook: a ' +
      'helper needs what that type’s hook has at hand.',
    fix: 'Use another helper or another program type.',
  },
  'gpl-only': {
    topic: 'helpers',
    title: 'needs a GPL-compatible licence',
    means:
      'Some helpers, all kernel functions and struct_ops are for GPL-compatible programs only.',
    fix: 'Declare the licence if it is one: char LICENSE[] SEC("license") = "GPL";',
  },
  'helper-might-sleep': {
    topic: 'helpers',
    title: 'a helper that may sleep',
    means: 'Only programs that are loaded as sleepable may call what waits for memory or I/O.',
    fix: 'Load it as sleepable (SEC("fentry.s/…"), "lsm.s/…"), or use the variant that does not sleep.',
  },
  'argument-type': {
    topic: 'helpers',
    title: 'an argument of the wrong type',
    means: 'Helpers and global functions declare what each argument must be.',
    fix: 'Pass what the function declares, in the register of that argument.',
  },
  'helper-packet-access': {
    topic: 'helpers',
    title: 'a packet pointer for a helper that takes none',
    means: 'The helper (or the program type) does not work on packet memory.',
    fix: 'Copy the bytes to the stack and pass that.',
  },
  'helper-flags': {
    topic: 'helpers',
    title: 'flags that the helper does not know',
    means: 'bpf_get_local_storage has no flags: the argument must be the constant 0.',
    fix: 'Pass 0.',
  },
  'map-helper': {
    topic: 'helpers',
    title: 'this helper does not work on this map type',
    means:
      'Some map types are only for certain helpers, and some helpers only for certain map types.',
    fix: 'Use the helper that belongs to the map type.',
  },
  'format-string': {
    topic: 'helpers',
    title: 'a format string that the helper does not understand',
    means:
      'Formats are checked at load time: known conversions, and as many as there are arguments.',
    fix: 'Match conversions and arguments; there are %d %i %u %x %ld %lld %s %p and kin.',
  },
  'constant-string': {
    topic: 'helpers',
    title: 'a string that must be constant',
    means:
      'The helper reads the string at load time: it must lie, NUL-terminated, in a frozen map.',
    fix: 'Use a static const array: it goes to .rodata.',
  },
  dynptr: {
    topic: 'helpers',
    title: 'a dynptr in the wrong state',
    means:
      'A dynptr lies in 16 aligned bytes of stack. It is made by a helper, used by others as the kind ' +
      'it is, and made anew only after it was given back.',
    fix: 'Make it before it is used, pass its own address, and give it back once.',
  },
  callback: {
    topic: 'helpers',
    title: 'a function that cannot be a callback',
    means: 'A callback is a static function of the program, described by BTF.',
    fix: 'Make the callback static, and build with -g.',
  },
  'callback-changes-caller': {
    topic: 'helpers',
    title: 'a callback leaves its caller in another state',
    means:
      'A callback may run any number of times, so the state after it must be one that it may start ' +
      'from: pointers of its caller may not be replaced.',
    fix: 'Let the callback change memory through its context argument, numbers only.',
  },

  // ---- references and locks
  'reference-leak': {
    topic: 'references and locks',
    title: 'a reference is not released',
    means:
      'Sockets, ring buffer records and kernel objects that a program acquires must be given back on ' +
      'every path, or they would be lost.',
    fix: 'Release it before every return: bpf_sk_release, bpf_ringbuf_submit or _discard …',
  },
  'release-unreferenced': {
    topic: 'references and locks',
    title: 'something is released that is not held',
    means: 'Only what this path acquired, and has not yet released, may be released.',
    fix: 'Release each reference once, through the pointer that was acquired.',
  },
  'two-references': {
    topic: 'references and locks',
    title: 'two referenced arguments in one call',
    means: 'The verifier tracks one reference through a call.',
    fix: 'Pass one referenced object a call.',
  },
  'lock-held': {
    topic: 'references and locks',
    title: 'a lock is held',
    means:
      'Between bpf_spin_lock and bpf_spin_unlock there may be no call, no second lock, no return.',
    fix: 'Unlock first, on every path.',
  },
  'lock-not-held': {
    topic: 'references and locks',
    title: 'a lock is released that is not held',
    means: 'bpf_spin_unlock must be given the lock that this path has taken.',
    fix: 'Unlock once, with the same pointer that was locked.',
  },
  'kernel-field': {
    topic: 'references and locks',
    title: 'no lock or timer there',
    means: 'The argument must point exactly at a struct bpf_spin_lock or bpf_timer of a map value.',
    fix: 'Pass the address of the member; the map needs BTF for its value.',
  },
  'timer-map': {
    topic: 'references and locks',
    title: 'a timer with another map than its own',
    means: 'A timer lives in a map value; bpf_timer_init must be given that map.',
    fix: 'Pass the map from which the value was looked up.',
  },

  // ---- control flow
  'infinite-loop': {
    topic: 'control flow',
    title: 'a loop that does not end',
    means:
      'The path came back to an instruction in the same state: nothing that the loop depends on has ' +
      'changed. Without CAP_BPF, and for recursion, no loop is allowed.',
    fix: 'Change what the loop condition tests in every round, up to a bound.',
  },
  'unreachable-insn': {
    topic: 'control flow',
    title: 'an instruction that nothing reaches',
    means: 'Every instruction must be reachable: dead code is a sign of a broken program.',
    fix: 'Remove it; in C, build with optimisation.',
  },
  'jump-out-of-range': {
    topic: 'control flow',
    title: 'a jump out of its function',
    means: 'Jumps stay within their function. To go elsewhere, call.',
    fix: 'Correct the target, or make it a call.',
  },
  'jump-into-ldimm64': {
    topic: 'control flow',
    title: 'a jump into a 64-bit load',
    means: 'A 64-bit immediate takes two slots; the second is no instruction.',
    fix: 'Jump to its first slot or behind it.',
  },
  'falls-through': {
    topic: 'control flow',
    title: 'a function runs off its end',
    means: 'The last instruction of a function must be exit or an unconditional jump.',
    fix: 'End every function with exit: in C, return on every path.',
  },
  'invalid-call-target': {
    topic: 'control flow',
    title: 'a call to nowhere',
    means: 'The target of a call must be an instruction of the program.',
    fix: 'Correct the distance to the function.',
  },

  // ---- program shape
  'unknown-opcode': {
    topic: 'program shape',
    title: 'an instruction that the kernel does not know',
    means: 'The opcode is not one of this kernel’s: malformed, or of a later version of the ISA.',
    fix: 'Build for the ISA version that the kernel has (clang -mcpu=v3).',
  },
  'reserved-field': {
    topic: 'program shape',
    title: 'a field that must be zero',
    means:
      'Fields that an instruction does not use must be 0; later kernels may give them a meaning.',
    fix: 'Clear the unused fields.',
  },
  'division-by-zero': {
    topic: 'program shape',
    title: 'division by the constant 0',
    means: 'Dividing by a register that is 0 gives 0; by the constant 0 is a mistake.',
    fix: 'Divide by something else.',
  },
  'invalid-shift': {
    topic: 'program shape',
    title: 'a shift by more than the width',
    means: 'A constant shift must be less than 32 or 64.',
    fix: 'Shift by less.',
  },
  'bad-ldimm64': {
    topic: 'program shape',
    title: 'a malformed 64-bit load',
    means: 'The second slot holds the upper half and nothing else, and src says what it is.',
    fix: 'Encode both slots.',
  },
  'invalid-context-access': {
    topic: 'program shape',
    title: 'the context has no such field for this program',
    means:
      'Which members of the context may be read and written, and how wide, depends on the program type ' +
      'and its attach type.',
    fix: 'Access a member that this program type has, as wide as it is declared.',
  },
  'ld-packet': {
    topic: 'program shape',
    title: 'BPF_LD_ABS or BPF_LD_IND where it does not work',
    means: 'These come from classic BPF: for socket programs, with the context in r6.',
    fix: 'Use bpf_skb_load_bytes or direct packet access.',
  },
  'missing-btf': {
    topic: 'program shape',
    title: 'needs BTF',
    means: 'Tail calls and LD_ABS in functions need to know the function’s return type.',
    fix: 'Build with -g, so that the object has BTF.',
  },
  'bad-func-info': {
    topic: 'program shape',
    title: 'func_info that does not fit the program',
    means: 'Each function has one row, in order, that gives its BTF type.',
    fix: 'Rebuild the object; a tool that edits instructions must move the rows along.',
  },
  'bad-line-info': {
    topic: 'program shape',
    title: 'line_info that does not fit the program',
    means: 'Rows are ordered by instruction, each function starts with one, strings are in BTF.',
    fix: 'Rebuild the object; a tool that edits instructions must move the rows along.',
  },
  'bad-core-relo': {
    topic: 'program shape',
    title: 'a CO-RE relocation that does not fit the program',
    means:
      'Relocations that come with a program name an instruction, a type of its BTF, and a path of ' +
      'numbers into that type.',
    fix: 'Rebuild the object; a tool that edits instructions must move the records along.',
  },
  'global-function': {
    topic: 'program shape',
    title: 'a global function whose arguments cannot be verified',
    means:
      'A global function is verified on its own, for all arguments of its prototype: numbers, the ' +
      'context, and pointers to types of known size.',
    fix: 'Make it static, or give it arguments of such types.',
  },
  'subprograms-need-cap-bpf': {
    topic: 'program shape',
    title: 'functions need CAP_BPF',
    means: 'Without CAP_BPF a program is one function, without kernel functions.',
    fix: 'Inline everything (__always_inline), or load with CAP_BPF.',
  },
  'attach-target': {
    topic: 'program shape',
    title: 'what it attaches to does not exist or does not fit',
    means: 'Tracing and LSM programs name a function or tracepoint of the kernel’s BTF.',
    fix: 'Check the name behind the slash of the section, and that the kernel has it.',
  },

  // ---- maps
  'bad-map-fd': {
    topic: 'maps',
    title: 'a descriptor that is no map',
    means: 'The loader puts the map’s descriptor into the instruction; this one is none.',
    fix: 'Create the maps first and relocate; with libbpf, check the map’s definition.',
  },
  'bad-map-value': {
    topic: 'maps',
    title: 'the address of a map value that cannot be taken',
    means: 'Only values of arrays with one entry have an address at load time, within the value.',
    fix: 'Look the value up, or keep the offset inside of it.',
  },
  'map-direct-value': {
    topic: 'maps',
    title: 'a constant array of more than one entry is read directly',
    means: 'Values of frozen read-only maps are known at load time only for arrays of one entry.',
    fix: 'Use an array of one entry.',
  },
  'map-permission': {
    topic: 'maps',
    title: 'the map’s flags forbid it',
    means: 'The map was made with BPF_F_RDONLY_PROG or BPF_F_WRONLY_PROG.',
    fix: 'Change the map’s flags, or do it from user space. const data is in a read-only map.',
  },
  'map-program-type': {
    topic: 'maps',
    title: 'a map that this program may not use',
    means: 'Maps with locks or timers, and most types in sleepable programs, have restrictions.',
    fix: 'Use another map, or do it in another program type.',
  },
  'cgroup-storage': {
    topic: 'maps',
    title: 'two cgroup storages of one type',
    means: 'A program has one cgroup storage of each type.',
    fix: 'Put both into one struct.',
  },

  // ---- kernel types
  'btf-access': {
    topic: 'kernel types',
    title: 'no such member in the kernel’s struct',
    means:
      'Reads through a kernel pointer must be of one member, at its offset and size, not user memory.',
    fix: 'Read a member as declared (with CO-RE), user memory with bpf_probe_read_user.',
  },
  'btf-write': {
    topic: 'kernel types',
    title: 'a write to a kernel struct',
    means: 'Kernel structs may be read through BTF pointers, not written.',
    fix: 'Use a helper that makes the change.',
  },
  'map-struct-access': {
    topic: 'kernel types',
    title: 'the kernel’s struct of a map is accessed',
    means:
      'A map pointer may be read as struct bpf_map with CAP_PERFMON and kernel BTF, never written.',
    fix: 'Look up the value first: a map is not its value.',
  },
  'invalid-socket-access': {
    topic: 'kernel types',
    title: 'no such member in the socket',
    means: 'Sockets have the members of struct bpf_sock and bpf_tcp_sock, at their sizes.',
    fix: 'Read a member as declared; bpf_sk_fullsock gives a full socket of a sock_common.',
  },
  'kernel-variable': {
    topic: 'kernel types',
    title: 'a kernel variable that is not there',
    means: 'A __ksym variable must exist in the kernel’s BTF and symbols.',
    fix: 'Check its name, or declare it __weak and test its address.',
  },
  'unknown-kernel-type': {
    topic: 'kernel types',
    title: 'a type that the kernel’s BTF does not have',
    means: 'The helper returns, or the map points to, a struct that this kernel does not describe.',
    fix: 'Use a kernel that has the type.',
  },
  'kfunc-unsupported': {
    topic: 'kernel types',
    title: 'kernel functions need kernel BTF',
    means: 'A call of a kernel function names it by its BTF id.',
    fix: 'Use a kernel with BTF.',
  },
  'kfunc-unknown': {
    topic: 'kernel types',
    title: 'no such kernel function',
    means: 'The id of the call is not a function of the kernel’s BTF.',
    fix: 'Check the function’s name; declare it __weak __ksym where it may be missing.',
  },
  'kfunc-not-allowed': {
    topic: 'kernel types',
    title: 'a kernel function that programs may not call',
    means: 'Kernel functions are allowed one by one, for certain program types.',
    fix: 'Use a helper instead.',
  },
  'kfunc-argument': {
    topic: 'kernel types',
    title: 'an argument does not fit the kernel function',
    means:
      'A kernel function’s arguments must have the types of its BTF prototype: numbers, the context, pointers to the same struct, or memory of numbers.',
    fix: 'Compare the call with the function’s declaration in vmlinux.h.',
  },
  'kptr-access': {
    topic: 'kernel types',
    title: 'a kernel pointer in a map is accessed in the wrong way',
    means:
      'A __kptr member is loaded and stored whole, a referenced one only exchanged by bpf_kptr_xchg.',
    fix: 'Access all 8 bytes at the member’s offset; change referenced ones by bpf_kptr_xchg.',
  },
  'kptr-type': {
    topic: 'kernel types',
    title: 'a kernel pointer of another type than the map’s member',
    means: 'A __kptr member takes pointers to its declared struct only.',
    fix: 'Store a pointer of the declared type.',
  },

  // ---- limits
  'too-complex': {
    topic: 'limits',
    title: 'the verifier gave up',
    means:
      'At most 1,000,000 instructions are followed over all paths, and 8,192 branches wait at a time. ' +
      'Loops count once a round, and branches inside multiply.',
    fix: 'Shorten the loop, use bpf_loop, or move branches out of it.',
  },
  'stack-too-large': {
    topic: 'limits',
    title: 'the functions’ stacks together are too large',
    means: 'A chain of calls has 512 bytes of stack, 256 before a tail call in a function.',
    fix: 'Move large objects to a per-CPU array map, or inline fewer levels.',
  },
  'call-depth': {
    topic: 'limits',
    title: 'too many calls in each other',
    means: 'Calls nest 8 deep.',
    fix: 'Inline some of the functions.',
  },
  'too-many-subprograms': {
    topic: 'limits',
    title: 'too many functions',
    means: 'A program has at most 256 functions.',
    fix: 'Inline some, or split it with tail calls.',
  },
  'too-many-maps': {
    topic: 'limits',
    title: 'too many maps',
    means: 'A program uses at most 64 maps.',
    fix: 'Put several values in one map.',
  },
  'log-full': {
    topic: 'limits',
    title: 'the log buffer is too small',
    means: 'Linux fails a load whose log does not fit, whatever the verdict on the program.',
    fix: 'Give a larger buffer, or a lower log level.',
  },
  'verifier-bug': {
    topic: 'limits',
    title: 'the verifier contradicts itself',
    means: 'A state that cannot be: a mistake in the verifier, not in the program.',
    fix: 'Report it with the program.',
  },
} as const satisfies Record<string, Reason>;

export type ReasonCode = keyof typeof table;

export const reasons: Readonly<Record<ReasonCode, Reason>> = table;

export const REASON_CODES = Object.keys(table) as readonly ReasonCode[];

/** Where the code's page stands in the repository. */
export const reasonPage = (code: ReasonCode): string => `docs/verifier/${code}.md`;
