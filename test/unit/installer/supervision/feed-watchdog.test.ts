import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ProvisionError } from '../../../../core/base/errors.ts';
import { feedWatchdog } from '../../../../installer/supervision/feed-watchdog.ts';
import { findWatchdog } from '../../../../installer/supervision/find-watchdog.ts';
import { Resources, waitFor } from '../../../resources.ts';

type Attributes = Readonly<Record<string, string>>;

/** A tree like /sys/class/watchdog, and a folder like /dev with a file for each. */
function makeTree(resources: Resources, watchdogs: Readonly<Record<string, Attributes>>) {
  const dir = resources.tempDir();
  const places = { sysDir: join(dir, 'sys'), devDir: join(dir, 'dev') };
  mkdirSync(places.devDir);
  for (const [name, attributes] of Object.entries(watchdogs)) {
    mkdirSync(join(places.sysDir, name), { recursive: true });
    for (const [file, text] of Object.entries(attributes)) writeFileSync(join(places.sysDir, name, file), `${text}\n`);
    writeFileSync(join(places.devDir, name), '');
  }
  return places;
}

const software = { identity: 'Software Watchdog', timeout: '60', nowayout: '0' };
const hardware = { identity: 'iTCO_wdt', timeout: '30', nowayout: '0' };

test('hardware is taken before the kernel itself, in the order of the numbers', async () => {
  await using resources = new Resources();
  const found = (tree: Readonly<Record<string, Attributes>>) => findWatchdog(makeTree(resources, tree).sysDir);
  assert.deepEqual(found({ watchdog0: software, watchdog10: { ...hardware, timeout: '1' }, watchdog2: hardware }), {
    name: 'watchdog2',
    identity: 'iTCO_wdt',
    timeoutSec: 30,
  });
  assert.equal(found({ watchdog0: software })?.name, 'watchdog0');
  assert.equal(found({}), null);
});

test('one that cannot be stopped again is left alone, and one that does not say its patience is fed often', async () => {
  await using resources = new Resources();
  const stuck = { ...hardware, nowayout: '1' };
  assert.equal(findWatchdog(makeTree(resources, { watchdog0: stuck }).sysDir), null);
  assert.equal(findWatchdog(makeTree(resources, { watchdog0: stuck, watchdog1: software }).sysDir)?.name, 'watchdog1');
  assert.equal(findWatchdog(makeTree(resources, { watchdog0: { identity: 'x' } }).sysDir)?.timeoutSec, 10);
});

test('it is fed while the event loop turns, not while it hangs, and stopped in the end', async () => {
  await using resources = new Resources();
  const places = makeTree(resources, { watchdog0: { ...hardware, timeout: '0.2' } });
  const device = join(places.devDir, 'watchdog0');
  const fed = (): string => readFileSync(device, 'latin1');
  const controller = new AbortController();
  assert.equal(feedWatchdog({ ...places, signal: controller.signal })?.name, 'watchdog0');
  assert.equal(fed(), '\0', 'it is started at once');
  const before = await waitFor('three feeds', () => fed().length >= 3 && fed().length);
  const until = performance.now() + 400;
  while (performance.now() < until);
  assert.ok(fed().length <= before + 1, 'something else than the event loop fed it');
  controller.abort();
  const last = fed();
  assert.match(last, /^\0+V$/);
  await new Promise((resolve) => setTimeout(resolve, 120));
  assert.equal(fed(), last, 'nothing is written after the stop');
});

test('a machine without a usable watchdog has none; one that another program feeds is an error', async () => {
  await using resources = new Resources();
  const { signal } = new AbortController();
  assert.equal(feedWatchdog({ ...makeTree(resources, {}), signal }), null);
  const places = makeTree(resources, { watchdog0: hardware });
  assert.equal(feedWatchdog({ ...places, devDir: join(places.devDir, 'none'), signal }), null);
  assert.equal(feedWatchdog({ ...places, signal: AbortSignal.abort() }), null);
  assert.equal(readFileSync(join(places.devDir, 'watchdog0'), 'utf8'), '', 'a start that was aborted starts nothing');
  const folder = makeTree(resources, { watchdog0: hardware });
  mkdirSync(join(folder.devDir, 'taken/watchdog0'), { recursive: true });
  assert.ok(existsSync(join(folder.devDir, 'taken')));
  assert.throws(
    () => feedWatchdog({ ...folder, devDir: join(folder.devDir, 'taken'), signal }),
    (error: unknown) => error instanceof ProvisionError && error.code === 'permission',
  );
});
