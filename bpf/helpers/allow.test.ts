import { describe, expect, it } from 'vitest';
import type { AttachType, ProgType } from '../uapi.ts';
import { ATTACH_TYPES, PROG_TYPES } from '../uapi.ts';
import type { HelperCaps } from './allow.ts';
import { helperFor, isAllowed } from './allow.ts';
import { helperByProto, helperName, helpers, MAX_HELPER_ID } from './table.ts';

const root: HelperCaps = { bpf: true, perfmon: true, sysAdmin: true };
const nobody: HelperCaps = { bpf: false, perfmon: false, sysAdmin: false };
const protoFor = (
  type: ProgType,
  id: number,
  caps = root,
  expectedAttachType: AttachType = 'cgroup_inet_ingress',
  attachName?: string,
) => helperFor({ type, expectedAttachType, attachName }, id, caps)?.proto;

describe('helper table', () => {
  it('has every id of 6.1 under one name, and each prototype once', () => {
    for (let id = 1; id <= MAX_HELPER_ID; id++) {
      expect(new Set(helpers.filter((h) => h.id === id).map((h) => h.name)).size, `${id}`).toBe(1);
    }
    expect(new Set(helpers.map((h) => h.proto)).size).toBe(helpers.length);
    expect(helpers.every((h) => h.id >= 1 && h.id <= MAX_HELPER_ID)).toBe(true);
    expect(helperName(209)).toBe('user_ringbuf_drain');
  });

  it('has a program that can call each prototype', () => {
    const reachable = new Set<string>();
    const names = ['', 'bpf_iter_tcp', 'bpf_lsm_sock_graft', 'bpf_lsm_socket_post_create'];
    for (const type of PROG_TYPES) {
      for (const attach of ATTACH_TYPES) {
        for (const name of names) {
          for (let id = 1; id <= MAX_HELPER_ID; id++) {
            const proto = protoFor(type, id, root, attach, name);
            if (proto) reachable.add(proto);
          }
        }
      }
    }
    expect(helpers.map((h) => h.proto).filter((proto) => !reachable.has(proto))).toEqual([]);
  });

  it('pairs every size with the memory before it', () => {
    for (const helper of helpers) {
      helper.args.forEach((arg, i) => {
        if (!arg.base.startsWith('const_size')) return;
        expect(helper.args[i - 1]?.base, helper.proto).toBe('ptr_to_mem');
      });
    }
  });
});

describe('which helper a program gets', () => {
  it('follows the capability tiers of bpf_base_func_proto', () => {
    const spinLock = 93;
    const tracePrintk = 6;
    expect(protoFor('socket_filter', 1, nobody)).toBe('map_lookup_elem');
    expect(protoFor('socket_filter', spinLock, nobody)).toBeUndefined();
    expect(protoFor('socket_filter', spinLock, { ...nobody, bpf: true })).toBe('spin_lock');
    expect(protoFor('xdp', tracePrintk, { ...nobody, bpf: true })).toBeUndefined();
    expect(protoFor('xdp', tracePrintk, { ...nobody, bpf: true, perfmon: true })).toBe(
      'trace_printk',
    );
  });

  it('chooses the prototype by program type', () => {
    const perfEventOutput = 25;
    expect(protoFor('xdp', perfEventOutput)).toBe('xdp_event_output');
    expect(protoFor('sched_cls', perfEventOutput)).toBe('skb_event_output');
    expect(protoFor('kprobe', perfEventOutput)).toBe('perf_event_output');
    expect(protoFor('tracepoint', perfEventOutput)).toBe('perf_event_output_tp');
    expect(protoFor('tracing', perfEventOutput)).toBe('perf_event_output_raw_tp');
    expect(protoFor('sk_msg', perfEventOutput)).toBe('event_output_data');
    expect(protoFor('kprobe', 173, root, 'trace_kprobe_multi')).toBe('get_func_ip_kprobe_multi');
    expect(protoFor('kprobe', 173, root)).toBe('get_func_ip_kprobe');
  });

  it('refuses what a program type does not offer', () => {
    expect(protoFor('kprobe', 44)).toBeUndefined(); // xdp_adjust_head
    expect(protoFor('xdp', 26)).toBeUndefined(); // skb_load_bytes
    expect(protoFor('lwt_seg6local', 39)).toBeUndefined(); // skb_pull_data, though lwt_out has it
    expect(protoFor('lwt_out', 39)).toBe('skb_pull_data');
    expect(protoFor('tracing', 126, root, 'trace_fentry')).toBeUndefined(); // seq_printf
    expect(protoFor('tracing', 126, root, 'trace_iter')).toBe('seq_printf');
    expect(protoFor('unspec', 1)).toBeUndefined();
  });

  it('keeps setsockopt of LSM programs to hooks where the socket is known', () => {
    const of = (hook: string, attach: AttachType = 'lsm_cgroup') =>
      protoFor('lsm', 49, root, attach, `bpf_lsm_${hook}`);
    expect(of('sock_graft')).toBe('sk_setsockopt');
    expect(of('socket_post_create')).toBe('unlocked_sk_setsockopt');
    expect(of('file_open')).toBeUndefined();
    expect(of('sock_graft', 'lsm_mac')).toBeUndefined();
  });

  it('asks the row’s own condition', () => {
    const dPath = helperByProto('d_path');
    const tracing = { type: 'tracing', expectedAttachType: 'trace_fentry' } as const;
    expect(isAllowed(dPath, { ...tracing, attachName: 'filp_close' })).toBe(true);
    expect(isAllowed(dPath, { ...tracing, attachName: 'do_unlinkat' })).toBe(false);
    expect(isAllowed(dPath, { ...tracing, expectedAttachType: 'trace_iter' })).toBe(true);
    const storage = helperByProto('sk_storage_get_tracing');
    expect(isAllowed(storage, { ...tracing, attachName: 'bpf_sk_storage_free' })).toBe(false);
    expect(isAllowed(storage, { ...tracing, attachName: 'tcp_connect' })).toBe(true);
  });
});
