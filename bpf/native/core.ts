/** Placeholder of the C core's TypeScript face; replaced by the real one. */
export interface NativeCore {
  readonly exports: Record<string, unknown>;
}
