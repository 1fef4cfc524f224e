/** File modes as chmod(1) reads them: octal, or symbolic like u+x,go-w. */

/**
 * The new permission bits; undefined if the text is no mode. `mask`: the umask, which says what an
 * action for nobody in particular (+x) leaves alone.
 */
export function parseMode(
  text: string,
  current: number,
  isDirectory = false,
  mask = 0,
): number | undefined {
  if (/^[0-7]{1,5}$/.test(text)) {
    const bits = parseInt(text, 8);
    if (bits > 0o7777) return undefined;
    // Four digits and fewer leave a directory its set-id bits.
    return isDirectory && text.length < 5 ? bits | (current & 0o6000) : bits;
  }
  let mode = current & 0o7777;
  for (const clause of text.split(',')) {
    const match = /^([ugoa]*)((?:[-+=](?:[rwxXst]*|[ugo]))+)$/.exec(clause);
    if (!match) return undefined;
    const who = match[1] === '' || match[1]!.includes('a') ? 'ugo' : match[1]!;
    const kept = match[1] === '' ? mask : 0;
    for (const action of match[2]!.matchAll(/([-+=])([rwxXstugo]*)/g)) {
      const changed = applyAction(mode, who, action[1]!, action[2]!, isDirectory);
      mode = (changed & ~kept) | (mode & kept);
    }
  }
  return mode;
}

const SHIFTS: Readonly<Record<string, number>> = { u: 6, g: 3, o: 0 };

function applyAction(
  mode: number,
  who: string,
  operator: string,
  permissions: string,
  isDirectory: boolean,
): number {
  let out = mode;
  for (const letter of who) {
    const shift = SHIFTS[letter]!;
    let bits = 0;
    let special = 0;
    for (const permission of permissions) {
      if (permission === 'r') bits |= 4;
      else if (permission === 'w') bits |= 2;
      else if (permission === 'x') bits |= 1;
      else if (permission === 'X') bits |= isDirectory || mode & 0o111 ? 1 : 0;
      else if (permission === 's') special |= letter === 'u' ? 0o4000 : letter === 'g' ? 0o2000 : 0;
      else if (permission === 't') special |= 0o1000;
      else bits |= (mode >> SHIFTS[permission]!) & 7;
    }
    if (operator === '+') out |= (bits << shift) | special;
    else if (operator === '-') out &= ~((bits << shift) | special);
    else out = (out & ~(7 << shift)) | (bits << shift) | special;
  }
  return out;
}
