/**
 * How implementations are written down: a record from the prototype's name to how its arguments
 * pass, what it returns, and a function that is given the machine's runtime once.
 *
 *   offset(x)   the RamOffset in an i32 argument
 */
import type { RamOffset } from '../../kernel/types/units.ts';
import type { HelperImplementation } from './helper.ts';

export type Implementations = Readonly<Record<string, HelperImplementation>>;

export function offset(argument: number): RamOffset {
  return (argument >>> 0) as RamOffset;
}

/** An implementation that is a function of the C core, which generated code calls directly. */
export function native(
  name: string,
  pass: HelperImplementation['pass'],
  returns: HelperImplementation['returns'],
): HelperImplementation {
  return {
    pass,
    returns,
    native: name,
    bind: ({ core }) => {
      const call = core.exports[name] as (...args: never[]) => number | bigint;
      return returns === 'pointer' ? (...args) => offset(call(...args) as number) : call;
    },
  };
}
