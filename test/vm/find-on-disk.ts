import { open } from 'node:fs/promises';
import { z } from 'zod';
import { runCommand } from '../../core/base/run-command.ts';
import { rootOffsetBytes } from './installed-guest.ts';

/** A place on a disk that holds one of the texts that were looked for. */
export interface DiskHit {
  /** Name of the text. */
  readonly what: string;
  readonly offsetBytes: number;
  /** In the root file system; null where the bytes belong to no file of it. */
  readonly path: string | null;
  /** `0600`, and the number of the owner; null without a file. */
  readonly mode: string | null;
  readonly owner: number | null;
}

const chunkBytes = 4 * 1024 * 1024;

/** Every place where a powered-off disk holds one of these texts, also in blocks that no file has any more. */
export async function findOnDisk(file: string, texts: Readonly<Record<string, string>>): Promise<DiskHit[]> {
  const found = await findBytes(file, texts);
  if (found.length === 0) return [];
  const rootBytes = await rootOffsetBytes(file);
  const root = `${file}?offset=${rootBytes}`;
  const { stdout } = await runCommand('dumpe2fs', ['-h', root]);
  const blockBytes = Number(/^Block size: +(\d+)$/m.exec(stdout)?.[1]);
  const blocks = found.map(({ offsetBytes }) => Math.floor((offsetBytes - rootBytes) / blockBytes));
  const inodes = await debugfsTable(root, `icheck ${blocks.filter((block) => block >= 0).join(' ')}`);
  const numbers = [...new Set(inodes.values())];
  const paths = await debugfsTable(root, `ncheck ${numbers.join(' ')}`);
  const modes = new Map<string, { mode: string; owner: number }>();
  for (const inode of paths.keys()) modes.set(inode, await modeOf(root, inode));
  return found.map((hit, index) => {
    const inode = inodes.get(String(blocks[index])) ?? '';
    const mode = modes.get(inode);
    return { ...hit, path: paths.get(inode) ?? null, mode: mode?.mode ?? null, owner: mode?.owner ?? null };
  });
}

/** Mode and owner of a file in the root of a powered-off disk. */
export async function modeOnDisk(file: string, path: string): Promise<{ mode: string; owner: number }> {
  return await modeOf(`${file}?offset=${await rootOffsetBytes(file)}`, path);
}

/** A file in the root of a powered-off disk. */
export async function readOnDisk(file: string, path: string): Promise<string> {
  const root = `${file}?offset=${await rootOffsetBytes(file)}`;
  return (await runCommand('debugfs', ['-R', `cat ${path}`, root])).stdout;
}

async function modeOf(root: string, pathOrInode: string): Promise<{ mode: string; owner: number }> {
  const name = /^\d+$/.test(pathOrInode) ? `<${pathOrInode}>` : pathOrInode;
  const { stdout } = await runCommand('debugfs', ['-R', `stat ${name}`, root]);
  const [, mode, owner] = /Mode: +0*(\d{3,4})[\s\S]*?User: +(\d+)/.exec(stdout) ?? [];
  if (mode === undefined || owner === undefined) throw new Error(`${pathOrInode} is not on the disk: ${stdout}`);
  return { mode: mode.padStart(4, '0'), owner: Number(owner) };
}

/** What debugfs prints in two columns below a heading: numbers and numbers, or numbers and paths. */
async function debugfsTable(root: string, request: string): Promise<Map<string, string>> {
  const { stdout } = await runCommand('debugfs', ['-R', request, root]);
  const rows = stdout.split('\n').slice(1);
  return new Map(rows.flatMap((row) => (/^\d+\t(\d+$|\/)/.test(row) ? [row.split('\t', 2) as [string, string]] : [])));
}

/** Where a disk holds these texts; what its file does not store, or stores as zeros, is passed over. */
export async function findBytes(
  file: string,
  texts: Readonly<Record<string, string>>,
): Promise<{ what: string; offsetBytes: number }[]> {
  const needles = Object.entries(texts).map(([what, text]) => ({ what, bytes: Buffer.from(text) }));
  const overlapBytes = Math.max(...needles.map(({ bytes }) => bytes.length)) - 1;
  const chunk = Buffer.alloc(chunkBytes + overlapBytes);
  const found: { what: string; offsetBytes: number }[] = [];
  const ranges = await storedRanges(file);
  await using handle = await open(file, 'r');
  for (const { start, length } of ranges) {
    for (let at = start; at < start + length; at += chunkBytes) {
      const mostBytes = Math.min(chunkBytes, start + length - at);
      const { bytesRead } = await handle.read(chunk, 0, mostBytes + overlapBytes, at);
      const bytes = chunk.subarray(0, bytesRead);
      for (const { what, bytes: needle } of needles) {
        // What begins in the overlap is found in the next chunk.
        for (let hit = bytes.indexOf(needle); hit !== -1 && hit < mostBytes; hit = bytes.indexOf(needle, hit + 1)) {
          found.push({ what, offsetBytes: at + hit });
        }
      }
    }
  }
  return found;
}

const mapSchema = z.array(z.object({ start: z.number(), length: z.number(), zero: z.boolean(), data: z.boolean() }));

async function storedRanges(file: string): Promise<{ start: number; length: number }[]> {
  const { stdout } = await runCommand('qemu-img', ['map', '--output=json', '-f', 'raw', file]);
  return mapSchema.parse(JSON.parse(stdout)).filter(({ data, zero }) => data && !zero);
}
