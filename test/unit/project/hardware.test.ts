import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { driverGroups, drivers } from '../../../scripts/build/kernel/drivers.ts';
import { absentFirmware } from '../../../scripts/build/kernel/firmware-choice.ts';
import { replaceTable } from '../../../scripts/build/kernel/hardware-tables.ts';
import { readKernelConfig } from '../../../scripts/build/kernel/read-kernel-config.ts';
import { repoDir } from './source-files.ts';

const document = readFileSync(join(repoDir, 'docs', 'hardware.md'), 'utf8');
const { fragments, required } = readKernelConfig();

/** Required options that are no driver of a device. */
const noDevice = new Set(
  (
    'BLK_DEV_INITRD RD_ZSTD CMDLINE_BOOL FW_LOADER FW_LOADER_COMPRESS_ZSTD HYPERV PCI_HYPERV VIRTIO_PCI XEN_PVHVM_GUEST ' +
    'HVC_XEN_FRONTEND BLK_DEV_SD BLK_DEV_SR BLK_DEV_LOOP MLX5_CORE REALTEK_PHY QED HID_GENERIC USB_USBNET PACKET IPV6 ' +
    'IP_MULTIPLE_TABLES IPV6_MULTIPLE_TABLES ' +
    'VLAN_8021Q BONDING EXT4_FS EXT4_FS_POSIX_ACL EXT4_FS_SECURITY XFS_FS BTRFS_FS VFAT_FS NLS_CODEPAGE_437 ' +
    'NLS_ISO8859_1 NLS_UTF8 ISO9660_FS SQUASHFS SQUASHFS_ZSTD TMPFS TMPFS_XATTR EFI_PARTITION MSDOS_PARTITION ' +
    'BLK_DEV_MD MD_RAID0 MD_RAID1 MD_RAID10 MD_RAID456 BLK_DEV_DM EFI_STUB EFIVAR_FS FB_SIMPLE FB_EFI FB_VESA ' +
    'VGA_CONSOLE FRAMEBUFFER_CONSOLE SERIAL_8250 SERIAL_8250_CONSOLE ACPI_SPCR_TABLE KEYBOARD_ATKBD KEXEC KEXEC_FILE ' +
    'WATCHDOG WATCHDOG_HANDLE_BOOT_ENABLED IPMI_WATCHDOG SOFT_WATCHDOG PSTORE EFI_VARS_PSTORE IPMI_HANDLER ' +
    'IPMI_DEVICE_INTERFACE TCG_TPM RTC_CLASS RTC_DRV_CMOS RTC_HCTOSYS HW_RANDOM HW_RANDOM_INTEL HW_RANDOM_AMD ' +
    'HW_RANDOM_TPM'
  ).split(' '),
);

test('docs/hardware.md holds the tables that drivers.ts and firmware-choice.ts make', () => {
  const made = driverGroups.reduce(replaceTable, document);
  assert.equal(document, made, 'run node scripts/build/kernel/update-hardware-tables.ts');
});

test('every driver that is required has a row in docs/hardware.md', () => {
  const rows = new Set(drivers.map(({ option }) => option));
  const wanted = required
    .filter(({ value }) => value === 'y')
    .map(({ name }) => name.replace('CONFIG_', ''))
    .filter((option) => !noDevice.has(option));
  assert.deepEqual(
    wanted.filter((option) => !rows.has(option)),
    [],
  );
});

test('every adapter and controller that a fragment switches on has a row', () => {
  const rows = new Set(drivers.map(({ option }) => option));
  const isDriver =
    /^(E1000|IG|IX|I40E|ICE|SCSI_(MPT3|MPI3|HPSA|SMART|AAC|ARC|ISCI|PM8|MVSAS|3W|STEX|SYM)|SATA_|PATA_|BNX)/;
  const notOne = new Set(['SATA_PMP', 'SATA_MOBILE_LPM_POLICY', 'I40EVF']);
  const found = fragments
    .filter(({ value }) => value === 'y')
    .map(({ name }) => name.replace('CONFIG_', ''))
    .filter((option) => isDriver.test(option) && !notOne.has(option));
  assert.ok(found.length > 20, 'the pattern finds them');
  assert.deepEqual(
    found.filter((option) => !rows.has(option)),
    [],
  );
});

test('every row of docs/hardware.md is switched on by a fragment, once', () => {
  const on = new Set(fragments.filter(({ value }) => value === 'y').map(({ name }) => name.replace('CONFIG_', '')));
  const options = drivers.map(({ option }) => option);
  assert.deepEqual(
    options.filter((option) => !on.has(option)),
    [],
  );
  assert.equal(new Set(options).size, options.length, 'an option has two rows');
});

test('firmware that is not brought is explained in a row of its driver', () => {
  const modules = new Set(drivers.map(({ module }) => module));
  assert.deepEqual(
    absentFirmware.filter(({ module }) => !modules.has(module)),
    [],
  );
  for (const { reason } of absentFirmware) assert.ok(document.includes(reason), reason);
});
