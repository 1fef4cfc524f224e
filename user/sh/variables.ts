/**
 * A shell's variables: scalars, arrays and their attributes.
 *
 *   variables.get('x')                  a scalar, or element 0 of an array
 *   variables.assign('x', 'v', opts)    throws ShellError where it is readonly
 *   variables.entries('a')              keys and values of an array, in order
 */
import { evaluate } from './arithmetic.ts';

export interface Attributes {
  readonly exported: boolean;
  readonly readonly: boolean;
  readonly integer?: boolean;
  readonly fold?: 'upper' | 'lower';
}

export interface Variable extends Attributes {
  /** Undefined: declared without a value, or an array. */
  readonly value?: string;
  /** Of an array; keys of an indexed one are decimal numbers. */
  readonly elements?: Map<string, string>;
  readonly associative?: boolean;
}

/** A command failed in a way that gives up the whole line; if fatal, a shell that runs a script. */
export class ShellError extends Error {
  override name = 'ShellError';
  readonly status: number;
  readonly fatal: boolean;
  constructor(message: string, status = 1, fatal = false) {
    super(message);
    this.status = status;
    this.fatal = fatal;
  }
}

/** A process of this machine would have no room for more. */
const MAX_VALUE_CHARS = 1 << 24;
const PLAIN: Attributes = { exported: false, readonly: false };

export class Variables {
  readonly #map = new Map<string, Variable>();

  /** A copy with arrays of its own. */
  fork(): Variables {
    const child = new Variables();
    for (const [name, variable] of this.#map) {
      const { elements } = variable;
      child.#map.set(name, elements ? { ...variable, elements: new Map(elements) } : variable);
    }
    return child;
  }

  lookup(name: string): Variable | undefined {
    return this.#map.get(name);
  }

  names(): string[] {
    return [...this.#map.keys()].sort();
  }

  get(name: string): string | undefined {
    const variable = this.#map.get(name);
    return variable?.elements ? variable.elements.get('0') : variable?.value;
  }

  /** Put back or take away what `lookup` gave, whatever its attributes. */
  restore(name: string, variable: Variable | undefined): void {
    if (variable) this.#map.set(name, variable);
    else this.#map.delete(name);
  }

  assign(
    name: string,
    text: string,
    options: { readonly append?: boolean; readonly exported?: boolean } = {},
  ): void {
    const old = this.#writable(name);
    if (old?.elements) {
      this.assignElement(name, '0', text, options.append);
      return;
    }
    const value = this.#converted(name, old, text, options.append ? (old?.value ?? '') : undefined);
    const exported = options.exported ?? old?.exported ?? false;
    this.#map.set(name, { ...(old ?? PLAIN), exported, value });
  }

  assignElement(name: string, subscript: string, text: string, append = false): void {
    const variable = this.#array(name);
    const key = this.keyOf(variable, name, subscript);
    const before = append ? (variable.elements!.get(key) ?? '') : undefined;
    variable.elements!.set(key, this.#converted(name, variable, text, before));
  }

  /** Values in the order of `entries`; a key of undefined is the next index. */
  assignArray(
    name: string,
    entries: readonly (readonly [key: string | undefined, value: string])[],
    append = false,
  ): void {
    const old = this.#array(name);
    const elements = append ? old.elements! : new Map<string, string>();
    const variable = { ...old, elements };
    let next = Math.max(-1, ...(append && !old.associative ? this.#indices(elements) : [])) + 1;
    for (const [subscript, text] of entries) {
      const key = subscript === undefined ? String(next) : this.keyOf(variable, name, subscript);
      elements.set(key, this.#converted(name, old, text, undefined));
      if (!old.associative) next = Number(key) + 1;
    }
    this.#map.set(name, variable);
  }

  /** Make it what `declare` says; a scalar's value becomes element 0 of an array. */
  declare(
    name: string,
    change: Partial<Attributes> & { readonly array?: 'indexed' | 'associative' },
  ): void {
    const { array, ...attributes } = change;
    const old = this.#map.get(name) ?? PLAIN;
    const variable: Variable = { ...old, ...attributes };
    if (array && !variable.elements) {
      const { value, ...rest } = variable;
      const elements = new Map(value === undefined ? [] : [['0', value] as const]);
      this.#map.set(name, { ...rest, elements, associative: array === 'associative' });
    } else this.#map.set(name, variable);
  }

  element(name: string, subscript: string): string | undefined {
    const variable = this.#map.get(name);
    if (!variable) return undefined;
    if (!variable.elements) return subscript === '0' ? variable.value : undefined;
    return variable.elements.get(this.keyOf(variable, name, subscript));
  }

  /** A scalar is an array of one. */
  entries(name: string): (readonly [key: string, value: string])[] {
    const variable = this.#map.get(name);
    if (!variable) return [];
    if (!variable.elements) return variable.value === undefined ? [] : [['0', variable.value]];
    const entries = [...variable.elements];
    return variable.associative ? entries : entries.sort(([a], [b]) => Number(a) - Number(b));
  }

  unset(name: string): void {
    if (this.#map.get(name)?.readonly) {
      throw new ShellError(`${name}: cannot unset: readonly variable`);
    }
    this.#map.delete(name);
  }

  unsetElement(name: string, subscript: string): void {
    const variable = this.#writable(name);
    if (!variable?.elements) {
      if (variable && subscript === '0') this.unset(name);
      return;
    }
    variable.elements.delete(this.keyOf(variable, name, subscript));
  }

  /** The key that a subscript means: text, or arithmetic; from the end where it is negative. */
  keyOf(variable: Variable, name: string, subscript: string): string {
    if (variable.associative) return subscript;
    if (/^\d{1,15}$/.test(subscript)) return String(Number(subscript));
    let index = Number(evaluate(subscript, this.arithmetic));
    if (index < 0) index += Math.max(-1, ...this.#indices(variable.elements ?? new Map())) + 1;
    if (index < 0) throw new ShellError(`${name}[${subscript}]: bad array subscript`);
    return String(index);
  }

  /** What arithmetic reads and writes. */
  readonly arithmetic = {
    get: (name: string): string | undefined => this.get(name),
    set: (name: string, value: string): void => this.assign(name, value),
    getElement: (name: string, subscript: string): string | undefined =>
      this.element(name, subscript),
    setElement: (name: string, subscript: string, value: string): void =>
      this.assignElement(name, subscript, value),
  };

  #indices(elements: ReadonlyMap<string, string>): number[] {
    return Array.from(elements.keys(), Number);
  }

  #writable(name: string): Variable | undefined {
    const variable = this.#map.get(name);
    if (variable?.readonly) throw new ShellError(`${name}: readonly variable`);
    return variable;
  }

  #array(name: string): Variable {
    this.#writable(name);
    this.declare(name, { array: 'indexed' });
    return this.#map.get(name)!;
  }

  #converted(
    name: string,
    attributes: Attributes | undefined,
    text: string,
    before: string | undefined,
  ): string {
    if (attributes?.integer) {
      const sum = evaluate(text, this.arithmetic) + evaluate(before ?? '0', this.arithmetic);
      return BigInt.asIntN(64, sum).toString();
    }
    const value = (before ?? '') + text;
    if (value.length > MAX_VALUE_CHARS) throw new ShellError(`${name}: cannot allocate memory`);
    if (attributes?.fold === 'upper') return value.toUpperCase();
    return attributes?.fold === 'lower' ? value.toLowerCase() : value;
  }
}
