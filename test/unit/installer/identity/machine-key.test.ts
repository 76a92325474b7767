import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import type { DiskFacts } from '../../../../agent/disk/types.ts';
import { makeKeyPair } from '../../../../agent/identity/make-identity.ts';
import type { MachineIdentity } from '../../../../agent/identity/read-identity.ts';
import { MachineKey } from '../../../../installer/identity/machine-key.ts';
import { eachDiskSearch, searchLocalDisks } from '../../../../installer/identity/search-local-disks.ts';
import type { InstallerEvent } from '../../../../installer/state/installer-events.ts';
import { Resources } from '../../../resources.ts';
import { diskFacts } from '../../agent/hardware/disk-facts.ts';

const { signal } = new AbortController();
const stick = diskFacts({ name: 'sdz', removable: true });
const system = diskFacts({ name: 'sda' });

/** Disks that a test lets come, of which one has an identity, and every place that was looked at. */
function machine(identity: MachineIdentity) {
  const disks: DiskFacts[] = [];
  const looked: string[] = [];
  const search = {
    listDisks: async () => [...disks],
    look: async ({ device }: { readonly device: string }) => {
      looked.push(device);
      return device === system.path ? { identity, record: null, problems: [] } : null;
    },
    signal,
  };
  return { disks, looked, search };
}

const justStarted = { uptimeMs: () => 0 };

const newIdentity = (): MachineIdentity => ({ machine_uuid: randomUUID(), ...makeKeyPair() });

test('a system disk that comes after the search gives its identity, for as long as no server has seen the new key', async () => {
  await using resources = new Resources();
  const identity = newIdentity();
  const { disks, looked, search } = machine(identity);
  disks.push(stick);
  const events: InstallerEvent[] = [];
  const key = await MachineKey.open({
    stateDir: resources.tempDir(),
    carried: null,
    search: eachDiskSearch({ ...search, quietMs: 0, longestMs: 0 }),
    emit: (event) => void events.push(event),
  });
  assert.equal(key.identity, null);
  disks.push(system);
  await key.settle();
  assert.deepEqual(key.identity, identity);
  assert.deepEqual(looked, [stick.path, system.path], 'each is looked at once');
  const origins = events.map((event) => (event.kind === 'identity' ? event.origin : event.kind));
  assert.deepEqual(origins, ['made', 'found']);
});

test('a key that a server has seen stays, whatever disk comes', async () => {
  await using resources = new Resources();
  const { disks, looked, search } = machine(newIdentity());
  const key = await MachineKey.open({
    stateDir: resources.tempDir(),
    carried: null,
    search: eachDiskSearch({ ...search, quietMs: 0, longestMs: 0 }),
    emit: () => undefined,
  });
  const made = key.keys;
  await key.settle();
  disks.push(system);
  await key.settle();
  assert.deepEqual([key.identity, key.keys, looked], [null, made, []]);
});

test('a disk that is not there yet is waited for, also beside the stick that was booted from', async () => {
  for (const early of [[], [stick]]) {
    const identity = newIdentity();
    const { disks, search } = machine(identity);
    disks.push(...early);
    setTimeout(() => disks.push(system), 600);
    const { systems } = await searchLocalDisks({ ...search, ...justStarted, quietMs: 50, longestMs: 10_000 });
    assert.deepEqual(systems[0]?.identity, identity);
  }
});

test('a machine without a disk is waited for no longer than said, and one with a disk not at all', async () => {
  const { disks, search } = machine(newIdentity());
  const timeOf = async (uptimeMs: () => number): Promise<number> => {
    const beganMs = performance.now();
    await searchLocalDisks({ ...search, uptimeMs, quietMs: 50, longestMs: 1500 });
    return performance.now() - beganMs;
  };
  const without = await timeOf(justStarted.uptimeMs);
  assert.ok(without >= 1490, `${without} ms`);
  const runningSince = performance.now();
  const untilUptime = await timeOf(() => 14_500 + performance.now() - runningSince);
  assert.ok(untilUptime >= 490 && untilUptime < 1400, `${untilUptime} ms: until 15 s after the start`);
  disks.push(system);
  const withDisk = await timeOf(justStarted.uptimeMs);
  assert.ok(withDisk < 1400, `${withDisk} ms`);
});
