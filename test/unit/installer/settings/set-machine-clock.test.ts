import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ProvisionError } from '../../../../core/base/errors.ts';
import { setMachineClock } from '../../../../installer/settings/set-machine-clock.ts';
import { Resources, waitFor } from '../../../resources.ts';

// This machine's clocks are no test's to change: programs of the same names stand in for those that do.
test('F11 whoever gives up while the clocks are set does not keep the hardware clock from being set', async () => {
  await using resources = new Resources();
  const dir = resources.tempDir();
  const path = process.env['PATH'];
  const program = (name: string, script: string): void =>
    writeFileSync(join(dir, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  program('date', `touch ${dir}/begun; sleep 0.2; echo "$@" >${dir}/date.args`);
  program('hwclock', `echo "$@" >${dir}/hwclock.args`);
  process.env['PATH'] = `${dir}:${path}`;
  try {
    const giveUp = new AbortController();
    const done = setMachineClock(new Date('2026-11-20T12:00:00.900Z'), giveUp.signal).catch(() => undefined);
    await waitFor('the system clock to be set', () => existsSync(join(dir, 'begun')));
    giveUp.abort(new ProvisionError('aborted', 'the link has another address now'));
    await done;
  } finally {
    process.env['PATH'] = path;
  }
  assert.equal(readFileSync(join(dir, 'date.args'), 'utf8'), '-u -s @1795176000\n');
  assert.equal(readFileSync(join(dir, 'hwclock.args'), 'utf8'), '--systohc --utc\n');
});
