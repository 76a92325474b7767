import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseEfibootmgr } from '../../../../agent/boot/firmware-boot.ts';
import { bootNextFrom, createUefiEntry, type UefiEntryResult } from '../../../../agent/boot/uefi-entry.ts';
import { quietContext, writeTree } from '../../../builders/rootfs-tree.ts';
import { Resources } from '../../../resources.ts';

const esp = '10000000-0000-4000-8000-000000000002';
const dead = '90000000-0000-4000-8000-000000000009';
const other = '80000000-0000-4000-8000-000000000008';
const entry = (number: string, label: string, part: string, file: string): string =>
  `Boot${number}* ${label}\tHD(2,GPT,${part},0x800,0x82000)/File(${file})`;

/** A scripted efibootmgr that keeps its entries in a file, as the firmware keeps them in NVRAM. */
const program = `#!/bin/sh
dir=$(dirname "$0")/..
echo "$*" >>"$dir/calls"
[ -e "$dir/fail-$1" ] && { echo "Could not prepare Boot variable: No space left on device" >&2; exit 5; }
case $1 in
  --verbose) cat "$dir/entries" ;;
  --bootnum) sed -i "/^Boot$2/d" "$dir/entries" ;;
  --create) printf 'Boot00A0* %s\\tHD(%s,GPT,${esp},0x800,0x82000)/File(%s)\\n' "$7" "$5" "$9" >>"$dir/entries" ;;
  --bootnext) echo "$2" >"$dir/next" ;;
esac
`;

/** Puts a scripted firmware with these entries first in PATH, for as long as `use` takes. */
async function withFirmware<T>(
  {
    entries,
    order = '0001',
    files = {},
  }: { entries: readonly string[]; order?: string; files?: Record<string, string> },
  use: (dir: string) => Promise<T>,
): Promise<T> {
  const resources = new Resources();
  test.after(() => resources[Symbol.asyncDispose]());
  const dir = resources.tempDir();
  writeTree(dir, {
    'bin/efibootmgr': { mode: 0o755, data: program },
    entries: `BootCurrent: 0001\nBootOrder: ${order}\n${entries.map((line) => `${line}\n`).join('')}`,
    'efi/x': '',
    ...files,
  });
  const path = process.env['PATH'];
  process.env['PATH'] = `${join(dir, 'bin')}:${path}`;
  try {
    return await use(dir);
  } finally {
    process.env['PATH'] = path;
  }
}

async function run(
  entries: readonly string[],
  files: Record<string, string> = {},
): Promise<UefiEntryResult & { dir: string }> {
  return await withFirmware({ entries, files }, async (dir) => {
    const target = { disk: '/dev/vda', espNumber: 2, espPartUuid: esp, replacedPartUuids: [dead], name: 'Debian 12' };
    return { ...(await createUefiEntry({ ...target, firmwareDir: join(dir, 'efi') }, quietContext)), dir };
  });
}

