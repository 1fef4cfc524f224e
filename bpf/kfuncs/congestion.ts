/** What congestion controls in BPF may call of Linux's own (net/ipv4/bpf_tcp_ca.c, tcp_cubic.c). */
import type { Kfunc, KfuncHook } from './kfunc.ts';

const hooks: readonly KfuncHook[] = ['struct_ops'];

export const congestionKfuncs: readonly Kfunc[] = [
  'u32 tcp_reno_ssthresh(struct sock *sk)',
  'void tcp_reno_cong_avoid(struct sock *sk, u32 ack, u32 acked)',
  'u32 tcp_reno_undo_cwnd(struct sock *sk)',
  'u32 tcp_slow_start(struct tcp_sock *tp, u32 acked)',
  'void tcp_cong_avoid_ai(struct tcp_sock *tp, u32 w, u32 acked)',
  'void cubictcp_init(struct sock *sk)',
  'u32 cubictcp_recalc_ssthresh(struct sock *sk)',
  'void cubictcp_cong_avoid(struct sock *sk, u32 ack, u32 acked)',
  'void cubictcp_state(struct sock *sk, u8 new_state)',
  'void cubictcp_cwnd_event(struct sock *sk, enum tcp_ca_event event)',
  'void cubictcp_acked(struct sock *sk, const struct ack_sample *sample)',
].map((declaration) => ({
  declaration,
  flags: 0,
  hooks,
  needs: 'congestion controls in BPF',
}));
