import assert from 'node:assert/strict';
import { test } from 'node:test';
import { changedIdentifiers, keepIdentifiers, planIdentifiers } from '../../../../agent/rootfs/plan-identifiers.ts';
import type { PartitionIdentity } from '../../../../agent/rootfs/types.ts';

const disk = 'dddddddd-1111-4111-8111-dddddddddddd';
const base = { typeGuid: '', partLabel: null, fsLabel: null };
const bios: PartitionIdentity = {
  ...base,
  number: 1,
  partUuid: 'aaaaaaaa-0000-4000-8000-000000000001',
  fsUuid: null,
  fsType: null,
};
const esp: PartitionIdentity = {
  ...base,
  number: 2,
  partUuid: 'aaaaaaaa-0000-4000-8000-000000000002',
  fsUuid: '1234-ABCD',
  fsType: 'vfat',
};
const root: PartitionIdentity = {
  ...base,
  number: 3,
  partUuid: 'aaaaaaaa-0000-4000-8000-000000000003',
  fsUuid: 'aaaaaaaa-0000-4000-8000-000000000013',
  fsType: 'ext4',
};
const other: PartitionIdentity = {
  ...base,
  number: 4,
  partUuid: 'aaaaaaaa-0000-4000-8000-000000000004',
  fsUuid: '0123456789ABCDEF',
  fsType: 'ntfs',
};

test('every identifier is new, in the form of its filesystem; two plans differ in all of them', () => {
  const [one, two] = [planIdentifiers([bios, esp, root], disk), planIdentifiers([bios, esp, root], disk)];
  const values = [one, two].flatMap((plan) => [
    plan.diskGuid,
    ...plan.partitions.flatMap((p) => [p.partUuid, p.fsUuid]),
  ]);
  const all = values.filter((value) => value !== null);
  assert.equal(all.length, 12);
  assert.equal(new Set(all).size, 12);
  assert.equal(one.partitions[0]?.fsUuid, null);
  assert.match(one.partitions[1]?.fsUuid ?? '', /^[0-9A-F]{4}-[0-9A-F]{4}$/);
  assert.match(one.partitions[2]?.fsUuid ?? '', /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
});

test('a filesystem whose UUID nobody can set keeps it', () => {
  assert.equal(planIdentifiers([other], disk).partitions[0]?.fsUuid, other.fsUuid);
});

test('what was found embedded is kept, the rest stays renewed, and the difference is what has to be set back', () => {
  const plan = planIdentifiers([esp, root], disk);
  const kept = keepIdentifiers(plan, [
    { kind: 'fs_uuid', value: (root.fsUuid ?? '').toUpperCase(), partition: 3 },
    { kind: 'part_uuid', value: esp.partUuid, partition: 2 },
    { kind: 'label', value: plan.diskGuid, partition: null },
  ]);
  assert.equal(kept.partitions[1]?.fsUuid, root.fsUuid);
  assert.equal(kept.partitions[1]?.partUuid, plan.partitions[1]?.partUuid);
  assert.equal(kept.partitions[0]?.partUuid, esp.partUuid);
  assert.equal(kept.partitions[0]?.fsUuid, plan.partitions[0]?.fsUuid);
  assert.deepEqual(changedIdentifiers(plan, kept), {
    diskGuid: null,
    partUuids: [{ number: 2, partUuid: esp.partUuid }],
    fsUuids: [{ number: 3, fsType: 'ext4', fsUuid: root.fsUuid }],
  });
  const disks = keepIdentifiers(plan, [{ kind: 'disk_guid', value: disk, partition: null }]);
  assert.deepEqual(changedIdentifiers(plan, disks), { diskGuid: disk, partUuids: [], fsUuids: [] });
});
