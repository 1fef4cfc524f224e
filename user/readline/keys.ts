/**
 * What a terminal sends, decoded into keys: text, 'C-a', 'M-f', 'up', 'enter' and so on.
 *
 *   const decoder = new KeyDecoder(); decoder.feed(byte)   the key that byte completes, if any
 *
 * Sequences are xterm's (CSI and SS3). Bytes of a character that is not whole yet are kept.
 */
export type Key =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'key'; readonly name: string };

const FINAL: Readonly<Record<string, string>> = {
  A: 'up',
  B: 'down',
  C: 'right',
  D: 'left',
  H: 'home',
  F: 'end',
};
const TILDE: Readonly<Record<string, string>> = {
  1: 'home',
  2: 'insert',
  3: 'delete',
  4: 'end',
  5: 'pageup',
  6: 'pagedown',
  7: 'home',
  8: 'end',
};

export class KeyDecoder {
  #pending: number[] = [];

  feed(byte: number): Key | undefined {
    this.#pending.push(byte);
    const key = this.#decode();
    if (key !== 'more') this.#pending = [];
    return key === 'more' ? undefined : key;
  }

  #decode(): Key | 'more' | undefined {
    const bytes = this.#pending;
    const first = bytes[0]!;
    if (first === 0x1b) return this.#escape(bytes);
    if (first < 0x20 || first === 0x7f) return { kind: 'key', name: controlName(first) };
    const length = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
    if (bytes.length < length) return 'more';
    return { kind: 'text', text: new TextDecoder().decode(Uint8Array.from(bytes)) };
  }

  #escape(bytes: readonly number[]): Key | 'more' | undefined {
    if (bytes.length === 1) return 'more';
    const second = bytes[1]!;
    const isSequence = second === 0x5b || second === 0x4f;
    if (!isSequence) {
      if (second === 0x1b) return undefined;
      const name = second < 0x20 || second === 0x7f ? controlName(second) : '';
      return { kind: 'key', name: `M-${name || String.fromCharCode(second)}` };
    }
    const last = bytes.at(-1)!;
    if (bytes.length === 2 || last < 0x40 || last > 0x7e) return 'more';
    const text = String.fromCharCode(...bytes.slice(2));
    const [number = '', modifier = ''] = text.slice(0, -1).split(';');
    const name = text.endsWith('~') ? TILDE[number] : FINAL[text.at(-1)!];
    if (name === undefined) return undefined;
    const prefix = modifier === '5' ? 'C-' : modifier === '3' ? 'M-' : '';
    return { kind: 'key', name: prefix + name };
  }
}

function controlName(byte: number): string {
  switch (byte) {
    case 0x09:
      return 'tab';
    case 0x0a:
    case 0x0d:
      return 'enter';
    case 0x08:
    case 0x7f:
      return 'backspace';
    case 0x1f:
      return 'C-_';
    default:
      return `C-${String.fromCharCode(byte + 0x60)}`;
  }
}
