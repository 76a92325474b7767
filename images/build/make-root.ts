import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ProvisionError } from '../../core/base/errors.ts';
import { runCommand } from '../../core/base/run-command.ts';
import { type DiskPlan, fixedIdentities, partitionBytes } from './disk-plan.ts';
import { grubFolder } from './grub-core.ts';

export const rootLabel = 'root';
export const blockBytes = 4096;
export const journalMib = 64;

/**
 * Features by name and not by mke2fs.conf, which differs between distributions: GRUB 2.06 reads no file system with
 * metadata_csum_seed, and without meta_bg (in place of resize_inode) resize2fs 1.47 cannot grow a small file system of
 * 4 KiB blocks to terabytes.
 */
const features = [
  ...['none', 'has_journal', 'ext_attr', 'dir_index', 'filetype', 'extent', '64bit', 'meta_bg', 'flex_bg'],
  ...['sparse_super', 'large_file', 'huge_file', 'dir_nlink', 'extra_isize', 'metadata_csum'],
].join(',');

/** 2020-01-01; e2fsprogs takes 0 for "no fake time". */
const fixedTime = '1577836800';

/**
 * Makes the ext4 root file system inside the disk file, for the disk it will grow to, and puts GRUB's modules into
 * /boot/grub. Files are written by debugfs and not by `mke2fs -d`, which takes the inode change time from the host.
 * @throws ProvisionError `tool_missing`, `tool_failed`, `image_build_failed`.
 */
export async function makeRoot(
  options: { file: string; plan: DiskPlan; workDir: string },
  signal: AbortSignal,
): Promise<void> {
  const { file, plan } = options;
  const { offset, length } = partitionBytes(plan, plan.root);
  const run = { signal, env: { E2FSPROGS_FAKE_TIME: fixedTime, MKE2FS_CONFIG: '/dev/null', TZ: 'UTC' } };
  await runCommand(
    'mkfs.ext4',
    [
      ...['-q', '-F', '-b', String(blockBytes), '-I', '256', '-i', '16384', '-J', `size=${journalMib}`, '-m', '1'],
      ...['-O', features, '-L', rootLabel, '-U', fixedIdentities.rootUuid],
      ...['-E', `offset=${offset},root_owner=0:0,nodiscard,hash_seed=${fixedIdentities.rootHashSeed}`],
      ...[file, `${length / 1024}k`],
    ],
    run,
  );
  const commands = join(options.workDir, 'debugfs.cmd');
  await writeFile(commands, await populateCommands());
  const result = await runCommand('debugfs', ['-w', '-f', commands, `${file}?offset=${offset}`], run);
  // debugfs exits with 0 whatever its commands do; after its banner it prints on stderr only what went wrong.
  const complaints = result.stderr.split('\n').filter((line) => line !== '' && !line.startsWith('debugfs '));
  if (complaints.length > 0) {
    throw new ProvisionError('image_build_failed', 'debugfs could not put the files of GRUB onto the root', {
      facts: { stderr: complaints.slice(0, 5) },
    });
  }
}

async function populateCommands(): Promise<string> {
  const lines = ['mkdir /boot', 'mkdir /boot/grub'];
  for (const format of ['i386-pc', 'x86_64-efi']) {
    const from = join(grubFolder, format);
    const names = (await readdir(from)).filter((name) => name.endsWith('.mod') || name.endsWith('.lst')).sort();
    if (names.length === 0) throw new ProvisionError('tool_missing', `${from} holds no GRUB modules`);
    lines.push(`mkdir /boot/grub/${format}`);
    for (const name of names) lines.push(`write ${join(from, name)} /boot/grub/${format}/${name}`);
  }
  return `${lines.join('\n')}\n`;
}
