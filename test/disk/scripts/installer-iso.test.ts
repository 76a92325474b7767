import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { copyFileSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCommand } from '../../../core/base/run-command.ts';
import { findIsoBlock } from '../../../core/boot-block/find-iso-block.ts';
import { decodeIsoBlock, encodeIsoBlock, isoBlockPath } from '../../../core/boot-block/iso-block.ts';
import { installerRoot } from '../../../scripts/build/installer/installer-root.ts';
import { makeIso } from '../../../scripts/build/installer/make-iso.ts';
import { Resources } from '../../resources.ts';

const { signal } = new AbortController();
const print = (line: string): void => console.log(line);

/** An ISO around any bytes: what is asked here does not need a kernel. */
async function buildIso(resources: Resources, kernel: Buffer, name = 'installer.iso'): Promise<string> {
  const dir = resources.tempDir();
  const options = { vmlinuz: join(dir, 'vmlinuz'), file: join(dir, name) };
  writeFileSync(options.vmlinuz, kernel);
  await makeIso({ ...options, root: (await installerRoot({ print, signal })).dir, signal });
  return options.file;
}

test('the block of the ISO is found, can be filled in place, and is then the file that the installer reads', async () => {
  await using resources = new Resources();
  const kernel = randomBytes(3_000_000);
  const file = await buildIso(resources, kernel);
  const settings = { server: 'https://192.0.2.1:7443', pin: `sha256:${'ab'.repeat(32)}`, token: 'a.b.c' };
  const patched = join(resources.tempDir(), 'patched.iso');
  copyFileSync(file, patched);
  {
    await using iso = await open(patched, 'r+');
    const offset = await findIsoBlock(iso);
    await iso.write(encodeIsoBlock(settings), 0, undefined, offset);
  }
  const contents = join(resources.tempDir(), 'contents');
  await runCommand('xorriso', ['-osirrox', 'on', '-indev', patched, '-extract', '/', contents]);
  assert.deepEqual(decodeIsoBlock(readFileSync(join(contents, isoBlockPath))), settings);
  assert.ok(readFileSync(join(contents, 'boot/vmlinuz')).equals(kernel), 'the ISO does not hold this very kernel');
  assert.ok(statSync(file).size - kernel.length < 2_500_000, `${statSync(file).size - kernel.length} bytes too many`);
});

test('the same kernel gives the same ISO; nothing of the machine, the folder or the day is in it', async () => {
  await using resources = new Resources();
  const kernel = randomBytes(100_000);
  const first = await buildIso(resources, kernel);
  // xorriso and mtools round times down to two seconds.
  await new Promise((resolve) => setTimeout(resolve, 2100));
  process.env['SOURCE_DATE_EPOCH'] = '1';
  resources.defer('forget the date', () => void delete process.env['SOURCE_DATE_EPOCH']);
  assert.ok(readFileSync(first).equals(readFileSync(await buildIso(resources, kernel, 'other-name.iso'))));
});

test('firmware of both kinds finds its loader on a CD and on a stick', async () => {
  await using resources = new Resources();
  const file = await buildIso(resources, randomBytes(10_000));
  const report = async (kind: string): Promise<string> =>
    (await runCommand('xorriso', ['-indev', file, kind, 'plain'])).stdout;
  const torito = await report('-report_el_torito');
  assert.match(torito, /El Torito boot img : +1 +BIOS +y/);
  assert.match(torito, /El Torito boot img : +2 +UEFI +y/);
  const area = await report('-report_system_area');
  assert.match(area, /protective-msdos-label grub2-mbr .*GPT/);
  assert.match(area, /GPT type GUID +: +2 +28732ac11ff8d211ba4b00a0c93ec93b/, 'no EFI system partition');
  // The stick's ESP by itself.
  const [, start] = /GPT start and size : +2 +(\d+)/.exec(area) ?? [];
  const list = await runCommand('mdir', ['-i', `${file}@@${Number(start) * 512}`, '-b', '::/EFI/BOOT']);
  assert.match(list.stdout, /BOOTX64\.EFI/);
});
