/** An initramfs: files in cpio's "newc" format (Documentation/driver-api/early-userspace). */

const TRAILER = 'TRAILER!!!';
const REGULAR = 0o100755;
const DIRECTORY = 0o040755;

export function initramfs(
  files: Readonly<Record<string, Uint8Array>>,
  directories: readonly string[],
): Uint8Array {
  const parts: Buffer[] = [];
  directories.forEach((name, i) => parts.push(entry(name, DIRECTORY, i + 1, new Uint8Array())));
  Object.entries(files).forEach(([name, data], i) =>
    parts.push(entry(name, REGULAR, directories.length + i + 1, data)),
  );
  parts.push(entry(TRAILER, 0, 0, new Uint8Array()));
  return Buffer.concat(parts);
}

function entry(name: string, mode: number, ino: number, data: Uint8Array): Buffer {
  const fields = [ino, mode, 0, 0, 1, 0, data.length, 0, 0, 0, 0, name.length + 1, 0];
  const head = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`;
  return Buffer.concat([
    padded(Buffer.from(`${head}${name}\0`, 'latin1')),
    padded(Buffer.from(data)),
  ]);
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
}
