import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ProvisionError } from '../../../core/base/errors.ts';
import { runCommand } from '../../../core/base/run-command.ts';
import { assertInstallerMedium, installerMarker } from '../../../installer/assert-installer-medium.ts';
import { cliMain, cliNode } from '../../builders/server-cli.ts';
import { Resources } from '../../resources.ts';

const isUsageError = (error: unknown): boolean => error instanceof ProvisionError && error.code === 'usage';

test('only a marker that lies in memory counts: a copy of it on a disk is that of no installer', async () => {
  await using resources = new Resources();
  // tmpfs on every Linux.
  const inMemory = mkdtempSync('/dev/shm/durantic-');
  resources.defer('remove the marker', () => rmSync(inMemory, { recursive: true }));
  const marker = join(inMemory, 'installer-medium');
  assert.throws(() => assertInstallerMedium(marker), isUsageError);
  writeFileSync(marker, '');
  assertInstallerMedium(marker);
  // A file of another file system: sysfs stands for every disk.
  assert.notEqual(statfsSync('/sys/kernel/uevent_seqnum').type, statfsSync(marker).type);
  assert.throws(() => assertInstallerMedium('/sys/kernel/uevent_seqnum'), isUsageError);
});

test('durantic installer refuses a machine that was not started from an installer medium, and says what to use', async () => {
  assert.ok(!existsSync(installerMarker), 'this machine is none');
  const { stderr } = await runCommand(cliNode, [cliMain, 'installer'], { okExitCodes: [2] });
  assert.match(stderr, /^durantic: "durantic installer" runs only .*"durantic enroll" \[usage\]\n$/);
});
