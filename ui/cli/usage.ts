/** Exit statuses of the command line, and the error that ends a command with one. */

export const EXIT = {
  ok: 0,
  /** The thing asked about failed: a program rejected, a check not met. */
  failed: 1,
  /** Bad usage or unreadable input. */
  usage: 2,
} as const;

/** Unusable arguments or input: printed as `skep: MESSAGE`, exit status 2. */
export class UsageError extends Error {
  override name = 'UsageError';
}
