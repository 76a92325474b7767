import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { silentLogger } from '../../core/base/logger.ts';

/** Contents of a file, `{link}` for a symlink, `{dir}` for a folder, `{mode}` with contents. */
export type TreeNode =
  | string
  | Uint8Array
  | { readonly link: string }
  | { readonly dir: true }
  | { readonly mode: number; readonly data: string };

/** Writes files into a folder, making parents. Paths are relative to it. */
export function writeTree(root: string, tree: Readonly<Record<string, TreeNode>>): void {
  for (const [path, node] of Object.entries(tree)) {
    const host = join(root, path);
    mkdirSync(dirname(host), { recursive: true });
    if (typeof node === 'string' || node instanceof Uint8Array) writeFileSync(host, node);
    else if ('link' in node) symlinkSync(node.link, host);
    else if ('dir' in node) mkdirSync(host, { recursive: true });
    else {
      writeFileSync(host, node.data);
      chmodSync(host, node.mode);
    }
  }
}

/** Everything below a folder as `path → kind, mode and contents`, to compare before and after. */
export function snapshot(root: string, below = ''): Record<string, string> {
  const result: Record<string, string> = {};
  for (const name of readdirSync(join(root, below)).sort()) {
    const path = join(below, name);
    const stat = lstatSync(join(root, path));
    const mode = (stat.mode & 0o7777).toString(8);
    if (stat.isDirectory()) Object.assign(result, { [path]: `dir ${mode}` }, snapshot(root, path));
    else if (stat.isSymbolicLink()) result[path] = `link ${readlinkSync(join(root, path))}`;
    else result[path] = `file ${mode} ${readFileSync(join(root, path)).toString('hex')}`;
  }
  return result;
}

/** A context that says nothing and is never aborted. */
export const quietContext = { log: silentLogger, signal: new AbortController().signal };

/** The smallest thing that `planInjection` takes for an ELF program or library. */
export function elfFile(options: { machine?: number; interpreter?: string; text?: string } = {}): Buffer {
  const bytes = Buffer.alloc(512);
  bytes.write('\x7fELF', 0, 'latin1');
  bytes[4] = 2;
  bytes[5] = 1;
  bytes.writeUInt16LE(options.machine ?? 62, 18);
  bytes.writeBigUInt64LE(64n, 32);
  bytes.writeUInt16LE(56, 54);
  if (options.interpreter !== undefined) {
    bytes.writeUInt16LE(1, 56);
    bytes.writeUInt32LE(3, 64);
    bytes.writeBigUInt64LE(200n, 72);
    bytes.writeBigUInt64LE(BigInt(options.interpreter.length + 1), 96);
    bytes.write(options.interpreter, 200, 'latin1');
  }
  return Buffer.concat([bytes, Buffer.from(options.text ?? '')]);
}

/** The smallest PE32+ program that firmware's checks would take. */
export function peFile(options: { machine?: number; subsystem?: number; text?: string } = {}): Buffer {
  const bytes = Buffer.alloc(1024);
  bytes.write('MZ', 0, 'latin1');
  bytes.writeUInt32LE(0x80, 0x3c);
  bytes.write('PE\0\0', 0x80, 'latin1');
  bytes.writeUInt16LE(options.machine ?? 0x8664, 0x84);
  bytes.writeUInt16LE(1, 0x86);
  bytes.writeUInt16LE(0xf0, 0x94);
  bytes.writeUInt16LE(0x20b, 0x98);
  bytes.writeUInt16LE(options.subsystem ?? 10, 0x98 + 68);
  const section = 0x98 + 0xf0;
  bytes.write('.text', section, 'latin1');
  bytes.writeUInt32LE(512, section + 8);
  bytes.writeUInt32LE(512, section + 16);
  bytes.writeUInt32LE(512, section + 20);
  bytes.write(options.text ?? '', 512, 'latin1');
  return bytes;
}

/** A file with the magic of an x86 kernel. */
export function kernelFile(): Buffer {
  const bytes = Buffer.alloc(8192, 0x90);
  bytes.write('HdrS', 0x202, 'latin1');
  return bytes;
}
