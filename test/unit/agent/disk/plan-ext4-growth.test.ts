import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Ext4Superblock } from '../../../../agent/disk/ext4-superblock.ts';
import { planExt4Growth } from '../../../../agent/disk/plan-ext4-growth.ts';

const mib = 1024 ** 2;
const gib = 1024 ** 3;
const tib = 1024 ** 4;

/** As `durantic image build` makes roots: 256 MiB, meta_bg, 64bit, a journal of 64 MiB. */
const ours: Ext4Superblock = {
  blockBytes: 4096,
  blocks: 65536,
  freeBlocks: 40000,
  reservedBlocks: 3276,
  blocksPerGroup: 32768,
  inodeBytes: 256,
  uuid: '',
  label: 'root',
  compatible: 0x2c,
  incompatible: 0x2d2,
  readOnlyCompatible: 0x46b,
  descriptorBytes: 64,
  reservedDescriptorBlocks: 0,
  journalBytes: 64 * mib,
};

test('a root made for growth is grown to any size', () => {
  for (const size of [300 * mib, 20 * gib, 4 * tib, 60 * tib]) {
    assert.deepEqual(planExt4Growth(ours, size), { how: 'grow', poorBecause: [] }, `${size}`);
  }
});

test('what fills its partition, or may not grow, stays', () => {
  assert.equal(planExt4Growth(ours, 256 * mib).how, 'unchanged');
  assert.equal(planExt4Growth(ours, 256 * mib + 4095).how, 'unchanged');
  assert.equal(planExt4Growth({ ...ours, journalBytes: mib, blockBytes: 1024 }, 0).how, 'unchanged');
});

test('blocks of 1 KiB are poor from 512 MiB on', () => {
  const small = { ...ours, blockBytes: 1024, blocks: 8192 };
  assert.equal(planExt4Growth(small, 512 * mib - 1).how, 'grow');
  const plan = planExt4Growth(small, 512 * mib);
  assert.equal(plan.how, 'remake');
  assert.match(plan.poorBecause.join(), /1024 bytes/);
});

test('a journal under 64 MiB is poor from 2 GiB on; none at all, or one of unknown size, is as wanted', () => {
  const small = { ...ours, journalBytes: 4 * mib };
  assert.equal(planExt4Growth(small, 2 * gib - 1).how, 'grow');
  assert.match(planExt4Growth(small, 2 * gib).poorBecause.join(), /journal has 4 MiB/);
  assert.equal(planExt4Growth({ ...ours, journalBytes: null }, tib).how, 'grow');
  assert.equal(planExt4Growth({ ...ours, journalBytes: 64 * mib - 1 }, tib).how, 'remake');
});

test('without meta_bg the group descriptors limit the size to what was reserved', () => {
  const incompatible = 0x2c2;
  // One block of descriptors (64 groups of 64 bytes = 8 GiB) and 15 reserved: 128 GiB.
  const reserved = { ...ours, incompatible, reservedDescriptorBlocks: 15 };
  assert.equal(planExt4Growth(reserved, 128 * gib).how, 'grow');
  assert.match(planExt4Growth(reserved, 128 * gib + 4096).poorBecause.join(), /group descriptors/);
});

test('without 64bit there are at most 2^32 blocks', () => {
  const narrow = { ...ours, incompatible: 0x252, descriptorBytes: 32 };
  assert.equal(planExt4Growth(narrow, 16 * tib - 4096).how, 'grow');
  assert.equal(planExt4Growth(narrow, 16 * tib + 4096).how, 'remake');
});
