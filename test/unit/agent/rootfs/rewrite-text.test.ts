import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import type { IdentifierPlan } from '../../../../agent/rootfs/plan-identifiers.ts';
import { identifierRewriter } from '../../../../agent/rootfs/rewrite-text.ts';

const root = { old: 'aaaaaaaa-1111-4111-8111-aaaaaaaaaaaa', new: '00000000-2222-4222-8222-000000000001' };
const part = { old: 'bbbbbbbb-1111-4111-8111-bbbbbbbbbbbb', new: '00000000-2222-4222-8222-000000000002' };
const espPart = { old: 'cccccccc-1111-4111-8111-cccccccccccc', new: '00000000-2222-4222-8222-000000000003' };
const fat = { old: '1A2B-3C4D', new: '9E8F-7A6B' };

const partition = { typeGuid: '', fsLabel: null, partLabel: null, fsType: 'ext4' };
const plan: IdentifierPlan = {
  oldDiskGuid: 'dddddddd-1111-4111-8111-dddddddddddd',
  diskGuid: '00000000-2222-4222-8222-00000000000d',
  partitions: [
    {
      old: { ...partition, number: 3, partUuid: part.old, fsUuid: root.old, fsLabel: 'my root', partLabel: 'rootfs' },
      partUuid: part.new,
      fsUuid: root.new,
    },
    {
      old: { ...partition, number: 2, partUuid: espPart.old, fsUuid: fat.old, fsType: 'vfat', fsLabel: 'ESP' },
      partUuid: espPart.new,
      fsUuid: fat.new,
    },
    {
      old: { ...partition, number: 4, partUuid: randomUUID(), fsUuid: randomUUID(), fsLabel: 'twin' },
      partUuid: randomUUID(),
      fsUuid: randomUUID(),
    },
    {
      old: { ...partition, number: 5, partUuid: randomUUID(), fsUuid: randomUUID(), fsLabel: 'twin' },
      partUuid: randomUUID(),
      fsUuid: randomUUID(),
    },
  ],
};
const rewrite = identifierRewriter(plan);

const cases: readonly (readonly [string, string])[] = [
  [`UUID=${root.old} / ext4 defaults 0 1`, `UUID=${root.new} / ext4 defaults 0 1`],
  [`UUID=${root.old.toUpperCase()}\t/`, `UUID=${root.new}\t/`],
  [`UUID="${root.old}" /`, `UUID="${root.new}" /`],
  [`PARTUUID=${part.old} /`, `PARTUUID=${part.new} /`],
  [`root=PARTUUID=${part.old}/PARTNROFF=1 ro`, `root=PARTUUID=${part.new}/PARTNROFF=1 ro`],
  ['LABEL="my root" / ext4', `UUID="${root.new}" / ext4`],
  ['LABEL=my\\040root / ext4', `UUID=${root.new} / ext4`],
  ['LABEL=ESP /boot/efi vfat', `UUID=${fat.new} /boot/efi vfat`],
  ['LABEL=ESPRESSO /x', 'LABEL=ESPRESSO /x'],
  ['LABEL=twin /data', 'LABEL=twin /data'],
  ['PARTLABEL=rootfs /', `PARTUUID=${part.new} /`],
  ['/dev/disk/by-partlabel/rootfs /', `/dev/disk/by-partuuid/${part.new} /`],
  ['/dev/disk/by-label/my\\x20root /', `/dev/disk/by-uuid/${root.new} /`],
  [`/dev/disk/by-uuid/${fat.old} /boot/efi`, `/dev/disk/by-uuid/${fat.new} /boot/efi`],
  [`UUID=${fat.old.toLowerCase()} /boot/efi`, `UUID=${fat.new} /boot/efi`],
  [`serial ${fat.old}-99`, `serial ${fat.old}-99`],
  [`tel 0${fat.old}`, `tel 0${fat.old}`],
  [
    `search --no-floppy --fs-uuid --set=root --hint-bios=hd0,gpt3 ${root.old}`,
    `search --no-floppy --fs-uuid --set=root --hint-bios=hd0,gpt3 ${root.new}`,
  ],
  [`search.fs_uuid ${root.old} root hd0,gpt3`, `search.fs_uuid ${root.new} root hd0,gpt3`],
  ['search.fs_label ESP root', `search.fs_uuid ${fat.new} root`],
  ['search --set=ESP --label ESP', `search --set=ESP --fs-uuid ${fat.new}`],
  ['search --no-floppy -l "my root" --set=root', `search --no-floppy --fs-uuid ${root.new} --set=root`],
  ['search --file ESP', 'search --file ESP'],
  [`linux /vmlinuz root=UUID=${root.old} ro`, `linux /vmlinuz root=UUID=${root.new} ro`],
  ['GRUB_CMDLINE_LINUX="root=LABEL=ESP"', `GRUB_CMDLINE_LINUX="root=UUID=${fat.new}"`],
  [`GRUB_CMDLINE_LINUX='rd.luks.name=${root.old}=x'`, `GRUB_CMDLINE_LINUX='rd.luks.name=${root.new}=x'`],
  [`cryptroot UUID=${root.old} none luks`, `cryptroot UUID=${root.new} none luks`],
  [`luks-${root.old}`, `luks-${root.new}`],
  [
    `After=dev-disk-by\\x2duuid-${root.old.replaceAll('-', '\\x2d')}.device`,
    `After=dev-disk-by\\x2duuid-${root.new.replaceAll('-', '\\x2d')}.device`,
  ],
  [`${plan.oldDiskGuid}`, `${plan.diskGuid}`],
  ['MYLABEL=ESP', 'MYLABEL=ESP'],
];

for (const [before, after] of cases) {
  test(`rewrites ${before}`, () => {
    assert.equal(rewrite(before), after);
    assert.equal(rewrite(`# x\n${before}\n`), `# x\n${after}\n`);
  });
}

test('leaves identifiers that are kept, and a label whose filesystem keeps its UUID points to it', () => {
  const [first] = plan.partitions;
  assert.ok(first);
  const kept = identifierRewriter({ ...plan, partitions: [{ ...first, fsUuid: root.old, partUuid: part.old }] });
  assert.equal(kept(`UUID=${root.old} PARTUUID=${part.old}`), `UUID=${root.old} PARTUUID=${part.old}`);
  assert.equal(kept('LABEL="my root"'), `UUID="${root.old}"`);
});

test('a label that is a regular expression is taken literally', () => {
  const [first] = plan.partitions;
  assert.ok(first);
  const odd = identifierRewriter({ ...plan, partitions: [{ ...first, old: { ...first.old, fsLabel: 'a.*(b' } }] });
  assert.equal(odd('LABEL=a.*(b /\nLABEL=aXX(b /'), `UUID=${root.new} /\nLABEL=aXX(b /`);
});

test('property: no old UUID is left, and every other byte is as it was', () => {
  const token = fc.oneof(
    fc.constantFrom(root, part, espPart, fat).map((pair) => ({ before: pair.old, after: pair.new })),
    fc.string({ unit: 'grapheme-ascii', maxLength: 12 }).map((text) => {
      const safe = text.replace(/[0-9A-Za-z-]/g, '.');
      return { before: safe, after: safe };
    }),
  );
  fc.assert(
    fc.property(fc.array(token), (tokens) => {
      const join = (key: 'before' | 'after'): string => tokens.map((one) => one[key]).join('\n');
      assert.equal(rewrite(join('before')), join('after'));
    }),
  );
});
