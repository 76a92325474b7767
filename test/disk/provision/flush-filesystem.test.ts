import assert from 'node:assert/strict';
import { closeSync, openSync } from 'node:fs';
import { test } from 'node:test';
import { flushFilesystem } from '../../../agent/provision/steps/flush-filesystem.ts';
import { ProvisionError } from '../../../core/base/errors.ts';
import { Resources } from '../../resources.ts';

test('F60 a flush that fails is an error of the device, never a defect of durantic', async () => {
  await using resources = new Resources();
  const fd = openSync(resources.tempDir(), 'r');
  await flushFilesystem(fd, '/dev/loop0p3');
  closeSync(fd);
  await assert.rejects(flushFilesystem(fd, '/dev/loop0p3'), (error: unknown) => {
    assert.ok(error instanceof ProvisionError);
    assert.equal(error.code, 'device_io');
    assert.equal(error.facts['errno'], 'EBADF');
    return true;
  });
});
