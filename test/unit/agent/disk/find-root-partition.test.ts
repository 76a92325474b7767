import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findRootPartition } from '../../../../agent/disk/find-root-partition.ts';
import { parseGpt } from '../../../../agent/disk/gpt.ts';
import type { FilesystemFacts, FilesystemType } from '../../../../agent/disk/probe-filesystem.ts';
import type { Gpt } from '../../../../agent/disk/types.ts';
import { linuxRoot, makeDisk } from './gpt-bytes.ts';

const esp = 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b';
const xbootldr = 'bc13c2ff-59e6-4262-a352-b275fd6f7172';
const linuxData = '0fc63daf-8483-4772-8e79-3d69d8477de4';
const arm64Root = 'b921b045-1df0-41c3-af44-4c6f280d3fae';

interface Part {
  readonly type: string;
  readonly name?: string;
  readonly holds?: FilesystemType;
  readonly label?: string;
}

const gptOf = (parts: readonly Part[]): Gpt => {
  const partitions = parts.map(({ type, name }, index) => ({
    number: index + 1,
    typeGuid: type,
    firstLba: 64 + index * 10,
    lastLba: 73 + index * 10,
    ...(name === undefined ? {} : { name }),
  }));
  return parseGpt(makeDisk({ sectorBytes: 512, sectors: 300, partitions }), 512);
};

const find = (parts: readonly Part[], architecture = 'amd64') =>
  findRootPartition(
    gptOf(parts),
    async ({ number }): Promise<FilesystemFacts | null> => {
      const part = parts[number - 1];
      return part?.holds === undefined ? null : { type: part.holds, label: part.label ?? null, uuid: null };
    },
    { architecture },
  );

const ext4 = { type: linuxData, holds: 'ext4' } as const;

test('the rules apply in their order: type, name, label, only filesystem', async () => {
  const cases: readonly [string, number, readonly Part[]][] = [
    [
      'type',
      3,
      [
        { type: esp, holds: 'vfat' },
        { ...ext4, name: 'root' },
        { type: linuxRoot, holds: 'ext4' },
      ],
    ],
    [
      'name',
      2,
      [
        { ...ext4, label: 'root' },
        { ...ext4, name: 'rootfs' },
      ],
    ],
    ['name', 1, [{ ...ext4, name: 'ROOT' }, ext4]],
    ['label', 2, [ext4, { ...ext4, label: 'cloudimg-rootfs' }]],
    ['only-filesystem', 2, [{ type: esp, holds: 'vfat' }, { type: linuxData, holds: 'xfs' }, { type: linuxData }]],
    ['only-filesystem', 2, [{ type: xbootldr, holds: 'ext4' }, ext4]],
  ];
  for (const [rule, number, parts] of cases) {
    const found = await find(parts);
    assert.deepEqual([found.rule, found.partition.number], [rule, number]);
  }
});

test('the type counts for its own architecture only', async () => {
  const parts = [{ type: linuxRoot }, { type: arm64Root }];
  assert.equal((await find(parts, 'amd64')).partition.number, 1);
  assert.equal((await find(parts, 'arm64')).partition.number, 2);
});

test('type and name are enough when the contents are not known yet', async () => {
  const found = await find([{ type: esp }, { type: linuxRoot }]);
  assert.equal(found.filesystem, null);
});

test('two candidates of one rule are an error that lists both', async () => {
  const both = /partition 1.*ext4.*and partition 2/;
  await assert.rejects(find([{ ...ext4, label: 'a' }, ext4]), { code: 'root_partition_ambiguous', message: both });
  const typed = { type: linuxRoot, holds: 'ext4' } as const;
  await assert.rejects(find([typed, typed]), { code: 'root_partition_ambiguous', message: both });
  await assert.rejects(
    find([
      { ...ext4, name: 'root' },
      { ...ext4, name: 'rootfs' },
    ]),
    {
      code: 'root_partition_ambiguous',
      message: /by their name.*"root" \(ext4\) and partition 2 "rootfs"/,
    },
  );
});

test('no candidate is an error that lists what there is', async () => {
  await assert.rejects(
    find([
      { type: esp, holds: 'vfat' },
      { type: linuxData, name: 'data' },
    ]),
    {
      code: 'root_partition_missing',
      message: /partition 1 \(vfat\), partition 2 "data" \(no known filesystem\)/,
    },
  );
  await assert.rejects(find([]), { code: 'root_partition_missing', message: /no partition at all/ });
});

test('a root on LVM, LUKS, md, ZFS or btrfs is refused by name', async () => {
  const names = { LVM2_member: 'LVM', crypto_LUKS: 'LUKS', linux_raid_member: 'md', zfs_member: 'ZFS', btrfs: 'btrfs' };
  for (const [holds, name] of Object.entries(names) as [FilesystemType, string][]) {
    await assert.rejects(find([{ type: linuxRoot, holds }]), {
      code: 'root_filesystem_unsupported',
      message: new RegExp(`partition 1, is on .*${name}`),
    });
  }
});
