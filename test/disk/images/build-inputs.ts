import { chownSync, lutimesSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { chmod, link, open } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from '../../../core/base/run-command.ts';
import { type DiskPlan, planDisk } from '../../../images/build/disk-plan.ts';
import { encodeGpt } from '../../../images/build/encode-gpt.ts';
import type { Resources } from '../../resources.ts';

/** A raw disk of 4 MiB with a root of two sectors: for tests that are not about what layer 0 holds. */
export function smallDisk(resources: Resources, sectorBytes: 512 | 4096 = 512): { kind: 'file'; file: string } {
  const file = join(resources.tempDir(), 'small.raw');
  const { esp, root, ...plan } = planDisk({ sectorBytes });
  const small: DiskPlan = {
    ...plan,
    diskBytes: 4 * 1024 * 1024,
    biosBoot: null,
    esp: { ...esp, firstLba: 256, lastLba: 257 },
    root: { ...root, firstLba: 258, lastLba: 259 },
  };
  const { head, tail, tailOffsetBytes } = encodeGpt(small);
  const bytes = Buffer.alloc(small.diskBytes);
  head.copy(bytes);
  tail.copy(bytes, tailOffsetBytes);
  writeFileSync(file, bytes);
  return { kind: 'file', file };
}

/** A folder with every kind of entry that a root file system can hold, on ext4. */
export async function makeTree(resources: Resources): Promise<string> {
  const device = await resources.loop(resources.sparseFile(64 * 1024 * 1024));
  await runCommand('mkfs.ext4', ['-q', '-F', device]);
  const root = join(await resources.mount(device), 'root');
  mkdirSync(join(root, 'deep/folder'), { recursive: true });
  const file = join(root, 'deep/file');
  writeFileSync(file, 'contents');
  chownSync(file, 1234, 70_000);
  await chmod(file, 0o4755);
  await link(file, join(root, 'hard-link'));
  symlinkSync('/absolute/target', join(root, 'link'));
  writeFileSync(join(root, 'capable'), 'x');
  await runCommand('setcap', ['cap_net_bind_service+ep', join(root, 'capable')]);
  await runCommand('setfattr', ['-n', 'user.note', '-v', 'kept', join(root, 'capable')]);
  await runCommand('setfattr', ['-n', 'trusted.note', '-v', 'kept', join(root, 'deep')]);
  await runCommand('setfacl', ['-m', 'u:1000:r', file]);
  await runCommand('setfacl', ['-d', '-m', 'g:1000:rx', join(root, 'deep/folder')]);
  await runCommand('mknod', [join(root, 'null'), 'c', '1', '3']);
  await runCommand('mknod', [join(root, 'disk'), 'b', '259', '300']);
  await runCommand('mkfifo', [join(root, 'fifo')]);
  writeFileSync(join(root, 'empty'), '');
  writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff, 0xfe])]), 'name that is no UTF-8');
  writeFileSync(join(root, 'n'.repeat(200)), 'long name');
  await using sparse = await open(join(root, 'sparse'), 'w');
  await sparse.write('end', 5_000_000);
  await sparse.truncate(10_000_000);
  for (const path of ['deep/file', 'link', 'deep/folder', 'deep']) {
    lutimesSync(join(root, path), 1_000_000_000.123456, 1_234_567_890.987654);
  }
  return root;
}
