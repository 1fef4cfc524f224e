/** How loading fails: an errno, and what libbpf would have printed. */

export interface LoadFailure {
  readonly kind: 'failed';
  /** Positive. */
  readonly errno: number;
  /** Lines as libbpf prints them to stderr, each `libbpf: …` without its newline. */
  readonly messages: readonly string[];
  /** The program that was refused. */
  readonly program?: string;
  /** The verifier's log, where it was the verifier that refused. */
  readonly log?: string;
}

/** Thrown and caught within the loader only. */
export class LoadError extends Error {
  override name = 'LoadError';
  readonly failure: LoadFailure;
  constructor(errno: number, messages: readonly string[], more: Partial<LoadFailure> = {}) {
    super(messages.join('\n'));
    this.failure = { kind: 'failed', errno, messages, ...more };
  }
}
