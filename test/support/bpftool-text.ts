/** What bpftool prints, so that two machines can be compared. */

/** Without ids, addresses of the kernel's functions, sizes of code and memory, times, and libbpf's advice of the time of 7.1. */
export function comparable(text: string): string {
  return text
    .replace(/^Warning: bpftool is now running in libbpf strict mode[^]*?\n\n/gm, '')
    .replace(/^ +\[autoattach\]\n/gm, '')
    .replace(/(memlock|jited|xlated|size) \d+B/g, '$1 N')
    .replace(/("bytes_(?:memlock|jited|xlated)":\s*)\d+/g, '$1N')
    .replace(/loaded_at \S+/g, 'loaded_at T')
    .replace(/("loaded_at":\s*)\d+/g, '$1T')
    .replace(/^\d+: /gm, 'N: ')
    .replace(/(call \w+#)-?\d{3,}/g, '$1N')
    .replace(/map\[id:\d+\]/g, 'map[id:N]')
    .replace(/^( {7}85 00 00 00)( \w\w){4}$/gm, '$1 N')
    .replace(/^( {7}18 [12]\d 00 00) \w\w/gm, '$1 N')
    .replace(/("disasm":"\((?:85\) call \w+#N|18\) r\d = map)[^]*?"imm":)\[[^\]]*\]/g, '$1[N]')
    .replace(/((?:btf|prog)_id|\bid|\bprog|map_ids|prog_ids) [\d,]+/g, '$1 N')
    .replace(/("(?:btf_id|prog_id|id)":\s*)\d+/g, '$1N')
    .replace(/("map_ids":\s*)\[[^\]]*\]/g, '$1[N]')
    .replace(/(duration[^:]*: )\d+ns/g, '$1N');
}
