/** bpf_seq_printf, bpf_seq_printf_btf and bpf_seq_write: text of iterators, into their seq_file. */
import { errno } from '../../kernel/types/errno.ts';
import type { Ram } from '../../kernel/ram/ram.ts';
import { SeqFileStruct } from '../../kernel/types/seq-file.ts';
import { bprintf } from './bprintf.ts';
import { argumentsAt, formatAt, latin1, printMemory, showBtfPtr } from './impl-print.ts';
import type { Implementations } from './implement.ts';
import { offset } from './implement.ts';

/** Appends; false, and the file is full from here on, where it does not fit (seq_set_overflow). */
export function seqWrite(ram: Ram, seqAt: number, bytes: Uint8Array): boolean {
  const seq = SeqFileStruct.at(ram, offset(seqAt));
  const count = Number(seq.count);
  if (count + bytes.length < Number(seq.size)) {
    ram.u8.set(bytes, seq.buf + count);
    seq.count = BigInt(count + bytes.length);
    return true;
  }
  seq.count = seq.size;
  return false;
}

export const seqImplementations: Implementations = {
  seq_printf: {
    pass: ['i32', 'i32', 'i32', 'i32', 'i32'],
    returns: 'i32',
    bind: (runtime) => {
      const memory = printMemory(runtime);
      return (
        seq: number,
        format: number,
        formatBytes: number,
        args: number,
        argsBytes: number,
      ) => {
        const values = argumentsAt(runtime, args, argsBytes);
        if (typeof values === 'number') return values;
        const parsed = formatAt(runtime, offset(format), formatBytes >>> 0);
        const text = parsed ? bprintf(parsed, values, memory) : -errno.EINVAL;
        if (typeof text === 'number') return text;
        return seqWrite(runtime.ram, seq, text) ? 0 : -errno.EOVERFLOW;
      };
    },
  },
  /** A file that is full says so when it is read: the text's fate is not the caller's to know. */
  seq_printf_btf: {
    pass: ['i32', 'i32', 'i32', 'i64'],
    returns: 'i32',
    bind: (runtime) => (seq: number, ptr: number, ptrBytes: number, flags: bigint) => {
      const shown = showBtfPtr(runtime, ptr, ptrBytes, flags);
      if (typeof shown === 'number') return shown;
      seqWrite(runtime.ram, seq, latin1(shown.text));
      return shown.status;
    },
  },
  seq_write: {
    pass: ['i32', 'i32', 'i32'],
    returns: 'i32',
    bind:
      ({ ram }) =>
      (seq: number, data: number, sizeBytes: number) =>
        seqWrite(ram, seq, ram.bytes(offset(data), sizeBytes >>> 0)) ? 0 : -errno.EOVERFLOW,
  },
};
