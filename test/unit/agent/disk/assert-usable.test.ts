import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertImageFits } from '../../../../agent/disk/assert-image-fits.ts';
import { assertUsable } from '../../../../agent/disk/assert-usable.ts';
import { parseGpt } from '../../../../agent/disk/gpt.ts';
import { assertSameDisk } from '../../../../agent/disk/same-disk.ts';
import type { DiskFacts, DiskUser, ReadBytes } from '../../../../agent/disk/types.ts';
import { diskFacts } from '../hardware/disk-facts.ts';
import { makeDisk } from './gpt-bytes.ts';

const mib = 1024 ** 2;
const contents = Buffer.alloc(8 * mib);
const read: ReadBytes = async (offsetBytes, lengthBytes) => contents.subarray(offsetBytes, offsetBytes + lengthBytes);
const disk = (facts: Partial<DiskFacts> = {}): DiskFacts =>
  diskFacts({ name: 'sda', sizeBytes: contents.length, ...facts });

test('an idle disk is usable, a partition and other kinds are refused with what to do instead', async () => {
  assert.deepEqual(await assertUsable(disk(), { read }), []);
  assert.deepEqual(await assertUsable(disk({ kind: 'loop' }), { read }), []);
  const refusals: readonly [Partial<DiskFacts>, RegExp][] = [
    [{ kind: 'partition' }, /is a partition; give the whole disk/],
    [{ kind: 'cdrom' }, /optical/],
    [{ kind: 'zram' }, /zram/],
    [{ kind: 'md' }, /md array; give one of its disks/],
    [{ kind: 'dm' }, /device-mapper/],
    [{ sizeBytes: 0 }, /size 0/],
    [{ readOnly: true }, /read-only/],
    [{ sectorBytes: 2048 }, /2048 bytes/],
  ];
  for (const [facts, message] of refusals) {
    await assert.rejects(assertUsable(disk(facts), { read }), {
      code: 'disk_not_eligible',
      kind: 'environment',
      message,
    });
  }
});

test('F33 who uses a disk is named, with what could be stopped; after stopping nobody may be left', async () => {
  const mount: DiskUser = { device: '/dev/sda1', kind: 'mount', detail: 'mounted at /srv', canStop: false, depth: 1 };
  const swap: DiskUser = { device: '/dev/sda2', kind: 'swap', detail: 'in use as swap', canStop: true, depth: 1 };
  await assert.rejects(assertUsable(disk({ users: [mount, swap] }), { read }), {
    code: 'disk_busy',
    message: '/dev/sda is in use: /dev/sda1 is mounted at /srv (/dev/sda2 could be stopped)',
  });
  assert.deepEqual(await assertUsable(disk({ users: [swap] }), { read }), [swap]);
  await assert.rejects(assertUsable(disk({ users: [swap] }), { read, mustBeIdle: true }), { code: 'disk_busy' });
});

test('the boot medium is refused: by name, by serial number, and by our own ISO label', async () => {
  for (const bootMedium of ['/dev/sda', 'sda', 'SER-sda']) {
    await assert.rejects(assertUsable(disk(), { read, bootMedium }), {
      code: 'disk_not_eligible',
      message: /started from/,
    });
  }
  const iso = Buffer.from(contents);
  iso.write('\x01CD001\x01', 32768, 'latin1');
  iso.write('DURANTIC_INSTALLER', 32768 + 40, 'latin1');
  const readIso: ReadBytes = async (offset, length) => iso.subarray(offset, offset + length);
  await assert.rejects(assertUsable(disk(), { read: readIso }), {
    code: 'disk_not_eligible',
    message: /installation media/,
  });
  iso.write('DEBIAN 12 N       ', 32768 + 40, 'latin1');
  assert.deepEqual(await assertUsable(disk(), { read: readIso }), []);
});

test('a disk is the same by what it is, not by its name', () => {
  const before = disk({ wwn: '5000' });
  assertSameDisk(before, { ...before, path: '/dev/sdb', name: 'sdb', devno: '8:16' });
  for (const change of [{ serial: 'OTHER' }, { wwn: null }, { sizeBytes: 1 }, { sectorBytes: 4096 }, { model: 'x' }]) {
    assert.throws(
      () => assertSameDisk(before, { ...before, ...change }),
      { code: 'disk_changed' },
      JSON.stringify(change),
    );
  }
  assert.throws(() => assertSameDisk(before, { ...before, serial: 'OTHER' }), { message: /was SER-sda and is OTHER/ });
  const nameless = disk({ serial: null, wwn: null });
  assertSameDisk(nameless, nameless);
  assert.throws(() => assertSameDisk(nameless, { ...nameless, devno: '8:16' }), { code: 'disk_changed' });
});

test('F36 a disk of the other sector size is refused, with the image that is needed', () => {
  const gpt = parseGpt(makeDisk({ sectorBytes: 512, sectors: 8192, partitions: [] }), 512);
  const target = { path: '/dev/sda', sizeBytes: 4 * mib, sectorBytes: 512 } as const;
  assertImageFits(gpt, target);
  assert.throws(() => assertImageFits(gpt, { ...target, sectorBytes: 4096 }), {
    code: 'sector_size_mismatch',
    message: /sectors of 4096 bytes and needs an image made for those; this one is made for 512/,
  });
});

test('F37 a disk smaller than the image, or without room for a backup table, is refused with both sizes', () => {
  const image = makeDisk({ sectorBytes: 512, sectors: 8192, partitions: [{ number: 1, firstLba: 64, lastLba: 8158 }] });
  const gpt = parseGpt(image, 512);
  const target = { path: '/dev/sda', sizeBytes: 4 * mib, sectorBytes: 512 } as const;
  assertImageFits(gpt, target);
  assert.throws(() => assertImageFits(gpt, { ...target, sizeBytes: 4 * mib - 512 }), {
    code: 'disk_too_small',
    message: /needs 4194304 bytes and \/dev\/sda has 4193792/,
  });
  const crammed = { ...gpt, partitions: gpt.partitions.map((partition) => ({ ...partition, lastLba: 8190 })) };
  assert.throws(() => assertImageFits(crammed, target), { code: 'disk_too_small' });
});
