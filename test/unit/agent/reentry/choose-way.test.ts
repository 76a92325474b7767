import assert from 'node:assert/strict';
import { statfsSync } from 'node:fs';
import { test } from 'node:test';
import { chooseWay, type PreparedWay, type Ways } from '../../../../agent/reentry/choose-way.ts';
import { ProvisionError } from '../../../../core/base/errors.ts';
import { silentLogger } from '../../../../core/base/logger.ts';

const refused = async (): Promise<never> => {
  throw new ProvisionError('installer_unreachable', 'not on this machine');
};
const files = {
  installer: { path: '/nowhere', sha256: 'a'.repeat(64), sizeBytes: 1 },
  initrd: new Uint8Array(),
  commandLine: 'quiet',
};

async function choose(ways: Partial<Ways>): Promise<PreparedWay> {
  const { signal } = new AbortController();
  const context = { runDir: '/nowhere', log: silentLogger, note: () => undefined, mac: null, signal };
  const none: Ways = { kexec: refused, firmware: refused, grub: refused, network: refused, unload: async () => {} };
  return await chooseWay({ useKexec: false, files }, context, { ...none, ...ways });
}

test('a file system that fails speaks against one way only: the next is tried', async () => {
  const firmware = async (): Promise<never> => {
    statfsSync('/proc/no-such-folder');
    throw new Error('unreachable');
  };
  const { way, said } = await choose({ firmware, grub: async () => 'GRUB was told' });
  assert.equal(way, 'grub');
  assert.match(said, /^GRUB was told; .*not by the firmware: .*ENOENT.*statfs/);
  await assert.rejects(choose({ firmware }), (error: unknown) => {
    assert.ok(error instanceof ProvisionError && error.code === 'installer_unreachable');
    assert.match(error.message, /not by the firmware: .*ENOENT.*; not by GRUB: not on this machine/);
    return true;
  });
});

test('a defect of the program is no reason to try the next way', async () => {
  const firmware = async (): Promise<never> => {
    throw new TypeError('x is not a function');
  };
  await assert.rejects(choose({ firmware, grub: async () => 'GRUB was told' }), TypeError);
});
