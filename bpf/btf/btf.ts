/** Placeholder of the BTF reader; replaced by the real one. */
export interface Btf {
  readonly bytes: Uint8Array;
}
