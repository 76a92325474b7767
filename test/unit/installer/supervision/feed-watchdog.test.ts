import assert from 'node:assert/strict';
import { existsSync, fstatSync, mkdirSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
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

function onProblem(text: string): void {
  throw new Error(`nothing was to fail, and: ${text}`);
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
  assert.equal(feedWatchdog({ ...places, signal: controller.signal, onProblem })?.name, 'watchdog0');
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

test('a feed or a stop that fails is said once and ends nothing: it is fed on, and closed', async () => {
  await using resources = new Resources();
  const places = makeTree(resources, { watchdog0: { ...hardware, timeout: '0.2' } });
  const device = join(places.devDir, 'watchdog0');
  const controller = new AbortController();
  resources.defer('stop feeding', () => controller.abort());
  const said: string[] = [];
  let isBusy = true;
  let tries = 0;
  let descriptor = -1;
  const write = (fd: number, text: string): void => {
    descriptor = fd;
    tries += 1;
    if (isBusy) throw Object.assign(new Error('EBUSY: resource busy or locked, write'), { code: 'EBUSY' });
    writeSync(fd, text);
  };
  feedWatchdog({ ...places, signal: controller.signal, onProblem: (text) => void said.push(text), write });
  await waitFor('three tries', () => tries >= 3);
  assert.equal(said.length, 1, said.join('; '));
  assert.match(said[0] ?? '', /watchdog0 cannot be fed, which is tried again: EBUSY/);
  isBusy = false;
  await waitFor('a feed', () => readFileSync(device, 'latin1') !== '');
  isBusy = true;
  await waitFor('the next failure', () => said.length === 2);
  controller.abort();
  assert.match(said[2] ?? '', /watchdog0 may not have been stopped .*EBUSY.* reset the machine/);
  assert.throws(() => fstatSync(descriptor), { code: 'EBADF' }, 'it is open still');
});

test('a machine without a usable watchdog has none; one that another program feeds is an error', async () => {
  await using resources = new Resources();
  const { signal } = new AbortController();
  assert.equal(feedWatchdog({ ...makeTree(resources, {}), signal, onProblem }), null);
  const places = makeTree(resources, { watchdog0: hardware });
  assert.equal(feedWatchdog({ ...places, devDir: join(places.devDir, 'none'), signal, onProblem }), null);
  assert.equal(feedWatchdog({ ...places, signal: AbortSignal.abort(), onProblem }), null);
  assert.equal(readFileSync(join(places.devDir, 'watchdog0'), 'utf8'), '', 'a start that was aborted starts nothing');
  const folder = makeTree(resources, { watchdog0: hardware });
  mkdirSync(join(folder.devDir, 'taken/watchdog0'), { recursive: true });
  assert.ok(existsSync(join(folder.devDir, 'taken')));
  assert.throws(
    () => feedWatchdog({ ...folder, devDir: join(folder.devDir, 'taken'), signal, onProblem }),
    (error: unknown) => error instanceof ProvisionError && error.code === 'permission',
  );
});
