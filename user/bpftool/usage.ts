/** Help texts, one an object: the grammar of what this bpftool offers. */
import type { UserFlow } from '../../kernel/syscall/abi.ts';
import { type Bpftool, FAILED } from './tool.ts';
import { Exit } from '../libc/process.ts';

const OPTIONS = 'OPTIONS := { {-j|--json} [{-p|--pretty}] | {-d|--debug}';
const MAP = 'MAP := { id MAP_ID | pinned FILE | name MAP_NAME }';
const PROG = 'PROG := { id PROG_ID | pinned FILE | tag PROG_TAG | name PROG_NAME }';

export type HelpTopic = keyof typeof TEXTS;

const TEXTS = {
  bpftool: `Usage: bpftool [OPTIONS] OBJECT { COMMAND | help }
       bpftool batch file FILE
       bpftool version

       OBJECT := { prog | map | link | perf | net | feature | btf }
       ${OPTIONS} |
                    {-V|--version} }
`,
  prog: `Usage: bpftool prog { show | list } [PROG]
       bpftool prog dump xlated PROG [{ file FILE | opcodes | linum }]
       bpftool prog dump jited  PROG [{ file FILE | opcodes | linum }]
       bpftool prog pin   PROG FILE
       bpftool prog { load | loadall } OBJ  PATH \\
                         [type TYPE] [dev NAME] \\
                         [map { idx IDX | name NAME } MAP]\\
                         [pinmaps MAP_DIR]
                         [autoattach]
       bpftool prog attach PROG ATTACH_TYPE [MAP]
       bpftool prog detach PROG ATTACH_TYPE [MAP]
       bpftool prog run PROG \\
                         data_in FILE \\
                         [data_out FILE [data_size_out L]] \\
                         [ctx_in FILE [ctx_out FILE [ctx_size_out M]]] \\
                         [repeat N]
       bpftool prog tracelog
       bpftool prog help

       ${MAP}
       ${PROG}
       TYPE := { the section name of a program: xdp | classifier | kprobe |
                 tracepoint | raw_tracepoint | cgroup/skb | ... }
       ATTACH_TYPE := { sk_msg_verdict | sk_skb_verdict | sk_skb_stream_verdict |
                        sk_skb_stream_parser | flow_dissector }
       ${OPTIONS} |
                    {-f|--bpffs} | {-n|--nomount} }
`,
  map: `Usage: bpftool map { show | list }   [MAP]
       bpftool map create     FILE type TYPE key KEY_SIZE value VALUE_SIZE \\
                                  entries MAX_ENTRIES name NAME [flags FLAGS] \\
                                  [inner_map MAP] [dev NAME]
       bpftool map dump       MAP
       bpftool map update     MAP [key DATA] [value VALUE] [UPDATE_FLAGS]
       bpftool map lookup     MAP [key DATA]
       bpftool map getnext    MAP [key DATA]
       bpftool map delete     MAP  key DATA
       bpftool map pin        MAP  FILE
       bpftool map event_pipe MAP [cpu N index M]
       bpftool map peek       MAP
       bpftool map push       MAP value VALUE
       bpftool map pop        MAP
       bpftool map enqueue    MAP value VALUE
       bpftool map dequeue    MAP
       bpftool map freeze     MAP
       bpftool map help

       ${MAP}
       DATA := { [hex] BYTES }
       ${PROG}
       VALUE := { DATA | MAP | PROG }
       UPDATE_FLAGS := { any | exist | noexist }
       TYPE := { hash | array | prog_array | perf_event_array | percpu_hash |
                 percpu_array | stack_trace | cgroup_array | lru_hash |
                 lru_percpu_hash | lpm_trie | array_of_maps | hash_of_maps |
                 devmap | devmap_hash | sockmap | cpumap | xskmap | sockhash |
                 cgroup_storage | reuseport_sockarray | percpu_cgroup_storage |
                 queue | stack | sk_storage | struct_ops | ringbuf | inode_storage |
                 task_storage | bloom_filter | user_ringbuf }
       ${OPTIONS} |
                    {-f|--bpffs} | {-n|--nomount} }
`,
  link: `Usage: bpftool link { show | list }   [LINK]
       bpftool link pin        LINK  FILE
       bpftool link detach     LINK
       bpftool link help

       LINK := { id LINK_ID | pinned FILE }
       ${OPTIONS} |
                    {-f|--bpffs} | {-n|--nomount} }
`,
  net: `Usage: bpftool net { show | list } [dev <devname>]
       bpftool net attach ATTACH_TYPE PROG dev <devname> [ overwrite ]
       bpftool net detach ATTACH_TYPE dev <devname>
       bpftool net help

       ${PROG}
       ATTACH_TYPE := { xdp | xdpgeneric | xdpdrv | xdpoffload }
       ${OPTIONS} }
`,
  perf: `Usage: bpftool perf { show | list }
       bpftool perf help }

       ${OPTIONS} }
`,
  btf: `Usage: bpftool btf { show | list } [id BTF_ID]
       bpftool btf dump BTF_SRC [format FORMAT]
       bpftool btf help

       BTF_SRC := { id BTF_ID | prog PROG | map MAP [{key | value | kv | all}] | file FILE }
       FORMAT  := { raw | c }
       ${MAP}
       ${PROG}
       ${OPTIONS} }
`,
  feature: `Usage: bpftool feature probe [kernel]
       bpftool feature list_builtins GROUP
       bpftool feature help

       GROUP := { prog_types | map_types | attach_types | link_types | helpers }
       ${OPTIONS} }
`,
} as const;

/** `help`: the text on stderr; JSON has nothing to say. */
export function* help(t: Bpftool, topic: HelpTopic): UserFlow<number> {
  if (t.json) return yield* t.done();
  yield* t.p.stdout.flush();
  yield* t.p.stderr.write(TEXTS[topic]);
  return 0;
}

/** Wrong use: help, and the end of the run. */
export function* usage(t: Bpftool, topic: HelpTopic): UserFlow<never> {
  yield* help(t, topic);
  throw new Exit(FAILED & 0xff);
}
