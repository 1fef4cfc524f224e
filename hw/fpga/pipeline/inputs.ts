/** What comes into the pipeline with a packet. */
export interface PacketInputs {
  readonly length: bigint;
  readonly ifindex: bigint;
  readonly queue: bigint;
  readonly time: bigint;
  /** Bytes of a frame, the first lowest; what is beyond the packet is not looked at. */
  frame(which: number): bigint;
}