test('F53 ours once and next to boot; the dead entries of the old system are gone, others stay', async () => {
  const result = await run([
    entry('0001', 'Windows', other, '\\EFI\\Microsoft\\Boot\\bootmgfw.efi'),
    entry('0002', 'Durantic: Debian 12', esp, '\\EFI\\BOOT\\BOOTX64.EFI'),
    entry('0003', 'UEFI OS', esp.toUpperCase(), '\\EFI\\BOOT\\BOOTX64.EFI'),
    entry('0004', 'debian', dead, '\\EFI\\debian\\shimx64.efi'),
    entry('0005', 'fallback', other, '\\EFI\\BOOT\\BOOTX64.EFI'),
  ]);
  assert.deepEqual([result.bootNumber, result.removed, result.warnings], ['00A0', ['0002', '0003', '0004'], []]);
  const left = parseEfibootmgr(readFileSync(join(result.dir, 'entries'), 'utf8'));
  assert.deepEqual(
    left.map(({ number, label }) => `${number} ${label}`),
    ['0001 Windows', '0005 fallback', '00A0 Durantic: Debian 12'],
  );
  assert.match(left[2]?.devicePath ?? '', /^HD\(2,GPT,.*File\(\\EFI\\BOOT\\BOOTX64\.EFI\)$/);
  assert.equal(readFileSync(join(result.dir, 'next'), 'utf8').trim(), '00A0');
});

for (const step of ['--create', '--verbose', '--bootnext', '--bootnum']) {
  test(`F52 the firmware refuses ${step}: a warning, not an error`, async () => {
    const result = await run([entry('0004', 'debian', dead, '\\x')], { [`fail-${step}`]: '' });
    assert.equal(result.bootNumber, null);
    assert.match(result.warnings.join(), /No space left on device.*removable path/);
  });
}

test('F52 no efibootmgr: a warning', async () => {
  const path = process.env['PATH'];
  await using resources = new Resources();
  const firmwareDir = resources.tempDir();
  const target = { disk: '/dev/vda', espNumber: 2, espPartUuid: esp, replacedPartUuids: [], name: 'x', firmwareDir };
  process.env['PATH'] = firmwareDir;
  try {
    const result = await createUefiEntry(target, quietContext);
    assert.equal(result.bootNumber, null);
    assert.equal(result.warnings.length, 1);
  } finally {
    process.env['PATH'] = path;
  }
});

test('on a BIOS machine nothing is called and nothing is said', async () => {
  const result = await run([]);
  const target = { disk: '/dev/vda', espNumber: 2, espPartUuid: esp, replacedPartUuids: [], name: 'x' };
  assert.equal(existsSync(join(result.dir, 'calls')), true);
  assert.deepEqual(await createUefiEntry({ ...target, firmwareDir: join(result.dir, 'none') }, quietContext), {
    bootNumber: null,
    removed: [],
    warnings: [],
  });
});

/** What the firmware starts next when it is told to boot from the ESP, and what is said of it. */
async function bootNext(entries: readonly string[], order: string): Promise<{ next: string | null; said: string }> {
  return await withFirmware({ entries, order }, async (dir) => {
    const said = await bootNextFrom(esp.toUpperCase(), quietContext);
    const path = join(dir, 'next');
    return { next: existsSync(path) ? readFileSync(path, 'utf8').trim() : null, said };
  });
}

const once = entry('0000', 'Durantic installer (once)', esp, '\\EFI\\durantic\\vmlinuz.efi');
const debian = entry('0001', 'debian', esp, '\\EFI\\debian\\shimx64.efi');
const updater = entry('0002', 'Linux-Firmware-Updater', esp, '\\EFI\\debian\\shimx64.efi');
const capsule = entry('0003', 'Firmware', esp, '\\EFI\\debian\\fwupdx64.efi');
const windows = entry('0004', 'Windows', other, '\\EFI\\Microsoft\\Boot\\bootmgfw.efi');
const plain = entry('000A', 'UEFI OS', esp, '\\EFI\\BOOT\\BOOTX64.EFI');

test("the system's own entry is next, not the one that starts the installer from the same partition", async () => {
  assert.deepEqual(await bootNext([once, debian], '0001'), {
    next: '0001',
    said: `the firmware's next start is its entry "debian"`,
  });
  const alone = await bootNext([once, windows], '0004');
  assert.equal(alone.next, null);
  assert.match(alone.said, /has no entry for it/);
});

test('of several on one partition the first of the boot order is next, and none that starts no system', async () => {
  assert.equal(
    (await bootNext([once, debian, updater, capsule, windows, plain], '0004,0003,0002,000a,0001')).next,
    '000A',
  );
  assert.equal((await bootNext([updater, capsule, plain, debian], '0004,0001')).next, '0001', 'not one in no order');
  assert.equal((await bootNext([capsule, updater, plain], '0004')).next, '000A');
});
