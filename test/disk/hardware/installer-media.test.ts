import assert from 'node:assert/strict';
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { assertUsable } from '../../../agent/disk/assert-usable.ts';
import { markInstallerMedia, readInstallerMedium } from '../../../agent/hardware/installer-media.ts';
import { isEligible } from '../../../agent/hardware/list-disks.ts';
import { resolveDisk } from '../../../agent/hardware/resolve-disk.ts';
import { runCommand } from '../../../core/base/run-command.ts';
import { encodeIsoBlock, isoBlockPath } from '../../../core/boot-block/iso-block.ts';
import { Resources } from '../../resources.ts';
import { diskFacts } from '../../unit/agent/hardware/disk-facts.ts';

const settings = { server: 'https://durantic.example:8443' };

/** A stick with an ISO on it; a plain file stands for the device. */
async function makeStick(resources: Resources, block: Buffer, label = 'ANYTHING'): Promise<string> {
  const dir = resources.tempDir();
  const tree = join(dir, 'tree');
  mkdirSync(join(tree, isoBlockPath, '..'), { recursive: true });
  writeFileSync(join(tree, isoBlockPath), block);
  // More names than one sector of a folder holds, so that the way leads over its end.
  for (let index = 0; index < 80; index += 1) writeFileSync(join(tree, `a-file-number-${index}`), '');
  const path = join(dir, 'stick.iso');
  await runCommand('xorrisofs', ['-quiet', '-r', '-V', label, '-o', path, tree]);
  truncateSync(path, 8e6);
  return path;
}

test('F29 a disk that holds an installer ISO is recognised by its block, whatever it is called, and is never a target', async () => {
  await using resources = new Resources();
  const path = await makeStick(resources, encodeIsoBlock(settings));
  assert.deepEqual(await readInstallerMedium(path), { kind: 'block', settings });
  const stick = { ...diskFacts({ name: 'sdq', devno: '8:250', sizeBytes: 8e6 }), path };
  const disk = diskFacts({ name: 'sdr', devno: '8:251' });
  const [marked, other] = await markInstallerMedia([stick, { ...disk, path: '/dev/null' }]);
  assert.ok(marked !== undefined && other !== undefined);
  assert.match(isEligible(marked) ?? '', /is installation media/);
  assert.equal(isEligible(other), null);
  assert.equal((await resolveDisk(null, [marked, disk])).name, 'sdr');
  await assert.rejects(assertUsable(marked, { read: async () => Buffer.alloc(2048) }), { code: 'disk_not_eligible' });
});

test('F29 a damaged block is still an installation medium, and gives no settings', async () => {
  await using resources = new Resources();
  const block = encodeIsoBlock(settings);
  block.writeUInt8(block.readUInt8(100) ^ 1, 100);
  assert.deepEqual(await readInstallerMedium(await makeStick(resources, block)), { kind: 'block', settings: null });
});

test('what holds no ISO, nothing, or cannot be read is told apart', async () => {
  await using resources = new Resources();
  assert.deepEqual(await readInstallerMedium(resources.sparseFile(1e6)), { kind: 'none' });
  assert.deepEqual(await readInstallerMedium('/dev/null'), { kind: 'none' });
  assert.deepEqual(await readInstallerMedium(join(resources.tempDir(), 'gone')), { kind: 'silent' });
});
